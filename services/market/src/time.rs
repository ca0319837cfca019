//! Units of time, and times as text.

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

/// The start of 1973. Earlier event times need the venue's setting `old_times`, because they are
/// mostly mistakes: a time of today in seconds, milliseconds or microseconds, read as nanoseconds,
/// is a time before 1973. That is so until 2100.
pub const OLDEST_USUAL_TIME_NS: i64 = 3 * 365 * DAY_NS + DAY_NS;

/// The end of the times that are plausible for an integer in another unit: the start of 2100.
const END_OF_PLAUSIBLE_TIMES_NS: i64 = 47_482 * DAY_NS;

/// The units that an integer time may be in by mistake, with their nanoseconds.
const OTHER_UNITS: [(&str, i64); 3] = [
    ("seconds", SECOND_NS),
    ("milliseconds", MILLISECOND_NS),
    ("microseconds", 1_000),
];

/// Describes the unit in which an integer time would lie between 1973 and 2100, such as
/// `as milliseconds this is 2024-03-01T00:00:00Z`. Returns `None` if there is no such unit, or if
/// the integer is plausible as nanoseconds.
#[must_use]
pub fn describe_plausible_unit(time: i64) -> Option<String> {
    OTHER_UNITS.into_iter().find_map(|(unit, unit_ns)| {
        let time_ns = time.checked_mul(unit_ns)?;
        (OLDEST_USUAL_TIME_NS..END_OF_PLAUSIBLE_TIMES_NS)
            .contains(&time_ns)
            .then(|| format!("as {unit} this is {}", format_time(time_ns)))
    })
}

/// A text that is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a time; RFC 3339 such as 2013-10-08T13:30:00Z is expected, of the years 1970 to 2262"
)]
pub struct ParseTimeError {
    text: String,
}

/// Parses an [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) time into UTC nanoseconds. A space
/// may stand in place of the `T`, as section 5.6 allows. A leap second is refused: it has no UTC
/// nanosecond of its own.
///
/// # Errors
/// [`ParseTimeError`] if the text is not such a time, is before 1970, or does not fit 64 bits.
pub fn parse_time(text: &str) -> Result<i64, ParseTimeError> {
    Some(text)
        .filter(|text| has_rfc_3339_form(text.as_bytes()))
        .and_then(|text| text.parse::<Timestamp>().ok())
        .and_then(|time| i64::try_from(time.as_nanosecond()).ok())
        .filter(|time_ns| *time_ns >= 0)
        .ok_or_else(|| ParseTimeError {
            text: text.chars().take(40).collect(),
        })
}

/// Returns whether a text has the form of an RFC 3339 time: the parser takes more, such as offsets
/// beyond a day and the second 60, which it counts as 59.
fn has_rfc_3339_form(text: &[u8]) -> bool {
    let Some((date_and_time, rest)) = text.split_at_checked(19) else {
        return false;
    };
    let has_form = date_and_time
        .iter()
        .zip(b"0000-00-00T00:00:00")
        .all(|(byte, expected)| match expected {
            b'0' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b't' | b' '),
            _ => byte == expected,
        });
    let offset = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit());
            match digits.count() {
                0 => return false,
                digits => &fraction[digits..],
            }
        }
        None => rest,
    };
    let is_minute = |tens: u8, units: u8| (b'0'..=b'5').contains(&tens) && units.is_ascii_digit();
    let is_offset = match offset {
        b"Z" | b"z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            h1.is_ascii_digit()
                && h2.is_ascii_digit()
                && (*h1, *h2) < (b'2', b'4')
                && is_minute(*m1, *m2)
        }
        _ => false,
    };
    has_form && is_minute(text[17], text[18]) && is_offset
}

