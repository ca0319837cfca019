//! Reading what clients send.

use schemas::api::StreamRequest;

use crate::hub::StreamEncoding;

/// Reads a client's message. A text frame is JSON with every subprotocol.
///
/// # Errors
/// The decoder's message.
pub(super) fn decode_stream_request(
    bytes: &[u8],
    encoding: StreamEncoding,
) -> Result<StreamRequest, String> {
    match encoding {
        StreamEncoding::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
        StreamEncoding::MessagePack => {
            rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
        }
    }
}
