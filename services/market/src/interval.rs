//! Intervals, and the tumbling windows of event time that they divide time into.

use std::fmt;
use std::str::FromStr;

use crate::time::{DAY_NS, HOUR_NS, MINUTE_NS};

/// The length of a window. A window of each interval but the first consists of whole windows of the
/// interval before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interval {
    /// One minute, the shortest.
    M1,
    /// Five minutes.
    M5,
    /// Fifteen minutes.
    M15,
    /// Thirty minutes.
    M30,
    /// One hour.
    H1,
    /// Four hours.
    H4,
    /// One UTC day.
    D1,
}

/// A text that is not the name of an interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an interval; one of 1m, 5m, 15m, 30m, 1h, 4h, 1d is expected")]
pub struct IntervalError {
    text: String,
}

impl Interval {
    /// Every interval, shortest first.
    pub const ALL: [Self; 7] = [
        Self::M1,
        Self::M5,
        Self::M15,
        Self::M30,
        Self::H1,
        Self::H4,
        Self::D1,
    ];

    /// Returns its length in nanoseconds.
    #[must_use]
    pub const fn length_ns(self) -> i64 {
        match self {
            Self::M1 => MINUTE_NS,
            Self::M5 => 5 * MINUTE_NS,
            Self::M15 => 15 * MINUTE_NS,
            Self::M30 => 30 * MINUTE_NS,
            Self::H1 => HOUR_NS,
            Self::H4 => 4 * HOUR_NS,
            Self::D1 => DAY_NS,
        }
    }

    /// Returns its index in [`Interval::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns its name, such as `15m`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::M30 => "30m",
            Self::H1 => "1h",
            Self::H4 => "4h",
            Self::D1 => "1d",
        }
    }

    /// Returns the window of this length that contains a time.
    #[must_use]
    pub const fn window_containing(self, time_ns: i64) -> Window {
        Window {
            interval: self,
            start_ns: time_ns.saturating_sub(time_ns.rem_euclid(self.length_ns())),
        }
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, IntervalError> {
        Self::ALL
            .into_iter()
            .find(|interval| interval.name() == text)
            .ok_or_else(|| IntervalError {
                text: text.chars().take(16).collect(),
            })
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A window of event time: `[start, start + length)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// Its length.
    pub interval: Interval,
    /// Its first nanosecond, which labels the window.
    pub start_ns: i64,
}

impl Window {
    /// Returns the first nanosecond after the window.
    #[must_use]
    pub const fn end_ns(self) -> i64 {
        self.start_ns.saturating_add(self.interval.length_ns())
    }

    /// Returns whether the window contains a time.
    #[must_use]
    pub const fn contains(self, time_ns: i64) -> bool {
        self.start_ns <= time_ns
            && time_ns.abs_diff(self.start_ns) < self.interval.length_ns().unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Interval, Window};

    proptest! {
        #[test]
        fn a_window_contains_its_times_and_no_others(
            time_ns in prop_oneof![any::<i64>(), 0..i64::MAX],
            interval in prop::sample::select(&Interval::ALL),
        ) {
            let window = interval.window_containing(time_ns);
            prop_assert!(window.contains(time_ns));
            prop_assume!(time_ns > i64::MIN + interval.length_ns());
            let start_ns = window.start_ns;
            prop_assert_eq!(start_ns.rem_euclid(interval.length_ns()), 0);
            prop_assert!(window.contains(start_ns) && !window.contains(start_ns - 1));
            if let Some(end_ns) = start_ns.checked_add(interval.length_ns()) {
                prop_assert_eq!(window.end_ns(), end_ns);
                prop_assert!(window.contains(end_ns - 1) && !window.contains(end_ns));
                prop_assert_eq!(interval.window_containing(end_ns).start_ns, end_ns);
            }
        }

        #[test]
        fn windows_nest(time_ns: i64) {
            for pair in Interval::ALL.windows(2) {
                let (shorter, longer) = (pair[0].window_containing(time_ns), pair[1].window_containing(time_ns));
                prop_assume!(shorter.start_ns > i64::MIN && longer.start_ns > i64::MIN);
                prop_assert_eq!(longer, pair[1].window_containing(shorter.start_ns));
                prop_assert!(longer.contains(shorter.start_ns) && shorter.end_ns() <= longer.end_ns());
            }
        }

        #[test]
        fn only_names_of_intervals_are_accepted(text in "[0-9]{1,2}[mhd]|\\PC{0,4}") {
            if let Ok(interval) = text.parse::<Interval>() {
                prop_assert_eq!(interval.name(), text);
            }
        }
    }

    #[test]
    fn the_last_time_has_a_window_too() {
        for interval in Interval::ALL {
            for time_ns in [i64::MIN, i64::MAX] {
                assert!(
                    interval.window_containing(time_ns).contains(time_ns),
                    "{interval}"
                );
            }
            assert_eq!(interval.window_containing(i64::MAX).end_ns(), i64::MAX);
        }
    }

    #[test]
    fn each_has_a_name_and_an_index_and_divides_the_next() {
        for (index, interval) in Interval::ALL.into_iter().enumerate() {
            assert_eq!(interval.index(), index);
            assert_eq!(interval.to_string().parse(), Ok(interval));
        }
        for pair in Interval::ALL.windows(2) {
            assert_eq!(pair[1].length_ns() % pair[0].length_ns(), 0);
        }
        let window = Window {
            interval: Interval::M5,
            start_ns: 0,
        };
        assert!(!window.contains(i64::MIN) && !window.contains(i64::MAX));
        assert!(
            "7m".parse::<Interval>()
                .unwrap_err()
                .to_string()
                .contains("1m, 5m")
        );
    }
}