/// Formats UTC nanoseconds as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339), with as many
/// fractional digits as the time needs.
#[must_use]
pub fn format_time(time_ns: i64) -> String {
    Timestamp::from_nanosecond(i128::from(time_ns))
        .expect("every i64 of nanoseconds is a timestamp")
        .to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        END_OF_PLAUSIBLE_TIMES_NS, OLDEST_USUAL_TIME_NS, OTHER_UNITS, describe_plausible_unit,
        format_time, parse_time,
    };

    proptest! {
        #[test]
        fn a_formatted_time_parses_as_the_same_time(time_ns in 0..=i64::MAX, digits in 0_u32..10) {
            let time_ns = time_ns - time_ns % 10_i64.pow(digits);
            prop_assert_eq!(parse_time(&format_time(time_ns)), Ok(time_ns));
        }

        #[test]
        fn later_texts_are_later_times(left in 0..=i64::MAX, right in 0..=i64::MAX) {
            // Whole seconds have one width, so their texts sort as they do.
            let [left, right] = [left, right].map(|time_ns| time_ns - time_ns % super::SECOND_NS);
            prop_assert_eq!(format_time(left).cmp(&format_time(right)), left.cmp(&right));
        }

        #[test]
        fn no_text_and_no_time_cause_a_panic(text in "[0-9TZ:+.-]{0,30}|\\PC{0,30}", time_ns: i64) {
            if let Ok(time_ns) = parse_time(&text) {
                prop_assert!(time_ns >= 0);
            }
            prop_assert_eq!(parse_time(&format_time(time_ns)).is_ok(), time_ns >= 0);
        }
    }

    #[test]
    fn an_integer_in_another_unit_is_recognized() {
        assert_eq!(format_time(OLDEST_USUAL_TIME_NS), "1973-01-01T00:00:00Z");
        let end = format_time(END_OF_PLAUSIBLE_TIMES_NS);
        assert_eq!(end, "2100-01-01T00:00:00Z");
        let cases = [
            (1_709_251_200, "seconds", "2024-03-01T00:00:00Z"),
            (1_709_251_200_000, "milliseconds", "2024-03-01T00:00:00Z"),
            (
                1_709_251_200_500_000,
                "microseconds",
                "2024-03-01T00:00:00.5Z",
            ),
        ];
        for (time, unit, expected) in cases {
            let expected = format!("as {unit} this is {expected}");
            assert_eq!(describe_plausible_unit(time), Some(expected));
        }
        for time in [
            i64::MIN,
            -1,
            0,
            1,
            1_000_000,
            1_709_251_200_000_000_000,
            i64::MAX,
        ] {
            assert_eq!(describe_plausible_unit(time), None, "{time}");
        }
    }

    #[test]
    fn a_time_of_this_century_is_never_taken_for_nanoseconds_and_has_one_unit() {
        for (_, unit_ns) in OTHER_UNITS {
            for time_ns in [OLDEST_USUAL_TIME_NS, END_OF_PLAUSIBLE_TIMES_NS - unit_ns] {
                let time = time_ns / unit_ns;
                assert!(time < OLDEST_USUAL_TIME_NS, "{time}");
                let units = OTHER_UNITS.iter().filter(|(_, other_ns)| {
                    let other = time.checked_mul(*other_ns);
                    other.is_some_and(|time_ns| {
                        (OLDEST_USUAL_TIME_NS..END_OF_PLAUSIBLE_TIMES_NS).contains(&time_ns)
                    })
                });
                assert_eq!(units.count(), 1, "{time}");
            }
        }
    }

    #[test]
    fn rfc_3339_of_1970_to_2262_is_accepted() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.000000001Z", 1),
            ("1970-01-01T02:00:00.5+02:00", 500_000_000),
            ("1970-01-01t00:00:00z", 0),
            ("1970-01-02 00:59:00+23:59", 3_600_000_000_000),
            ("2262-04-11T23:47:16.854775807Z", i64::MAX),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_time(text), Ok(expected), "{text}");
        }
        let wrong = [
            "",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-02-30T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "2262-04-11T23:47:16.854775808Z",
            "1704067200",
            "2024-01-01T00:00:00.0000000001Z",
            // The parser would take these for another time, or for one that few would read so.
            "2024-03-01T12:30:60Z",
            "2016-12-31T23:59:60Z",
            "2024-03-01T12:30:00+24:00",
            "2024-03-01T12:30:00+01:60",
            "2024-03-01T12:30:00+01:00:30",
            "2024-03-01T12:30:00+05",
            "2024-03-01T12:30:00+0530",
            "2024-03-01T12:30:00Z[Asia/Tokyo]",
            "2024-03-01T12:30:00,5Z",
            "2024-03-01T12:30:00.Z",
            "2024-03-01T12:30Z",
            "2024-03-01T12Z",
            "20240301T123000Z",
            "+002024-03-01T12:30:00Z",
            "2024-03-01T12:30:00\u{2212}01:00",
        ];
        for text in wrong {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
