//! Trades by time: the ticks that `trades_current` counts as trades.

use market::{Instrument, Position, TieOrder, VenueSettings};
use store::{BarReader, StoreError, Tick, TickStore, load_excluded_ranges, trades_current};

/// The trades of one instrument up to a fixed position of the fold.
pub(super) struct FoldedTradeReader<'a, R, T> {
    bars: &'a R,
    ticks: &'a T,
    instrument: Instrument,
    partition: u32,
    settings: VenueSettings,
    /// The first position that was not folded yet.
    next_position: Position,
}

impl<'a, R: BarReader, T: TickStore> FoldedTradeReader<'a, R, T> {
    /// Loads the fold's position. Ticks at or after that position are not trades yet.
    pub(super) async fn open(
        bars: &'a R,
        ticks: &'a T,
        instrument: Instrument,
        partition: u32,
        settings: VenueSettings,
    ) -> Result<Self, StoreError> {
        let progress = bars.all_partition_progress().await?;
        let progress = progress.iter().find(|row| row.partition == partition);
        let next_position = progress.map_or_else(Position::default, |row| Position {
            epoch: row.epoch,
            offset: row.next_offset,
        });
        Ok(Self {
            bars,
            ticks,
            instrument,
            partition,
            settings,
            next_position,
        })
    }

    /// Returns the order of trades of equal event time.
    pub(super) const fn ties(&self) -> TieOrder {
        self.settings.ties
    }

    /// Returns the hours in `[start_ns, end_ns)` that hold ticks, each with the greatest number of
    /// ticks that it may hold.
    pub(super) async fn hours_with_tick_count_upper_bounds(
        &self,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        self.ticks
            .hours_with_tick_count_upper_bounds(&self.instrument, start_ns, end_ns)
            .await
    }

    /// Returns the trades in `[start_ns, end_ns)`, in order.
    pub(super) async fn trades_between(
        &self,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<Tick>, StoreError> {
        let ticks = self.ticks.read(&self.instrument, start_ns, end_ns).await?;
        let excluded = load_excluded_ranges(self.bars, self.partition, &ticks).await?;
        Ok(trades_current(
            ticks,
            &excluded,
            self.next_position,
            &self.settings,
        ))
    }
}
