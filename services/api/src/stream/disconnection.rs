//! Why a connection ends, and what the client is told.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket, close_code};
use clock::{Clock, timeout};
use tungstenite::error::ProtocolError;

/// How long a client may take to receive a close frame, and how long to answer it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disconnection {
    /// The client has gone without a close frame.
    Lost,
    /// The client has sent a close frame.
    ByClient,
    /// This process closes the connection.
    ByServer(CloseReason),
}

/// Why this process closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The process stops.
    Stopping,
    /// The client has sent a frame that RFC 6455 does not allow.
    ProtocolViolation,
    /// The client has sent a text frame that is not UTF-8.
    InvalidText,
    /// The client has sent a message that is too large.
    MessageTooLarge,
    /// The client does not read.
    SlowClient,
    /// The store does not respond.
    StoreUnavailable,
}

impl CloseReason {
    /// Returns the code of the close frame (<https://www.rfc-editor.org/rfc/rfc6455#section-7.4>,
    /// and 1013 of <https://www.iana.org/assignments/websocket>), and the reason in it.
    const fn code_and_text(self) -> (u16, &'static str) {
        match self {
            Self::Stopping => (close_code::AWAY, "this process is stopping; connect again"),
            Self::ProtocolViolation => (
                close_code::PROTOCOL,
                "the frame is not one that RFC 6455 allows",
            ),
            Self::InvalidText => (close_code::INVALID, "the text is not UTF-8"),
            Self::MessageTooLarge => (close_code::SIZE, "a message has at most 64 KiB"),
            Self::SlowClient => (close_code::POLICY, "a message was not read within 10 s"),
            Self::StoreUnavailable => (
                close_code::AGAIN,
                "the store does not respond; connect again later",
            ),
        }
    }
}

impl Disconnection {
    /// Returns why a connection ends from which the next frame cannot be received.
    pub(super) fn from_receive_error(error: axum::Error) -> Self {
        let error = error.into_inner();
        match error.downcast_ref::<tungstenite::Error>() {
            Some(tungstenite::Error::Capacity(_)) => Self::ByServer(CloseReason::MessageTooLarge),
            Some(tungstenite::Error::Utf8(_)) => Self::ByServer(CloseReason::InvalidText),
            Some(tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                Self::Lost
            }
            Some(tungstenite::Error::Protocol(_)) => Self::ByServer(CloseReason::ProtocolViolation),
            _ => Self::Lost,
        }
    }

    /// Sends the close frame, or the answer to that of the client, and waits a moment for the
    /// client's answer: a connection that ends before would be reset, and the frame might be lost.
    pub(super) async fn finish<C: Clock>(self, socket: &mut WebSocket, clock: &C) {
        match self {
            Self::Lost => return,
            // Receiving sends the answer.
            Self::ByClient => {}
            Self::ByServer(reason) => {
                let (code, reason) = reason.code_and_text();
                let frame = Frame::Close(Some(CloseFrame {
                    code,
                    reason: reason.into(),
                }));
                let sent = timeout(clock, CLOSE_TIMEOUT, socket.send(frame)).await;
                if !matches!(sent, Ok(Ok(()))) {
                    return;
                }
            }
        }
        let received_all = async { while let Some(Ok(_)) = socket.recv().await {} };
        let _ = timeout(clock, CLOSE_TIMEOUT, received_all).await;
    }
}
