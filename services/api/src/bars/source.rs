//! Bars as the hub and the store know them together.

use market::{BarRow, Instrument, Interval};
use store::{BarQuery, BarReader};

use super::{BarRequest, Periods};
use crate::params::END_OF_TIME_NS;
use crate::{Hub, Problem};

/// Bars of one instrument: of each window the newer of the hub's and the store's.
pub(super) struct BarSource<'a, B> {
    bars: &'a B,
    instrument: &'a Instrument,
    /// What the hub knew when the source was opened.
    live: Vec<BarRow>,
}

/// Which end of a range a limit keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Oldest,
    Newest,
}

impl<'a, B: BarReader> BarSource<'a, B> {
    /// Reads the hub; the store is read from now on.
    pub(super) fn open(hub: &Hub, bars: &'a B, request: &'a BarRequest) -> Self {
        let instrument = &request.instrument;
        let live = match request.periods {
            Periods::Windows(interval) if !request.fill => hub.rows(instrument, interval),
            _ => Interval::ALL
                .into_iter()
                .flat_map(|interval| hub.rows(instrument, interval))
                .collect(),
        };
        Self {
            bars,
            instrument,
            live,
        }
    }

    /// The same of minutes alone.
    pub(super) fn minutes(hub: &Hub, bars: &'a B, instrument: &'a Instrument) -> Self {
        Self {
            bars,
            instrument,
            live: hub.rows(instrument, Interval::M1),
        }
    }

    /// What the hub knew.
    pub(super) fn live(&self) -> &[BarRow] {
        &self.live
    }

    /// The bars that start in `[start_ns, end_ns)`, at most `limit`, ascending; those of
    /// windows that cancels have emptied among them.
    pub(super) async fn range(
        &self,
        interval: Interval,
        start_ns: i64,
        end_ns: i64,
        limit: usize,
        keep: Keep,
    ) -> Result<Vec<BarRow>, Problem> {
        let query = BarQuery {
            instrument: self.instrument.clone(),
            interval,
            start_ns,
            end_ns,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            keep_newest: keep == Keep::Newest,
        };
        let mut rows = self.bars.bar_range(&query).await?;
        for live in &self.live {
            let start = live.window.start_ns;
            if live.window.interval == interval && (start_ns..end_ns).contains(&start) {
                overlay(&mut rows, live);
            }
        }
        let excess = rows.len().saturating_sub(limit);
        match keep {
            Keep::Oldest => rows.truncate(limit),
            Keep::Newest => drop(rows.drain(..excess)),
        }
        Ok(rows)
    }

    /// The minute of the first trade at or after the minute at `start_ns`.
    pub(super) async fn first_from(&self, start_ns: i64) -> Result<Option<BarRow>, Problem> {
        let mut from_ns = start_ns;
        loop {
            let rows = self
                .range(Interval::M1, from_ns, END_OF_TIME_NS, 1, Keep::Oldest)
                .await?;
            match rows.into_iter().next() {
                Some(row) if is_empty(&row) => from_ns = row.window.end_ns(),
                found => return Ok(found),
            }
        }
    }

    /// The minute of the last trade in the minutes that start before `end_ns`.
    pub(super) async fn last_before(&self, end_ns: i64) -> Result<Option<BarRow>, Problem> {
        let mut end_ns = end_ns;
        loop {
            let rows = self.range(Interval::M1, 0, end_ns, 1, Keep::Newest).await?;
            match rows.into_iter().next() {
                Some(row) if is_empty(&row) => end_ns = row.window.start_ns,
                found => return Ok(found),
            }
        }
    }

    /// Windows and days that end at or before this are closed, as far as the store knows.
    pub(super) async fn closed_until(&self) -> Result<i64, Problem> {
        let symbol = self.bars.symbol(self.instrument).await?;
        Ok(symbol.map_or(i64::MIN, |symbol| symbol.closed_until_ns))
    }
}

/// Whether cancels have emptied the window: its row is kept and never shown.
pub(super) const fn is_empty(row: &BarRow) -> bool {
    row.bar.trades == 0
}

/// The latest end among closed bars: everything before it is closed too.
pub(super) fn closed_by(rows: &[BarRow]) -> i64 {
    let ends = rows
        .iter()
        .filter(|row| row.closed)
        .map(|row| row.window.end_ns());
    ends.max().unwrap_or(i64::MIN)
}

/// Puts a live row in its place, unless the one that is there is as new.
fn overlay(rows: &mut Vec<BarRow>, live: &BarRow) {
    match rows.binary_search_by_key(&live.window.start_ns, |row| row.window.start_ns) {
        Ok(place) if live.through > rows[place].through => rows[place] = live.clone(),
        Ok(_) => {}
        Err(place) => rows.insert(place, live.clone()),
    }
}

#[cfg(test)]
mod tests;
