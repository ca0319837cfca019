//! Days that begin at any quarter hour of any time zone.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::Interval;

/// When days begin: a local time in a time zone.
#[derive(Debug, Clone)]
pub struct DayStart {
    time: Time,
    zone: TimeZone,
}

/// Why days cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DayError {
    /// The start is not a quarter hour.
    #[error("{text:?} is not a day start; HH:MM on a quarter hour is expected, such as 22:00")]
    InvalidStart {
        /// The text that was given.
        text: String,
    },
    /// The zone is not in the time zone database.
    #[error("{text:?} is not a time zone; an IANA name such as America/New_York is expected")]
    UnknownZone {
        /// The text that was given.
        text: String,
    },
    /// The zone's offset from UTC was not a whole number of minutes at that time, as in the days of
    /// local mean time.
    #[error(
        "the day that begins at {start} is not divided by any interval: the zone's offset was not a whole number of minutes then"
    )]
    Indivisible {
        /// The start of the day, in RFC 3339.
        start: String,
    },
    /// The time is outside the range of 64-bit nanoseconds.
    #[error("the time lies outside the years 1970 to 2262")]
    OutOfRange,
}

impl DayStart {
    /// Parses the local start of days, `start` (`HH:MM`, on a quarter hour), and its `zone` (an
    /// IANA name).
    ///
    /// # Errors
    /// [`DayError::InvalidStart`] or [`DayError::UnknownZone`].
    pub fn new(start: &str, zone: &str) -> Result<Self, DayError> {
        let invalid_start = || DayError::InvalidStart {
            text: start.chars().take(16).collect(),
        };
        let unknown_zone = || DayError::UnknownZone {
            text: zone.chars().take(64).collect(),
        };
        let (hour, minute) = start.split_once(':').ok_or_else(invalid_start)?;
        let parse_two_digits = |part: &str| {
            (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| part.parse::<i8>().ok())
                .flatten()
                .ok_or_else(invalid_start)
        };
        let time = Time::new(parse_two_digits(hour)?, parse_two_digits(minute)?, 0, 0);
        let time = time.map_err(|_| invalid_start())?;
        if time.minute() % 15 != 0 {
            return Err(invalid_start());
        }
        let zone = TimeZone::get(zone).map_err(|_| unknown_zone())?;
        Ok(Self { time, zone })
    }

    /// Returns the day `[start, end)` that contains a time, both in UTC nanoseconds.
    ///
    /// If clocks are set forward over the local start of a day, the day begins later by the length
    /// of that gap. If the local start occurs twice, the day begins at the first.
    ///
    /// # Errors
    /// [`DayError::OutOfRange`] at the ends of the calendar.
    pub fn day_containing(&self, time_ns: i64) -> Result<(i64, i64), DayError> {
        let time =
            Timestamp::from_nanosecond(i128::from(time_ns)).map_err(|_| DayError::OutOfRange)?;
        let mut date = time.to_zoned(self.zone.clone()).date();
        while self.start_of_date_ns(date)? > time_ns {
            date = date
                .checked_sub(1.day())
                .map_err(|_| DayError::OutOfRange)?;
        }
        loop {
            let next = date
                .checked_add(1.day())
                .map_err(|_| DayError::OutOfRange)?;
            let end_ns = self.start_of_date_ns(next)?;
            if end_ns > time_ns {
                return Ok((self.start_of_date_ns(date)?, end_ns));
            }
            date = next;
        }
    }

    /// Returns the longest interval whose windows make up the day `[start, end)` exactly.
    ///
    /// # Errors
    /// [`DayError::Indivisible`] if no interval does, as in the days of local mean time.
    pub fn longest_dividing_interval(start_ns: i64, end_ns: i64) -> Result<Interval, DayError> {
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

    /// Returns when the day of a local date begins, in UTC nanoseconds.
    fn start_of_date_ns(&self, date: Date) -> Result<i64, DayError> {
        let start = date
            .to_datetime(self.time)
            .to_zoned(self.zone.clone())
            .map_err(|_| DayError::OutOfRange)?
            .timestamp();
        i64::try_from(start.as_nanosecond()).map_err(|_| DayError::OutOfRange)
    }
}

#[cfg(test)]
mod tests;
