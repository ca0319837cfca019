//! One connection to the live stream.

use anyhow::bail;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub(super) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    /// Connects to a pod, such as `http://127.0.0.1:8080`.
    pub(super) async fn connect(pod: &str, is_binary: bool) -> anyhow::Result<Self> {
        let url = format!("{}/api/v1/stream", pod.replacen("http", "ws", 1));
        let mut request = url.into_client_request()?;
        let protocol = match is_binary {
            true => "candlewick.v1.msgpack",
            false => "candlewick.v1.json",
        };
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
        let (stream, _) = connect_async(request).await?;
        Ok(Self { stream })
    }

    pub(super) async fn send(&mut self, request: &Value) -> anyhow::Result<()> {
        Ok(self.stream.send(Message::text(request.to_string())).await?)
    }

    /// The next message; none where it was a ping or the like.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => Ok(Some(serde_json::from_str(&text)?)),
            Some(Ok(Message::Binary(bytes))) => Ok(Some(rmp_serde::from_slice(&bytes)?)),
            Some(Ok(Message::Close(frame))) => bail!("closed: {frame:?}"),
            Some(Ok(_)) => Ok(None),
            Some(Err(error)) => Err(error.into()),
            None => bail!("it ended"),
        }
    }
}
