//! The response to a request.

use std::borrow::Cow;

use serde::Deserialize;
use ureq::Body;
use ureq::http;

use super::error::RestError;

/// A response may list every trade of a batch, or every bar of a page.
const BODY_LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// A complete response of any status.
#[derive(Debug, Clone)]
pub struct RestResponse {
    /// The status code, such as 200.
    pub status: u16,
    /// The value of `content-type`; empty if there is none.
    pub content_type: String,
    /// The body's bytes.
    pub body: Vec<u8>,
}

/// The fields of a problem (RFC 9457) that are shown to a user.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ProblemText {
    title: String,
    detail: String,
}

impl RestResponse {
    pub(super) fn read(
        received: Result<http::Response<Body>, ureq::Error>,
    ) -> Result<Self, RestError> {
        let mut response = received?;
        let body = response.body_mut().with_config().limit(BODY_LIMIT_BYTES);
        let body = body.read_to_vec()?;
        let content_type = response.headers().get("content-type");
        let content_type = content_type.and_then(|value| value.to_str().ok());
        Ok(Self {
            status: response.status().as_u16(),
            content_type: content_type.unwrap_or_default().to_owned(),
            body,
        })
    }

    /// Returns the body as text, with U+FFFD in place of what is not UTF-8.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Decodes the body as JSON.
    ///
    /// # Errors
    /// If the body is not the JSON of a `T`.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, RestError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let reason = format!("the answer is not that of a candlewick process: {error}");
            RestError::Permanent {
                status: Some(self.status),
                reason,
            }
        })
    }

    /// Describes a response whose status is not the one that was expected.
    #[must_use]
    pub fn to_error(&self) -> RestError {
        let status = self.status;
        let problem: ProblemText = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = match (problem.detail.as_str(), problem.title.as_str()) {
            ("", "") => format!("it answered with status {status}"),
            ("", title) => format!("{title} (status {status})"),
            (detail, _) => format!("{detail} (status {status})"),
        };
        match status {
            408 | 425 | 429 | 500.. => RestError::Transient(text),
            _ => RestError::Permanent {
                status: Some(status),
                reason: text,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RestError, RestResponse};

    fn error_of(status: u16, body: &[u8]) -> RestError {
        let response = RestResponse {
            status,
            content_type: String::new(),
            body: body.to_owned(),
        };
        response.to_error()
    }

    #[test]
    fn a_busy_server_is_transient_and_a_wrong_request_is_permanent() {
        let body = br#"{"type":"x","title":"Busy","status":503,"detail":"the log is busy"}"#;
        let busy = RestError::Transient("the log is busy (status 503)".to_owned());
        assert_eq!(error_of(503, body), busy);
        let wrong = RestError::Permanent {
            status: Some(404),
            reason: "it answered with status 404".to_owned(),
        };
        assert_eq!(error_of(404, b"<html>"), wrong);
    }
}
