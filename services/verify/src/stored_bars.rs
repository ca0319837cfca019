//! Reads the stored bars of one instrument, day by day.

use std::collections::VecDeque;

use market::{BarRow, Instrument, Interval};
use store::{BarQuery, BarReader, StoreError};

use crate::tick_slices::day_start_ns;

/// The number of bars that are read at once.
const BAR_PAGE: u32 = 2_000;

/// The stored bars of one day, by interval, each ascending by start.
pub(crate) type DayBars = [Vec<BarRow>; Interval::ALL.len()];

/// Reads the stored bars of one instrument, a page of each interval at once.
pub(crate) struct StoredBarsReader<'a, R> {
    bars: &'a R,
    instrument: &'a Instrument,
    end_ns: i64,
    intervals: [IntervalReadState; Interval::ALL.len()],
}

/// How far the bars of one interval were read.
struct IntervalReadState {
    interval: Interval,
    /// Bars that were read and not taken yet.
    rows: VecDeque<BarRow>,
    /// Where the next page begins; `None` after the last page.
    next_start_ns: Option<i64>,
}

impl<'a, R: BarReader> StoredBarsReader<'a, R> {
    /// Creates a reader of the bars that start in `[start_ns, end_ns)`, which are whole days.
    pub(crate) fn new(
        bars: &'a R,
        instrument: &'a Instrument,
        (start_ns, end_ns): (i64, i64),
    ) -> Self {
        Self {
            bars,
            instrument,
            end_ns,
            intervals: Interval::ALL.map(|interval| IntervalReadState {
                interval,
                rows: VecDeque::new(),
                next_start_ns: Some(start_ns),
            }),
        }
    }

    /// Returns the start of the first day that holds a bar which was not taken.
    pub(crate) async fn peek_day_start(&mut self) -> Result<Option<i64>, StoreError> {
        let mut first = None;
        for index in 0..self.intervals.len() {
            let day_ns = self
                .peek_bar(index)
                .await?
                .map(|row| day_start_ns(row.window.start_ns));
            first = first.into_iter().chain(day_ns).min();
        }
        Ok(first)
    }

    /// Removes and returns the bars of a day. All bars of earlier days must have been taken.
    pub(crate) async fn take_day_bars(&mut self, day_ns: i64) -> Result<DayBars, StoreError> {
        let mut bars = DayBars::default();
        for (index, bars) in bars.iter_mut().enumerate() {
            while let Some(row) = self.peek_bar(index).await?
                && day_start_ns(row.window.start_ns) == day_ns
            {
                bars.extend(self.intervals[index].rows.pop_front());
            }
        }
        Ok(bars)
    }

    /// Returns the next bar of the interval with this index, without removing it.
    async fn peek_bar(&mut self, interval_index: usize) -> Result<Option<&BarRow>, StoreError> {
        let reader = &mut self.intervals[interval_index];
        if reader.rows.is_empty()
            && let Some(start_ns) = reader.next_start_ns
        {
            let query = BarQuery {
                instrument: self.instrument.clone(),
                interval: reader.interval,
                start_ns,
                end_ns: self.end_ns,
                limit: BAR_PAGE,
                keep_newest: false,
            };
            reader.rows = self.bars.bar_range(&query).await?.into();
            let is_full = reader.rows.len() == BAR_PAGE as usize;
            let last = reader.rows.back().filter(|_| is_full);
            reader.next_start_ns = last.map(|row| row.window.start_ns + 1);
        }
        Ok(reader.rows.front())
    }
}
