//! Errors as [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problems.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use eventlog::LogError;
use ingest::IngestError;
use market::{DayError, RejectReason};
use schemas::api::ProblemJson;
use serde::Serialize;
use store::StoreError;

/// How long a client waits before it asks a busy server again, in seconds.
const RETRY_AFTER_SECONDS: &str = "1";

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $status:ident, $title:literal;)+) => {
        /// Why a request was not served. The set is closed; each code has one status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl ErrorCode {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name, with which the problem's `type` ends.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The HTTP status that it maps to.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),+ }
            }

            /// A short summary, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

error_codes! {
    /// A parameter has a value that is not accepted, or is missing.
    InvalidParameter = "invalid_parameter", BAD_REQUEST, "A parameter is not valid";
    /// A parameter that the endpoint does not have.
    UnknownParameter = "unknown_parameter", BAD_REQUEST, "A parameter is not known";
    /// The body cannot be read.
    InvalidBody = "invalid_body", BAD_REQUEST, "The body cannot be read";
    /// The body did not come.
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, "The body took too long";
    /// There is no such endpoint.
    NotFound = "not_found", NOT_FOUND, "There is no such endpoint";
    /// Nobody has declared the venue.
    VenueUnknown = "venue_unknown", NOT_FOUND, "The venue is not known";
    /// No trade of the symbol is known.
    PriceUnknown = "price_unknown", NOT_FOUND, "No price is known";
    /// The endpoint has no such method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed";
    /// A venue's scheme or scope cannot be changed.
    SettingsConflict = "settings_conflict", CONFLICT, "The venue's id scheme and scope are fixed";
    /// The endpoint speaks WebSocket alone.
    UpgradeRequired = "upgrade_required", UPGRADE_REQUIRED, "The endpoint speaks WebSocket";
    /// The body is too large.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is of a type that the endpoint does not read.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        "The body is of a type that is not read here";
    /// Not one trade of the request was accepted.
    TradesRejected = "trades_rejected", UNPROCESSABLE_ENTITY, "No trade was accepted";
    /// The venue's rules do not allow the edit or the cancel.
    AmendmentRejected = "amendment_rejected", UNPROCESSABLE_ENTITY,
        "The edit or cancel was not accepted";
    /// No interval divides the days asked for.
    DayIndivisible = "day_indivisible", UNPROCESSABLE_ENTITY, "No interval divides these days";
    /// Gaps are known of contiguous ids only.
    GapsNotTracked = "gaps_not_tracked", UNPROCESSABLE_ENTITY, "The venue's ids have no gaps to list";
    /// The log or a store has no room or no time; try again shortly.
    Busy = "busy", SERVICE_UNAVAILABLE, "Busy; try again shortly";
    /// The disk of the log is full; what it acknowledged is safe, and it takes no more.
    StorageFull = "storage_full", INSUFFICIENT_STORAGE, "The disk is full";
    /// The log cannot be written.
    StorageFailed = "storage_failed", SERVICE_UNAVAILABLE, "The log cannot be written";
    /// The request took too long.
    Timeout = "timeout", SERVICE_UNAVAILABLE, "The request took too long";
    /// A fault of the server.
    Internal = "internal", INTERNAL_SERVER_ERROR, "The server failed";
}

/// An error response.
#[derive(Debug, Clone)]
pub struct Problem {
    code: ErrorCode,
    json: Box<ProblemJson>,
}

impl Problem {
    /// A problem of this code; `detail` tells people what happened here.
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
        }
    }

    /// Names the parameter, header or member at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.json.field = Some(field.into());
        self
    }

    /// Says what would have been accepted.
    #[must_use]
    pub fn accepted(mut self, accepted: impl Into<String>) -> Self {
        self.json.accepted = Some(accepted.into());
        self
    }

    /// Names the rule that is broken, by its code.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.json.reason = Some(reason.into());
        self
    }

    /// A parameter whose value is not accepted.
    #[must_use]
    pub fn parameter(field: &str, detail: impl Into<String>, accepted: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidParameter, detail)
            .field(field)
            .accepted(accepted)
    }

    /// Which kind of error it is.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// Returns the body of the response.
    pub(crate) fn into_json(self) -> ProblemJson {
        *self.json
    }

    /// The log could not write; which file, and why, is for the client too.
    fn storage(code: ErrorCode, error: &LogError) -> Self {
        tracing::error!(%error, "trades refused");
        let detail = format!("the log could not write {error}; send the same again later");
        Self::new(code, detail)
    }

    /// A fault of the server: the reason goes to its log, not to the client.
    pub(crate) fn internal(reason: &dyn std::fmt::Display) -> Self {
        tracing::error!(%reason, "request failed");
        Self::new(
            ErrorCode::Internal,
            "the request could not be served; the server's log says why",
        )
    }
}

/// An answer of `application/problem+json` with any body.
pub(crate) fn problem_response(code: ErrorCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("a problem is plain data");
    let mut response = (code.status(), body).into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, kind);
    if code.status() == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    }
    response
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        problem_response(self.code, &self.json)
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
        Self::internal(&error)
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        let is_transient = error.is_transient();
        match error {
            IngestError::Conflict {
                known_scheme,
                known_scope,
                ..
            } => Self::new(ErrorCode::SettingsConflict, error.to_string())
                .field("id_scheme")
                .accepted(format!(
                    "id_scheme {known_scheme} with id_scope {known_scope}"
                )),
            IngestError::OutOfRange { field } => {
                Self::parameter(field, error.to_string(), "an integer from 0 to 86400000")
            }
            IngestError::Rejected { reject } => {
                let code = match reject {
                    RejectReason::VenueUnknown => ErrorCode::VenueUnknown,
                    _ => ErrorCode::AmendmentRejected,
                };
                Self::new(code, reject.explanation())
                    .field(reject.field())
                    .reason(reject.code())
            }
            IngestError::Store(error) => error.into(),
            IngestError::Log(error @ LogError::Full { .. }) => {
                Self::storage(ErrorCode::StorageFull, &error)
            }
            IngestError::Log(error @ LogError::Storage { .. }) => {
                Self::storage(ErrorCode::StorageFailed, &error)
            }
            // Another pod takes it, and this one when it has been started again.
            IngestError::Log(LogError::Closed) => Self::new(
                ErrorCode::Busy,
                "the process is ending; try again shortly, or at another",
            ),
            _ if is_transient => Self::new(ErrorCode::Busy, error.to_string()),
            error => Self::internal(&error),
        }
    }
}

impl From<DayError> for Problem {
    fn from(error: DayError) -> Self {
        let detail = error.to_string();
        match error {
            DayError::Start { .. } => Self::parameter(
                "day_start",
                detail,
                "HH:MM on a quarter hour, such as 22:00",
            ),
            DayError::Zone { .. } => {
                Self::parameter("zone", detail, "an IANA name such as America/New_York")
            }
            DayError::Indivisible { .. } => Self::new(ErrorCode::DayIndivisible, detail)
                .field("zone")
                .accepted("days whose start is a whole number of minutes from UTC"),
            DayError::Range => Self::parameter("start", detail, "the years 1970 to 2262"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_cannot_write_names_the_file_and_the_reason() {
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
            let said = format!("/data/trades.redb: {reason}");
            assert!(
                problem.json.detail.contains(&said),
                "{}",
                problem.json.detail
            );
        }
    }

    #[test]
    fn a_process_that_is_ending_is_no_fault_of_the_server() {
        let problem = Problem::from(IngestError::Log(LogError::Closed));
        assert_eq!((problem.code.name(), problem.json.status), ("busy", 503));
    }
}
