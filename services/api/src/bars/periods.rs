//! The periods of bars: windows of an interval, or days in a zone.

use market::{DayError, DayStart, Interval};

/// The period `[start_ns, end_ns)` of one bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
}

/// A sequence of periods without gaps between them.
pub(super) enum PeriodSequence {
    /// Windows of an interval.
    Windows(Interval),
    /// Days that begin at a time of day in a zone.
    Days(DayStart),
}

impl PeriodSequence {
    /// Returns the period that contains `time_ns`.
    pub(super) fn period_containing(&self, time_ns: i64) -> Result<Period, DayError> {
        let (start_ns, end_ns) = match self {
            Self::Windows(interval) => {
                let window = interval.window_containing(time_ns);
                (window.start_ns, window.end_ns())
            }
            Self::Days(days) => days.day_containing(time_ns)?,
        };
        Ok(Period { start_ns, end_ns })
    }

    /// Returns the first period that starts at or after `time_ns`.
    pub(super) fn first_starting_at_or_after(&self, time_ns: i64) -> Result<Period, DayError> {
        let period = self.period_containing(time_ns)?;
        match period.start_ns == time_ns {
            true => Ok(period),
            false => self.period_containing(period.end_ns),
        }
    }

    /// Returns `first` and the periods after it that start before `end_ns`, at most `limit`.
    pub(super) fn forward_from(
        &self,
        first: Period,
        end_ns: i64,
        limit: usize,
    ) -> Result<Vec<Period>, DayError> {
        let mut periods = Vec::new();
        let mut next = first;
        while periods.len() < limit && next.start_ns < end_ns {
            periods.push(next);
            next = self.period_containing(next.end_ns)?;
        }
        Ok(periods)
    }

    /// Returns at most `limit` periods up to `last`, ascending, without those that end before
    /// 1970.
    pub(super) fn last_periods_up_to(
        &self,
        last: Period,
        limit: usize,
    ) -> Result<Vec<Period>, DayError> {
        let mut periods = Vec::new();
        let mut next = last;
        while periods.len() < limit && next.end_ns > 0 {
            periods.push(next);
            next = self.period_containing(next.start_ns - 1)?;
        }
        periods.reverse();
        Ok(periods)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::params::END_OF_TIME_NS;

    proptest! {
        #[test]
        fn periods_follow_one_another(time_ns in 0..END_OF_TIME_NS, case in 0_usize..3) {
            let periods = match case {
                0 => PeriodSequence::Windows(Interval::H4),
                1 => PeriodSequence::Days(DayStart::new("22:00", "America/New_York").unwrap()),
                _ => PeriodSequence::Days(DayStart::new("02:30", "Australia/Lord_Howe").unwrap()),
            };
            let period = periods.period_containing(time_ns).unwrap();
            prop_assert!(period.start_ns <= time_ns && time_ns < period.end_ns);
            let following = periods.forward_from(period, END_OF_TIME_NS, 5).unwrap();
            prop_assert!(following.windows(2).all(|pair| pair[0].end_ns == pair[1].start_ns));
            let last = *following.last().unwrap();
            prop_assert_eq!(periods.last_periods_up_to(last, following.len()).unwrap(), following);
            prop_assert!(periods.first_starting_at_or_after(time_ns).unwrap().start_ns >= time_ns);
        }
    }
}
