//! What clients ask for.

use serde::Deserialize;

use crate::hub::Encoding;

/// What a client asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    /// To be told of channels from here on.
    Subscribe {
        /// Which, and from where.
        channels: Vec<Wanted>,
    },
    /// To be told of channels no more.
    Unsubscribe {
        /// Which.
        channels: Vec<String>,
    },
}

/// A channel that is wanted, with the message to go on from where the client holds one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// `bars:{venue}:{symbol}:{interval}`.
    pub(super) channel: String,
    /// The epoch of the message that is held.
    pub(super) epoch: Option<u64>,
    /// Its sequence number.
    pub(super) seq: Option<i64>,
}

impl Request {
    /// Reads a message: text is JSON whatever the subprotocol.
    pub(super) fn read(bytes: &[u8], encoding: Encoding) -> Result<Self, String> {
        match encoding {
            Encoding::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            Encoding::MessagePack => {
                rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
            }
        }
    }
}
