//! Times as text.

use jiff::Timestamp;

/// A millisecond in nanoseconds.
pub const MILLISECOND_NS: i64 = 1_000_000;
/// A second in nanoseconds.
pub const SECOND_NS: i64 = 1_000 * MILLISECOND_NS;
/// A minute in nanoseconds.
pub const MINUTE_NS: i64 = 60 * SECOND_NS;
/// An hour in nanoseconds.
pub const HOUR_NS: i64 = 60 * MINUTE_NS;
/// A UTC day in nanoseconds.
pub const DAY_NS: i64 = 24 * HOUR_NS;

/// A text that is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a time; RFC 3339 such as 2013-10-08T13:30:00Z is expected, of the years 1970 to 2262"
)]
pub struct TimeError {
    text: String,
}

/// Reads [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) into UTC nanoseconds.
///
/// # Errors
/// [`TimeError`] where the text is no such time, is before 1970, or is beyond 64 bits.
pub fn parse_time(text: &str) -> Result<i64, TimeError> {
    text.parse::<Timestamp>()
        .ok()
        .and_then(|time| i64::try_from(time.as_nanosecond()).ok())
        .filter(|time_ns| *time_ns >= 0)
        .ok_or_else(|| TimeError {
            text: text.chars().take(40).collect(),
        })
}

/// UTC nanoseconds as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339), with as many digits
/// after the second as the time needs.
#[must_use]
pub fn format_time(time_ns: i64) -> String {
    Timestamp::from_nanosecond(i128::from(time_ns))
        .expect("every i64 of nanoseconds is a timestamp")
        .to_string()
}
