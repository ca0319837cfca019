//! Why a request failed.

use ureq::Error;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestError {
    /// The same request may succeed later.
    #[error("{0}")]
    Transient(String),
    /// The same request will never succeed.
    #[error("{reason}")]
    Permanent {
        /// The status of the response; `None` if there was no response.
        status: Option<u16>,
        /// Why the request failed.
        reason: String,
    },
}

impl RestError {
    /// Returns the permanent error of a request without a response.
    pub fn permanent_without_status(reason: impl Into<String>) -> Self {
        Self::Permanent {
            status: None,
            reason: reason.into(),
        }
    }
}

/// The request did not reach the server, or its response did not come back.
impl From<Error> for RestError {
    fn from(error: Error) -> Self {
        let is_transient = matches!(
            error,
            Error::Io(_)
                | Error::Timeout(_)
                | Error::HostNotFound
                | Error::ConnectionFailed
                | Error::Protocol(_)
                | Error::BodyStalled
        );
        match is_transient {
            true => Self::Transient(error.to_string()),
            false => Self::permanent_without_status(error.to_string()),
        }
    }
}
