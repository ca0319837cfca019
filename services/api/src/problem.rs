//! Errors as [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problems.

mod error_code;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use eventlog::LogError;
use ingest::IngestError;
use market::{DayError, RejectReason};
use schemas::api::ProblemJson;
use serde::Serialize;
use store::StoreError;

use crate::store_damage::StoreDamage;

/// How long a client should wait before it repeats a request to a busy server, in seconds.
const RETRY_AFTER_SECONDS: &str = "1";

pub use self::error_code::ErrorCode;

/// An error response.
#[derive(Debug, Clone)]
pub struct Problem {
    code: ErrorCode,
    json: Box<ProblemJson>,
    /// The damage of a store that caused it.
    store_damage: Option<StoreDamage>,
}

impl Problem {
    /// Returns a problem with this code; `detail` says for people what happened in this case.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        let json = ProblemJson {
            type_uri: format!("{}{}", ProblemJson::TYPE_PREFIX, code.name()),
            title: code.title().into(),
            status: code.status().as_u16(),
            detail: detail.into(),
            field: None,
            accepted: None,
            reason: None,
        };
        Self {
            code,
            json: Box::new(json),
            store_damage: None,
        }
    }

    /// Sets the parameter, header or member at fault.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.json.field = Some(field.into());
        self
    }

    /// Sets what would have been accepted.
    #[must_use]
    pub fn with_accepted(mut self, accepted: impl Into<String>) -> Self {
        self.json.accepted = Some(accepted.into());
        self
    }

    /// Sets the code of the broken rule.
    #[must_use]
    pub fn with_reason(mut self, reason: &'static str) -> Self {
        self.json.reason = Some(reason.into());
        self
    }

    /// Returns the problem of a parameter whose value is not accepted.
    #[must_use]
    pub fn invalid_parameter(
        field: &str,
        detail: impl Into<String>,
        accepted: impl Into<String>,
    ) -> Self {
        Self::new(ErrorCode::InvalidParameter, detail)
            .with_field(field)
            .with_accepted(accepted)
    }

    /// Returns the error code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// Returns the body of the response.
    pub(crate) fn into_json(self) -> ProblemJson {
        *self.json
    }

    /// Returns the problem of a log that cannot write. The client is told which file and why.
    fn event_log_write_failure(code: ErrorCode, error: &LogError) -> Self {
        tracing::error!(%error, "the log cannot be written; trades are rejected");
        let detail = format!("the log could not write {error}; send the same again later");
        Self::new(code, detail)
    }

    /// Returns the problem of a failed server. The reason is logged and not sent to the client.
    pub(crate) fn log_internal_error(reason: &dyn std::fmt::Display) -> Self {
        tracing::error!(%reason, "request failed");
        Self::new(
            ErrorCode::Internal,
            "the request could not be served; the server's log says why",
        )
    }
}

/// Returns a response of the content type `application/problem+json` with any body.
pub(crate) fn problem_response(code: ErrorCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("a problem is plain data");
    let mut response = (code.status(), body).into_response();
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, content_type);
    if code.status() == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    }
    response
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = problem_response(self.code, &self.json);
        if let Some(damage) = self.store_damage {
            response.extensions_mut().insert(damage);
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_transient() {
            tracing::warn!(%error, "store unavailable");
            return Self::new(
                ErrorCode::Busy,
                "a store is not available; try again shortly",
            );
        }
        Self {
            store_damage: StoreDamage::from_error(&error),
            ..Self::log_internal_error(&error)
        }
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        let is_transient = error.is_transient();
        match error {
            IngestError::Conflict { field, known, .. } => {
                Self::new(ErrorCode::SettingsConflict, error.to_string())
                    .with_field(field)
                    .with_accepted(known.to_string())
            }
            IngestError::OutOfRange { field } => {
                Self::invalid_parameter(field, error.to_string(), "an integer from 0 to 86400000")
            }
            IngestError::Rejected {
                reason,
                explanation,
            } => {
                let code = match reason {
                    RejectReason::VenueUnknown => ErrorCode::VenueUnknown,
                    RejectReason::VenueLimit | RejectReason::SymbolLimit => ErrorCode::LimitReached,
                    _ => ErrorCode::AmendmentRejected,
                };
                Self::new(code, explanation)
                    .with_field(reason.faulty_field())
                    .with_reason(reason.code())
            }
            IngestError::Store(error) => error.into(),
            IngestError::Log(error @ LogError::Full { .. }) => {
                Self::event_log_write_failure(ErrorCode::StorageFull, &error)
            }
            IngestError::Log(error @ (LogError::Storage { .. } | LogError::Damaged { .. })) => {
                Self::event_log_write_failure(ErrorCode::StorageFailed, &error)
            }
            // Another pod accepts the request, and so does this one once it has restarted.
            IngestError::Log(LogError::Closed) => Self::new(
                ErrorCode::Busy,
                "the process is stopping; try again shortly, or send the request to another",
            ),
            _ if is_transient => Self::new(ErrorCode::Busy, error.to_string()),
            error => Self::log_internal_error(&error),
        }
    }
}

impl From<DayError> for Problem {
    fn from(error: DayError) -> Self {
        let detail = error.to_string();
        match error {
            DayError::InvalidStart { .. } => Self::invalid_parameter(
                "day_start",
                detail,
                "HH:MM on a quarter hour, such as 22:00",
            ),
            DayError::UnknownZone { .. } => {
                Self::invalid_parameter("zone", detail, "an IANA name such as America/New_York")
            }
            DayError::Indivisible { .. } => Self::new(ErrorCode::DayIndivisible, detail)
                .with_field("zone")
                .with_accepted("days whose start is a whole number of minutes from UTC"),
            DayError::OutOfRange => {
                Self::invalid_parameter("start", detail, "the years 1970 to 2262")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_problem_of_a_log_that_cannot_write_names_the_file_and_the_reason() {
        let path = "/data/trades.redb".to_owned();
        let reason = "No space left on device".to_owned();
        let full = Problem::from(IngestError::Log(LogError::Full {
            path: path.clone(),
            reason,
        }));
        let failed = Problem::from(IngestError::Log(LogError::Storage {
            path,
            reason: "Input/output error".to_owned(),
        }));
        for (problem, code, status, reason) in [
            (full, "storage_full", 507, "No space left on device"),
            (failed, "storage_failed", 503, "Input/output error"),
        ] {
            assert_eq!((problem.code.name(), problem.json.status), (code, status));
            let expected = format!("/data/trades.redb: {reason}");
            assert!(
                problem.json.detail.contains(&expected),
                "{}",
                problem.json.detail
            );
        }
    }

    #[test]
    fn a_process_that_is_stopping_is_busy_and_has_not_failed() {
        let problem = Problem::from(IngestError::Log(LogError::Closed));
        assert_eq!((problem.code.name(), problem.json.status), ("busy", 503));
    }
}
