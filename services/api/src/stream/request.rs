//! Reading what clients send.

use schemas::api::StreamRequest;

use crate::hub::Encoding;

/// Reads a client's message. A text frame is JSON whatever the subprotocol.
///
/// # Errors
/// The decoder's message.
pub(super) fn read_request(bytes: &[u8], encoding: Encoding) -> Result<StreamRequest, String> {
    match encoding {
        Encoding::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
        Encoding::MessagePack => rmp_serde::from_slice(bytes).map_err(|error| error.to_string()),
    }
}
