//! The client's side of the live stream.

mod bar;
mod channel;
mod error;
mod many_channels;
mod socket;

pub use self::bar::Bar;
pub use self::channel::{
    AppliedMessage, BarChange, ChangeKind, ChannelState, HistoryRequest, StreamPosition,
};
pub use self::error::StreamError;
pub use self::many_channels::{StreamClient, bars_path};
pub use self::socket::{Encoding, SocketError, StreamSocket};
