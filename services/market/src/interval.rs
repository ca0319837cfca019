//! Tumbling windows of event time.

use std::fmt;
use std::str::FromStr;

use crate::time::{DAY_NS, HOUR_NS, MINUTE_NS};

/// The length of a window. Each but the first is folded from whole windows of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interval {
    /// One minute, the base.
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

/// A text that names no interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an interval; one of 1m, 5m, 15m, 30m, 1h, 4h, 1d is expected")]
pub struct UnknownInterval {
    text: String,
}

impl Interval {
    /// All of them, shortest first.
    pub const ALL: [Self; 7] = [
        Self::M1,
        Self::M5,
        Self::M15,
        Self::M30,
        Self::H1,
        Self::H4,
        Self::D1,
    ];

    /// Its length in nanoseconds.
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

    /// Its place in [`Interval::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name, such as `15m`.
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

    /// The window of this length that holds a time.
    #[must_use]
    pub const fn window(self, time_ns: i64) -> Window {
        Window {
            interval: self,
            start_ns: time_ns - time_ns.rem_euclid(self.length_ns()),
        }
    }
}

impl FromStr for Interval {
    type Err = UnknownInterval;

    fn from_str(text: &str) -> Result<Self, UnknownInterval> {
        Self::ALL
            .into_iter()
            .find(|interval| interval.name() == text)
            .ok_or_else(|| UnknownInterval {
                text: text.chars().take(16).collect(),
            })
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// The times `[start, start + length)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// The length.
    pub interval: Interval,
    /// The first nanosecond within, which labels the window.
    pub start_ns: i64,
}

impl Window {
    /// The first nanosecond after it.
    #[must_use]
    pub const fn end_ns(self) -> i64 {
        self.start_ns.saturating_add(self.interval.length_ns())
    }

    /// Whether it holds a time.
    #[must_use]
    pub const fn holds(self, time_ns: i64) -> bool {
        self.start_ns <= time_ns && time_ns < self.end_ns()
    }
}
