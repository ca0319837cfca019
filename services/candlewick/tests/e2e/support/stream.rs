//! A client of the live stream.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

use super::until;

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json,
    MessagePack,
}

/// One connection.
pub(crate) struct Stream {
    socket: WebSocket<TcpStream>,
    protocol: Protocol,
}

impl Stream {
    pub(crate) fn connect(address: SocketAddr, protocol: Protocol) -> Self {
        let url = format!("ws://{address}/api/v1/stream");
        let mut request = url.into_client_request().unwrap();
        let name = match protocol {
            Protocol::Json => "candlewick.v1.json",
            Protocol::MessagePack => "candlewick.v1.msgpack",
        };
        let asked = HeaderValue::from_static(name);
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", asked.clone());
        let tcp = TcpStream::connect(address).unwrap();
        let (socket, answer) = client(request, tcp).unwrap();
        assert_eq!(answer.headers().get("sec-websocket-protocol"), Some(&asked));
        let timeout = Some(Duration::from_millis(2));
        socket.get_ref().set_read_timeout(timeout).unwrap();
        Self { socket, protocol }
    }

    /// Asks for channels, each as the protocol has it.
    pub(crate) fn subscribe(&mut self, channels: &[Value]) {
        let request = json!({"op": "subscribe", "channels": channels});
        self.send(&request);
    }

    pub(crate) fn send(&mut self, request: &Value) {
        let message = match self.protocol {
            Protocol::Json => Message::text(request.to_string()),
            Protocol::MessagePack => Message::binary(rmp_serde::to_vec_named(request).unwrap()),
        };
        self.socket.send(message).unwrap();
    }

    /// The next message, if one is there within a moment.
    pub(crate) fn poll(&mut self) -> Option<Value> {
        match self.socket.read() {
            Ok(Message::Text(text)) => {
                assert_eq!(self.protocol, Protocol::Json);
                Some(serde_json::from_str(&text).unwrap())
            }
            Ok(Message::Binary(bytes)) => {
                assert_eq!(self.protocol, Protocol::MessagePack);
                Some(rmp_serde::from_slice(&bytes).unwrap())
            }
            Ok(Message::Close(frame)) => panic!("the stream was closed: {frame:?}"),
            Ok(_) => None,
            Err(Error::Io(error)) if is_timeout(&error) => None,
            Err(error) => panic!("the stream failed: {error}"),
        }
    }

    /// The next message.
    pub(crate) fn next(&mut self) -> Value {
        until("a message of the stream", || self.poll())
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}
