//! Days that begin at any quarter hour of any zone.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::Interval;

/// Where days begin: a local time of a zone.
#[derive(Debug, Clone)]
pub struct DayStart {
    time: Time,
    zone: TimeZone,
}

/// Why days cannot begin there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DayError {
    /// Not a quarter hour.
    #[error("{text:?} is not a day start; HH:MM on a quarter hour is expected, such as 22:00")]
    Start {
        /// What was given.
        text: String,
    },
    /// Not in the time zone database.
    #[error("{text:?} is not a time zone; an IANA name such as America/New_York is expected")]
    Zone {
        /// What was given.
        text: String,
    },
    /// Not a whole number of minutes from UTC at that time, as with local mean time.
    #[error(
        "the day that begins at {start} is not divided by any interval: the zone's offset was not a whole number of minutes then"
    )]
    Indivisible {
        /// In RFC 3339.
        start: String,
    },
    /// Beyond the years that can be counted.
    #[error("the time lies outside the years 1970 to 2262")]
    Range,
}

impl DayStart {
    /// Days that begin at `start` (`HH:MM`, on a quarter hour) in `zone` (an IANA name).
    ///
    /// # Errors
    /// [`DayError::Start`] or [`DayError::Zone`].
    pub fn new(start: &str, zone: &str) -> Result<Self, DayError> {
        let bad_start = || DayError::Start {
            text: start.chars().take(16).collect(),
        };
        let bad_zone = || DayError::Zone {
            text: zone.chars().take(64).collect(),
        };
        let (hour, minute) = start.split_once(':').ok_or_else(bad_start)?;
        let two_digits = |part: &str| {
            (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| part.parse::<i8>().ok())
                .flatten()
                .ok_or_else(bad_start)
        };
        let time = Time::new(two_digits(hour)?, two_digits(minute)?, 0, 0);
        let time = time.map_err(|_| bad_start())?;
        if time.minute() % 15 != 0 {
            return Err(bad_start());
        }
        let zone = TimeZone::get(zone).map_err(|_| bad_zone())?;
        Ok(Self { time, zone })
    }

    /// The day `[start, end)` that holds a time, both in UTC nanoseconds. A local start that
    /// does not exist moves forward by the length of the gap; an ambiguous one is the first.
    ///
    /// # Errors
    /// [`DayError::Range`] at the ends of the calendar.
    pub fn day_of(&self, time_ns: i64) -> Result<(i64, i64), DayError> {
        let time = Timestamp::from_nanosecond(i128::from(time_ns)).map_err(|_| DayError::Range)?;
        let mut date = time.to_zoned(self.zone.clone()).date();
        while self.start_of(date)? > time_ns {
            date = date.checked_sub(1.day()).map_err(|_| DayError::Range)?;
        }
        loop {
            let next = date.checked_add(1.day()).map_err(|_| DayError::Range)?;
            let end_ns = self.start_of(next)?;
            if end_ns > time_ns {
                return Ok((self.start_of(date)?, end_ns));
            }
            date = next;
        }
    }

    /// The longest interval whose windows make up the day `[start, end)` exactly.
    ///
    /// # Errors
    /// [`DayError::Indivisible`] where none does, as with local mean time.
    pub fn divisor(start_ns: i64, end_ns: i64) -> Result<Interval, DayError> {
        let divides = |interval: &Interval| {
            let length_ns = interval.length_ns();
            start_ns.rem_euclid(length_ns) == 0 && end_ns.rem_euclid(length_ns) == 0
        };
        Interval::ALL
            .into_iter()
            .rev()
            .find(divides)
            .ok_or_else(|| DayError::Indivisible {
                start: crate::format_time(start_ns),
            })
    }

    fn start_of(&self, date: Date) -> Result<i64, DayError> {
        let start = date
            .to_datetime(self.time)
            .to_zoned(self.zone.clone())
            .map_err(|_| DayError::Range)?
            .timestamp();
        i64::try_from(start.as_nanosecond()).map_err(|_| DayError::Range)
    }
}

#[cfg(test)]
mod tests;
