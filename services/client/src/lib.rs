//! A client of Candlewick's API.
//!
//! - [`RestClient`] sends requests over REST and waits for their responses.
//! - [`StreamClientState`] and [`ChannelState`] implement the client's side of the live stream
//!   (`docs/stream.md`, "The rules of a client"). They do no I/O and read no clock: the caller
//!   passes in messages and history, and carries out the requests that they return.
//! - [`path_segment`] encodes a symbol for the path of a request.
//! - [`StreamSocket`] is the WebSocket connection that carries those messages.

mod path;
mod rest;
mod stream;

pub use path::path_segment;
pub use rest::{ListDuplicatesRequest, Method, RestClient, RestError, RestResponse};
pub use stream::{
    AppliedBarChange, AppliedMessage, ChannelState, HistoryRequest, SocketError, StreamClientState,
    StreamEncoding, StreamPosition, StreamProtocolError, StreamSocket, all_bars_first_page_path,
};
