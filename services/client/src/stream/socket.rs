//! One WebSocket connection to the live stream.

use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const PROTOCOL_HEADER: &str = "sec-websocket-protocol";

/// How the messages of a connection are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEncoding {
    /// Text frames of JSON.
    Json,
    /// Binary frames of MessagePack.
    MessagePack,
}

impl StreamEncoding {
    /// Returns the subprotocol that negotiates this encoding.
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "candlewick.v1.json",
            Self::MessagePack => "candlewick.v1.msgpack",
        }
    }
}

/// Why a connection failed or ended.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The connection failed.
    #[error(transparent)]
    WebSocket(#[from] Box<tungstenite::Error>),
    /// The server has chosen another subprotocol.
    #[error("the server speaks {0:?}")]
    OtherSubprotocol(Option<HeaderValue>),
    /// A message is not encoded as negotiated.
    #[error("undecodable message: {0}")]
    Undecodable(String),
    /// The server closed the connection.
    #[error("closed by the server: {0}")]
    Closed(String),
}

impl From<tungstenite::Error> for SocketError {
    fn from(error: tungstenite::Error) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

/// One connection to the live stream.
#[derive(Debug)]
pub struct StreamSocket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    encoding: StreamEncoding,
}

impl StreamSocket {
    /// Connects to the process at `base_url`, such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// If the connection fails, or the server chooses another encoding.
    pub async fn connect(base_url: &str, encoding: StreamEncoding) -> Result<Self, SocketError> {
        let url = format!("{}/api/v1/stream", base_url.replacen("http", "ws", 1));
        let mut request = url.into_client_request()?;
        let offered = HeaderValue::from_static(encoding.subprotocol());
        request
            .headers_mut()
            .insert(PROTOCOL_HEADER, offered.clone());
        let (stream, response) = connect_async(request).await?;
        match response.headers().get(PROTOCOL_HEADER) {
            Some(chosen) if *chosen == offered => Ok(Self { stream, encoding }),
            chosen => Err(SocketError::OtherSubprotocol(chosen.cloned())),
        }
    }

    /// Sends a request, such as [`crate::StreamClientState::subscribe_request`].
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn send_request(&mut self, request: &impl Serialize) -> Result<(), SocketError> {
        let message = match self.encoding {
            StreamEncoding::Json => {
                let text = serde_json::to_string(request);
                Message::text(text.expect("requests have a JSON encoding"))
            }
            StreamEncoding::MessagePack => {
                let bytes = rmp_serde::to_vec_named(request);
                Message::binary(bytes.expect("requests have a MessagePack encoding"))
            }
        };
        Ok(self.stream.send(message).await?)
    }

    /// Waits for the next frame; returns its message, or `None` if it is a ping or a pong. A
    /// message is usually a [`schemas::api::StreamMessage`].
    ///
    /// A caller may drop the future and call again: no message is lost.
    ///
    /// # Errors
    /// If the connection fails or ends, or a message cannot be decoded.
    pub async fn next_message_unless_ping_or_pong<T: DeserializeOwned>(
        &mut self,
    ) -> Result<Option<T>, SocketError> {
        let closed = || SocketError::Closed("without a close frame".to_owned());
        let message = self.stream.next().await.ok_or_else(closed)??;
        let decoded = match (message, self.encoding) {
            (Message::Text(text), StreamEncoding::Json) => {
                serde_json::from_str(&text).map_err(|error| error.to_string())
            }
            (Message::Binary(bytes), StreamEncoding::MessagePack) => {
                rmp_serde::from_slice(&bytes).map_err(|error| error.to_string())
            }
            (Message::Text(_), _) => Err("a text frame".to_owned()),
            (Message::Binary(_), _) => Err("a binary frame".to_owned()),
            (Message::Close(frame), _) => return Err(SocketError::Closed(format!("{frame:?}"))),
            _ => return Ok(None),
        };
        decoded.map(Some).map_err(SocketError::Undecodable)
    }
}
