//! The client's side of the live stream.

mod channel;
mod error;
mod many_channels;
mod position;
mod socket;

pub use self::channel::{AppliedBarChange, AppliedMessage, ChannelState, HistoryRequest};
pub use self::error::StreamProtocolError;
pub use self::many_channels::{StreamClientState, all_bars_first_page_path};
pub use self::position::StreamPosition;
pub use self::socket::{SocketError, StreamEncoding, StreamSocket};
