//! The closed set of error codes.

use axum::http::StatusCode;

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $status:ident, $title:literal;)+) => {
        /// Why a request was not served. The set is closed; each code has one HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the code's name, with which the problem's `type` ends.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Returns the HTTP status of the code.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),+ }
            }

            /// Returns a short summary, the same for every occurrence.
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
    /// The body did not arrive in time.
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, "The body took too long";
    /// No endpoint has this path.
    NotFound = "not_found", NOT_FOUND, "There is no such endpoint";
    /// The venue was not declared.
    VenueUnknown = "venue_unknown", NOT_FOUND, "The venue is not known";
    /// No trade of the symbol is known.
    PriceUnknown = "price_unknown", NOT_FOUND, "No price is known";
    /// The endpoint has no such method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed";
    /// A venue's id scheme and id scope cannot be changed.
    SettingsConflict = "settings_conflict", CONFLICT, "The venue's id scheme, id scope and ties are fixed";
    /// The endpoint serves WebSocket connections only.
    UpgradeRequired = "upgrade_required", UPGRADE_REQUIRED, "The endpoint speaks WebSocket";
    /// The body is too large.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The endpoint does not read bodies of this type.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        "The body is of a type that is not read here";
    /// Every trade of the request was rejected.
    TradesRejected = "trades_rejected", UNPROCESSABLE_ENTITY, "No trade was accepted";
    /// The venue's settings do not allow the edit or the cancel.
    AmendmentRejected = "amendment_rejected", UNPROCESSABLE_ENTITY,
        "The edit or cancel was not accepted";
    /// There may be no more venues or symbols.
    LimitReached = "limit_reached", UNPROCESSABLE_ENTITY, "There may be no more of these names";
    /// No interval divides the requested days.
    DayIndivisible = "day_indivisible", UNPROCESSABLE_ENTITY, "No interval divides these days";
    /// The venue's ids are not contiguous, so gaps between them mean nothing.
    GapsNotTracked = "gaps_not_tracked", UNPROCESSABLE_ENTITY, "The venue's ids have no gaps to list";
    /// The log or a store is busy or unavailable; the same request may succeed shortly.
    Busy = "busy", SERVICE_UNAVAILABLE, "Busy; try again shortly";
    /// The disk of the log is full. Acknowledged records are safe; new ones are not accepted.
    StorageFull = "storage_full", INSUFFICIENT_STORAGE, "The disk is full";
    /// The log cannot be written.
    StorageFailed = "storage_failed", SERVICE_UNAVAILABLE, "The log cannot be written";
    /// The request took too long.
    Timeout = "timeout", SERVICE_UNAVAILABLE, "The request took too long";
    /// The server failed.
    Internal = "internal", INTERNAL_SERVER_ERROR, "The server failed";
}
