//! The live stream: one WebSocket, many channels.

mod connection;
mod request;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;
use clock::Clock;
use eventlog::Log;
use store::{BarReader, TickStore};

use crate::hub::Encoding;
use crate::{ApiState, ErrorCode, Problem};
use connection::Connection;

/// The subprotocols, the default first.
const MESSAGE_PACK: &str = "candlewick.v1.msgpack";
const JSON: &str = "candlewick.v1.json";

/// The largest message that a client may send.
const REQUEST_LIMIT_BYTES: usize = 64 * 1024;

/// Opens the stream, in MessagePack or the subprotocol that the client asks for.
pub(crate) async fn open<L, B, T, C>(
    State(state): State<ApiState<L, B, T, C>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem>
where
    L: Log,
    B: BarReader + Clone + 'static,
    T: TickStore,
    C: Clock,
{
    let upgrade = upgrade
        .map_err(|rejection| {
            Problem::new(ErrorCode::UpgradeRequired, rejection.body_text())
                .accepted("a WebSocket handshake, as from new WebSocket(url)")
        })?
        .protocols([MESSAGE_PACK, JSON])
        .max_message_size(REQUEST_LIMIT_BYTES)
        .max_frame_size(REQUEST_LIMIT_BYTES)
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * 1024 * 1024);
    let json = upgrade
        .selected_protocol()
        .is_some_and(|protocol| protocol.as_bytes() == JSON.as_bytes());
    let encoding = if json {
        Encoding::Json
    } else {
        Encoding::MessagePack
    };
    Ok(upgrade.on_upgrade(move |socket| Connection::new(state, socket, encoding).run()))
}
