//! The times of the plain format.

use market::parse_time;

use crate::parsed_trade_line::TradeLineError;
use crate::values::{parse_if_integer, parse_utf8};

/// Parses integer nanoseconds since 1970 or an RFC 3339 time.
pub(super) fn parse_time_cell_ns(cell: &[u8]) -> Result<i64, TradeLineError> {
    let invalid = || {
        let reason = "is not a time; integer nanoseconds since 1970, or RFC 3339 \
                      such as 2013-10-08T13:30:00.5Z, of the years 1970 to 2262 are expected";
        TradeLineError::bad_cell("time", cell, reason)
    };
    let time_ns = match parse_if_integer(cell) {
        Some(time_ns) => time_ns.ok(),
        None if is_rfc3339(cell) => parse_utf8("time", cell)
            .ok()
            .and_then(|text| parse_time(text).ok()),
        None => None,
    };
    time_ns.filter(|time_ns| *time_ns >= 0).ok_or_else(invalid)
}

/// Returns whether a text has the shape of [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339).
/// The parser behind [`parse_time`] accepts more than that, and turns a leap second into the second
/// before it.
fn is_rfc3339(text: &[u8]) -> bool {
    let Some((date_time, rest)) = text.split_at_checked(19) else {
        return false;
    };
    let has_shape = date_time
        .iter()
        .zip(b"0000-00-00T00:00:00")
        .all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b't'),
            _ => byte == shape,
        });
    let rest = rest.strip_prefix(b".").map_or(rest, |fraction| {
        let end = fraction.iter().position(|byte| !byte.is_ascii_digit());
        // A point without digits stays in the rest, and no UTC offset begins with one.
        end.filter(|end| *end > 0)
            .map_or(rest, |end| &fraction[end..])
    });
    has_shape && &date_time[17..] != b"60" && is_utc_offset(rest)
}

fn is_utc_offset(text: &[u8]) -> bool {
    match text {
        b"Z" | b"z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            let are_digits = [h1, h2, m1, m2].into_iter().all(u8::is_ascii_digit);
            are_digits && (*h1, *h2) <= (b'2', b'3') && *m1 <= b'5'
        }
        _ => false,
    }
}
