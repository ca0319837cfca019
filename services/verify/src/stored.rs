//! The stored bars of one instrument, day by day.

use std::collections::VecDeque;

use market::{BarRow, Instrument, Interval};
use store::{BarQuery, BarReader, StoreError};

use super::ticks::day_of;

/// How many bars are read at once.
const BARS: u32 = 2_000;

/// The stored bars of one day, by interval, each ascending by start.
pub(super) type DayBars = [Vec<BarRow>; Interval::ALL.len()];

/// The stored bars of one instrument, read a bit ahead.
pub(super) struct StoredBars<'a, R> {
    bars: &'a R,
    instrument: &'a Instrument,
    end_ns: i64,
    intervals: [Reading; Interval::ALL.len()],
}

/// How far one interval was read.
struct Reading {
    interval: Interval,
    read: VecDeque<BarRow>,
    /// Where the next read begins; none at the end.
    next_start_ns: Option<i64>,
}

impl<'a, R: BarReader> StoredBars<'a, R> {
    /// The bars that start in `[start, end)`, which are whole days.
    pub(super) fn new(
        bars: &'a R,
        instrument: &'a Instrument,
        (start_ns, end_ns): (i64, i64),
    ) -> Self {
        Self {
            bars,
            instrument,
            end_ns,
            intervals: Interval::ALL.map(|interval| Reading {
                interval,
                read: VecDeque::new(),
                next_start_ns: Some(start_ns),
            }),
        }
    }

    /// The first day that holds a bar which was not taken, by its first nanosecond.
    pub(super) async fn next_day(&mut self) -> Result<Option<i64>, StoreError> {
        let mut first = None;
        for place in 0..self.intervals.len() {
            let day_ns = self
                .head(place)
                .await?
                .map(|row| day_of(row.window.start_ns));
            first = first.into_iter().chain(day_ns).min();
        }
        Ok(first)
    }

    /// Takes the bars of a day, before which no bar was left.
    pub(super) async fn take_day(&mut self, day_ns: i64) -> Result<DayBars, StoreError> {
        let mut bars = DayBars::default();
        for (place, bars) in bars.iter_mut().enumerate() {
            while let Some(row) = self.head(place).await?
                && day_of(row.window.start_ns) == day_ns
            {
                bars.extend(self.intervals[place].read.pop_front());
            }
        }
        Ok(bars)
    }

    /// The next bar of an interval.
    async fn head(&mut self, place: usize) -> Result<Option<&BarRow>, StoreError> {
        let reading = &mut self.intervals[place];
        if reading.read.is_empty()
            && let Some(start_ns) = reading.next_start_ns
        {
            let query = BarQuery {
                instrument: self.instrument.clone(),
                interval: reading.interval,
                start_ns,
                end_ns: self.end_ns,
                limit: BARS,
                keep_newest: false,
            };
            reading.read = self.bars.bar_range(&query).await?.into();
            let is_full = reading.read.len() == BARS as usize;
            let last = reading.read.back().filter(|_| is_full);
            reading.next_start_ns = last.map(|row| row.window.start_ns + 1);
        }
        Ok(reading.read.front())
    }
}
