//! The windows or days that bars are of.

use market::{DayError, DayStart, Interval};

/// The times `[start_ns, end_ns)` of one bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
}

/// What bars are asked for: one period after the other, without gaps.
pub(super) enum Periods {
    /// Windows of an interval.
    Windows(Interval),
    /// Days that begin where a zone says.
    Days(DayStart),
}

impl Periods {
    /// The period that holds a time.
    pub(super) fn holding(&self, time_ns: i64) -> Result<Period, DayError> {
        let (start_ns, end_ns) = match self {
            Self::Windows(interval) => {
                let window = interval.window_containing(time_ns);
                (window.start_ns, window.end_ns())
            }
            Self::Days(days) => days.day_containing(time_ns)?,
        };
        Ok(Period { start_ns, end_ns })
    }

    /// The first period that starts at a time or later.
    pub(super) fn at_or_after(&self, time_ns: i64) -> Result<Period, DayError> {
        let period = self.holding(time_ns)?;
        match period.start_ns == time_ns {
            true => Ok(period),
            false => self.holding(period.end_ns),
        }
    }

    /// At most `limit` periods from `first` on that start before `end_ns`.
    pub(super) fn from(
        &self,
        first: Period,
        end_ns: i64,
        limit: usize,
    ) -> Result<Vec<Period>, DayError> {
        let mut periods = Vec::new();
        let mut next = first;
        while periods.len() < limit && next.start_ns < end_ns {
            periods.push(next);
            next = self.holding(next.end_ns)?;
        }
        Ok(periods)
    }

    /// At most `limit` periods up to `last`, ascending; none that ends before 1970.
    pub(super) fn up_to(&self, last: Period, limit: usize) -> Result<Vec<Period>, DayError> {
        let mut periods = Vec::new();
        let mut next = last;
        while periods.len() < limit && next.end_ns > 0 {
            periods.push(next);
            next = self.holding(next.start_ns - 1)?;
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
        fn periods_follow_one_another(time_ns in 0..END_OF_TIME_NS, place in 0_usize..3) {
            let periods = match place {
                0 => Periods::Windows(Interval::H4),
                1 => Periods::Days(DayStart::new("22:00", "America/New_York").unwrap()),
                _ => Periods::Days(DayStart::new("02:30", "Australia/Lord_Howe").unwrap()),
            };
            let holding = periods.holding(time_ns).unwrap();
            prop_assert!(holding.start_ns <= time_ns && time_ns < holding.end_ns);
            let onwards = periods.from(holding, END_OF_TIME_NS, 5).unwrap();
            prop_assert!(onwards.windows(2).all(|pair| pair[0].end_ns == pair[1].start_ns));
            let last = *onwards.last().unwrap();
            prop_assert_eq!(periods.up_to(last, onwards.len()).unwrap(), onwards);
            prop_assert!(periods.at_or_after(time_ns).unwrap().start_ns >= time_ns);
        }
    }
}
