mod dividing_interval;

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::{DayError, DayStart};
use crate::{HOUR_NS, format_time, parse_time};

const ZONES: [&str; 14] = [
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Europe/Istanbul",
    "Europe/London",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Africa/Monrovia",
    "Africa/Casablanca",
];

fn parse_ns(text: &str) -> i64 {
    parse_time(text).unwrap()
}

/// Returns the last time that is tested.
fn last_time_ns() -> i64 {
    parse_ns("2037-12-31T23:59:59Z")
}

/// Formats a quarter hour of the day, counted from midnight, as `HH:MM`.
fn start_text(quarter: i64) -> String {
    format!("{:02}:{:02}", quarter / 4, quarter % 4 * 15)
}

/// Checks that the day computed for a time contains it, and that the days before and after it
/// adjoin it without gap or overlap. If this holds at every time, days tile time.
fn check_adjoining_days(days: &DayStart, time_ns: i64) -> Result<(), String> {
    let day = |time_ns| {
        days.day_containing(time_ns)
            .map_err(|error| error.to_string())
    };
    let (start_ns, end_ns) = day(time_ns)?;
    let is_right = start_ns <= time_ns
        && time_ns < end_ns
        && day(start_ns)? == (start_ns, end_ns)
        && day(end_ns - 1)? == (start_ns, end_ns)
        && day(end_ns)?.0 == end_ns
        && day(start_ns - 1)?.1 == start_ns
        && end_ns - start_ns <= 48 * HOUR_NS;
    is_right.then_some(()).ok_or_else(|| {
        let texts = [time_ns, start_ns, end_ns].map(format_time);
        format!("{texts:?}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn days_tile_time(
        zone in prop::sample::select(&ZONES),
        quarter in 0_i64..96,
        time_ns in 0..last_time_ns(),
    ) {
        let days = DayStart::new(&start_text(quarter), zone).unwrap();
        prop_assert_eq!(check_adjoining_days(&days, time_ns), Ok(()));
        let (start_ns, end_ns) = days.day_containing(time_ns).unwrap();
        if let Ok(interval) = DayStart::longest_dividing_interval(start_ns, end_ns) {
            prop_assert_eq!(interval.window_containing(start_ns).start_ns, start_ns);
            prop_assert_eq!(interval.window_containing(end_ns).start_ns, end_ns);
        } else {
            prop_assert_eq!(zone, "Africa/Monrovia");
            prop_assert!(time_ns < parse_ns("1972-01-08T00:00:00Z"));
        }
    }

    #[test]
    fn no_time_and_no_text_cause_a_panic(time_ns: i64, start in "[0-9:]{0,6}|\\PC{0,5}", zone in "\\PC{0,12}") {
        let days = DayStart::new("23:45", "Pacific/Apia").unwrap();
        for time_ns in [time_ns, i64::MIN, i64::MAX] {
            if let Ok((start_ns, end_ns)) = days.day_containing(time_ns) {
                prop_assert!(start_ns <= time_ns && time_ns < end_ns);
            }
        }
        let _ = (DayStart::new(&start, "UTC"), DayStart::new("00:00", &zone));
    }
}

/// Tests every zone of the database, around every change of its offset.
#[test]
fn days_tile_time_around_every_change_of_every_zone() {
    let mut indivisible = BTreeSet::new();
    for name in jiff::tz::db().available() {
        let name = name.as_str();
        let zone = TimeZone::get(name).unwrap();
        let starts =
            ["00:00", "00:45", "02:30", "23:45"].map(|start| DayStart::new(start, name).unwrap());
        let changes = zone.following(Timestamp::from_second(-1).unwrap());
        for change in changes.map(|change| change.timestamp()) {
            let change_ns = i64::try_from(change.as_nanosecond()).unwrap();
            if change_ns > last_time_ns() {
                break;
            }
            for days in &starts {
                for hours in [-25, -13, 0, 13, 25] {
                    let time_ns = change_ns + hours * HOUR_NS;
                    check_adjoining_days(days, time_ns)
                        .unwrap_or_else(|error| panic!("{name} {days:?} {error}"));
                    let (start_ns, end_ns) = days.day_containing(time_ns).unwrap();
                    if DayStart::longest_dividing_interval(start_ns, end_ns).is_err() {
                        indivisible.insert(name.to_owned());
                    }
                }
            }
        }
    }
    assert_eq!(indivisible, BTreeSet::from(["Africa/Monrovia".to_owned()]));
}

/// Returns the start and length of `count` consecutive days, from the one that contains a time on.
fn days_from(start: &str, zone: &str, time_text: &str, count: usize) -> Vec<String> {
    let days = DayStart::new(start, zone).unwrap();
    let (mut start_ns, mut end_ns) = days.day_containing(parse_ns(time_text)).unwrap();
    let mut lines = Vec::new();
    for _ in 0..count {
        let hours = (end_ns - start_ns) / HOUR_NS;
        lines.push(format!("{} {hours}h", format_time(start_ns)));
        (start_ns, end_ns) = days.day_containing(end_ns).unwrap();
    }
    lines
}

#[test]
fn new_york_loses_an_hour_in_spring() {
    let days = |start| days_from(start, "America/New_York", "2024-03-09T12:00:00Z", 3);
    assert_eq!(
        days("00:00"),
        [
            "2024-03-09T05:00:00Z 24h",
            "2024-03-10T05:00:00Z 23h",
            "2024-03-11T04:00:00Z 24h"
        ]
    );
    assert_eq!(
        days("01:30"),
        [
            "2024-03-09T06:30:00Z 24h",
            "2024-03-10T06:30:00Z 23h",
            "2024-03-11T05:30:00Z 24h"
        ]
    );
    // 02:30 does not exist on the 10th: the day begins at 03:30, one hour later on the clock.
    assert_eq!(
        days("02:30"),
        [
            "2024-03-09T07:30:00Z 24h",
            "2024-03-10T07:30:00Z 23h",
            "2024-03-11T06:30:00Z 24h"
        ]
    );
    assert_eq!(
        days("03:00"),
        [
            "2024-03-09T08:00:00Z 23h",
            "2024-03-10T07:00:00Z 24h",
            "2024-03-11T07:00:00Z 24h"
        ]
    );
}

#[test]
fn new_york_gains_an_hour_in_autumn() {
    let days = |start| days_from(start, "America/New_York", "2024-11-02T12:00:00Z", 3);
    assert_eq!(
        days("00:00"),
        [
            "2024-11-02T04:00:00Z 24h",
            "2024-11-03T04:00:00Z 25h",
            "2024-11-04T05:00:00Z 24h"
        ]
    );
    // 01:30 occurs twice on the 3rd: the day begins at the first.
    assert_eq!(
        days("01:30"),
        [
            "2024-11-02T05:30:00Z 24h",
            "2024-11-03T05:30:00Z 25h",
            "2024-11-04T06:30:00Z 24h"
        ]
    );
    assert_eq!(
        days("02:00"),
        [
            "2024-11-02T06:00:00Z 25h",
            "2024-11-03T07:00:00Z 24h",
            "2024-11-04T07:00:00Z 24h"
        ]
    );
}

#[test]
fn a_day_that_apia_skipped_has_no_length_and_contains_nothing() {
    // 30 December 2011 did not exist: clocks went from -10 to +14 at the end of the 29th.
    let days = |start| days_from(start, "Pacific/Apia", "2011-12-29T12:00:00Z", 3);
    assert_eq!(
        days("00:00"),
        [
            "2011-12-29T10:00:00Z 24h",
            "2011-12-30T10:00:00Z 24h",
            "2011-12-31T10:00:00Z 24h"
        ]
    );
    assert_eq!(
        days("12:00"),
        [
            "2011-12-28T22:00:00Z 24h",
            "2011-12-29T22:00:00Z 24h",
            "2011-12-30T22:00:00Z 24h"
        ]
    );
}

#[test]
fn other_starts_and_zones_are_refused() {
    for start in [
        "",
        "0:00",
        "00:0",
        "24:00",
        "00:60",
        "12:10",
        "-1:00",
        "+1:00",
        "00:00:00",
        "١٢:٠٠",
    ] {
        let error = DayStart::new(start, "UTC").unwrap_err();
        assert!(matches!(error, DayError::InvalidStart { .. }), "{start}");
    }
    for zone in ["", "Mars/Olympus", "+03:00", "../etc/passwd"] {
        let error = DayStart::new("00:00", zone).unwrap_err();
        assert!(matches!(error, DayError::UnknownZone { .. }), "{zone}");
    }
}
