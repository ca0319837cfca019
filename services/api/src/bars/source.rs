//! Bars of the hub and the store together.

use market::{BarRow, Instrument, Interval};
use store::{BarQuery, BarReader};

use super::periods::PeriodSequence;
use super::request::ListBarsRequest;
use crate::hub::Hub;
use crate::params::END_OF_TIME_NS;
use crate::problem::Problem;

/// The bars of one instrument: for each window the newer of the hub's and the store's.
pub(super) struct LiveAndStoredBars<'a, R> {
    bars: &'a R,
    instrument: &'a Instrument,
    /// The number of partitions of `trades`.
    partitions: u32,
    /// The bars that the hub held when the source was opened.
    live_bars: Vec<BarRow>,
}

/// Which bars of a range a limit keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeepOldestOrNewest {
    Oldest,
    Newest,
}

impl<'a, R: BarReader> LiveAndStoredBars<'a, R> {
    /// Reads the hub. The store is read by the other methods, after it.
    pub(super) fn open(hub: &Hub, bars: &'a R, request: &'a ListBarsRequest) -> Self {
        let instrument = &request.instrument;
        let live_bars = match request.periods {
            PeriodSequence::Windows(interval) if !request.fill => {
                hub.held_bars(instrument, interval)
            }
            _ => Interval::ALL
                .into_iter()
                .flat_map(|interval| hub.held_bars(instrument, interval))
                .collect(),
        };
        Self {
            bars,
            instrument,
            partitions: hub.partition_count(),
            live_bars,
        }
    }

    /// Reads only the minutes of the hub. The store is read by the other methods, after it.
    pub(super) fn open_minutes_only(hub: &Hub, bars: &'a R, instrument: &'a Instrument) -> Self {
        Self {
            bars,
            instrument,
            partitions: hub.partition_count(),
            live_bars: hub.held_bars(instrument, Interval::M1),
        }
    }

    /// Returns the bars that the hub held.
    pub(super) fn live_bars(&self) -> &[BarRow] {
        &self.live_bars
    }

    /// Returns at most `limit` bars that start in `[start_ns, end_ns)`, ascending. They include
    /// windows that cancels have emptied.
    pub(super) async fn bars_between(
        &self,
        interval: Interval,
        start_ns: i64,
        end_ns: i64,
        limit: usize,
        kept: KeepOldestOrNewest,
    ) -> Result<Vec<BarRow>, Problem> {
        let query = BarQuery {
            instrument: self.instrument.clone(),
            interval,
            start_ns,
            end_ns,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            keep_newest: kept == KeepOldestOrNewest::Newest,
        };
        let mut rows = self.bars.bar_range(&query).await?;
        for live in &self.live_bars {
            let start = live.window.start_ns;
            if live.window.interval == interval && (start_ns..end_ns).contains(&start) {
                insert_live_bar_if_newer(&mut rows, live);
            }
        }
        let excess = rows.len().saturating_sub(limit);
        match kept {
            KeepOldestOrNewest::Oldest => rows.truncate(limit),
            KeepOldestOrNewest::Newest => drop(rows.drain(..excess)),
        }
        Ok(rows)
    }

    /// Returns the first minute with trades that starts at `start_ns` or later.
    pub(super) async fn first_traded_minute_at_or_after(
        &self,
        start_ns: i64,
    ) -> Result<Option<BarRow>, Problem> {
        let mut from_ns = start_ns;
        loop {
            let rows = self
                .bars_between(
                    Interval::M1,
                    from_ns,
                    END_OF_TIME_NS,
                    1,
                    KeepOldestOrNewest::Oldest,
                )
                .await?;
            match rows.into_iter().next() {
                Some(row) if has_no_trades(&row) => from_ns = row.window.end_ns(),
                found => return Ok(found),
            }
        }
    }

    /// Returns the last minute with trades that starts before `end_ns`.
    pub(super) async fn last_traded_minute_before(
        &self,
        end_ns: i64,
    ) -> Result<Option<BarRow>, Problem> {
        let mut end_ns = end_ns;
        loop {
            let rows = self
                .bars_between(Interval::M1, 0, end_ns, 1, KeepOldestOrNewest::Newest)
                .await?;
            match rows.into_iter().next() {
                Some(row) if has_no_trades(&row) => end_ns = row.window.start_ns,
                found => return Ok(found),
            }
        }
    }

    /// Returns the time up to which windows and days are closed, as far as the store knows: also
    /// those without trades, as time passes in the log.
    pub(super) async fn closed_until_ns(&self) -> Result<i64, Problem> {
        // Read before the symbol: a trade that is folded between the two reads then closes too few
        // windows, and not too many.
        let key = self.instrument.key().as_bytes();
        let partition = schemas::partition_of(key, self.partitions);
        let progress = self.bars.partition_progress(partition).await?;
        let venue = self.instrument.to_venue();
        let settings = self
            .bars
            .venue_settings_in_partition(&venue, partition)
            .await?;
        let Some(symbol) = self.bars.symbol(self.instrument).await? else {
            return Ok(i64::MIN);
        };
        Ok(match (settings, progress) {
            (Some(row), Some(progress)) => {
                symbol.closed_until_ns_at(&row.settings, progress.append_time_ns)
            }
            _ => symbol.closed_until_ns,
        })
    }
}

/// Returns whether cancels have emptied the window. Its row is kept and never shown.
pub(super) const fn has_no_trades(row: &BarRow) -> bool {
    row.bar.trades == 0
}

/// Returns the latest end among closed bars: every window before it is closed too.
pub(super) fn latest_closed_end_ns(rows: &[BarRow]) -> i64 {
    let ends = rows
        .iter()
        .filter(|row| row.closed)
        .map(|row| row.window.end_ns());
    ends.max().unwrap_or(i64::MIN)
}

/// Puts a live bar among the stored ones, unless the stored bar of its window is as new.
fn insert_live_bar_if_newer(rows: &mut Vec<BarRow>, live: &BarRow) {
    match rows.binary_search_by_key(&live.window.start_ns, |row| row.window.start_ns) {
        Ok(index) if live.through > rows[index].through => rows[index] = live.clone(),
        Ok(_) => {}
        Err(index) => rows.insert(index, live.clone()),
    }
}

#[cfg(test)]
mod tests;
