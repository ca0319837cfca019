//! Why a request failed.

use ureq::Error;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestError {
    /// The same request may succeed later.
    #[error("{0}")]
    Transient(String),
    /// The same request will never succeed.
    #[error("{0}")]
    Permanent(String),
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
            false => Self::Permanent(error.to_string()),
        }
    }
}
