//! The live stream: one WebSocket with many channels.

mod client_channel_name;
mod connection;
mod disconnection;
mod generation_check;
mod request;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;
use backend::Backend;

use self::connection::StreamConnection;
use crate::hub::StreamEncoding;
use crate::problem::{ErrorCode, Problem};
use crate::state::ApiState;

/// The subprotocols; the first is the default.
const MESSAGE_PACK: &str = "candlewick.v1.msgpack";
const JSON: &str = "candlewick.v1.json";

/// The largest message that a client may send.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Opens the stream, in the subprotocol that the client requests or in MessagePack.
pub(crate) async fn open_stream<B: Backend>(
    State(state): State<ApiState<B>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade
        .map_err(|rejection| {
            Problem::new(ErrorCode::UpgradeRequired, rejection.body_text())
                .with_accepted("a WebSocket handshake, as from new WebSocket(url)")
        })?
        .protocols([MESSAGE_PACK, JSON])
        .max_message_size(MAX_REQUEST_BYTES)
        .max_frame_size(MAX_REQUEST_BYTES)
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * 1024 * 1024);
    let is_json = upgrade
        .selected_protocol()
        .is_some_and(|protocol| protocol.as_bytes() == JSON.as_bytes());
    let encoding = if is_json {
        StreamEncoding::Json
    } else {
        StreamEncoding::MessagePack
    };
    Ok(upgrade.on_upgrade(move |socket| StreamConnection::new(state, socket, encoding).run()))
}
