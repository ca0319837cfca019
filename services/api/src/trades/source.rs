//! Trades by time, as `trades_current` says which ticks are some.

use market::{Instrument, Position, VenueSettings};
use store::{BarReader, ExcludedRange, StoreError, Tick, TickStore};

use store::trades_current;

/// The trades of one instrument as of one moment of the fold.
pub(super) struct TradeSource<'a, B, T> {
    bars: &'a B,
    ticks: &'a T,
    instrument: Instrument,
    partition: u32,
    settings: VenueSettings,
    /// The first position that is not folded yet.
    next: Position,
}

impl<'a, B: BarReader, T: TickStore> TradeSource<'a, B, T> {
    /// Notes how far the fold is: ticks from there on are not admitted yet.
    pub(super) async fn open(
        bars: &'a B,
        ticks: &'a T,
        instrument: Instrument,
        partition: u32,
        settings: VenueSettings,
    ) -> Result<Self, StoreError> {
        let progress = bars.partition_progress(partition).await?;
        let next = progress.map_or_else(Position::default, |row| row.position());
        Ok(Self {
            bars,
            ticks,
            instrument,
            partition,
            settings,
            next,
        })
    }

    /// The hours within `[start_ns, end_ns)` that hold ticks, with how many at most.
    pub(super) async fn hours(
        &self,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        self.ticks.hours(&self.instrument, start_ns, end_ns).await
    }

    /// The trades of the times `[start_ns, end_ns)`, in order.
    pub(super) async fn slice(&self, start_ns: i64, end_ns: i64) -> Result<Vec<Tick>, StoreError> {
        let ticks = self.ticks.read(&self.instrument, start_ns, end_ns).await?;
        let rejected = self.rejected(&ticks).await?;
        Ok(trades_current(ticks, &rejected, self.next, &self.settings))
    }

    /// The rejected ranges around some ticks, which are in order of their positions.
    async fn rejected(&self, ticks: &[Tick]) -> Result<Vec<ExcludedRange>, StoreError> {
        let mut ranges = Vec::new();
        let same_epoch = |left: &Tick, right: &Tick| left.position.epoch == right.position.epoch;
        for run in ticks.chunk_by(same_epoch) {
            let (first, last) = (run[0].position, run[run.len() - 1].position);
            let found = self
                .bars
                .rejected(self.partition, first.epoch, first.offset, last.offset + 1)
                .await?;
            ranges.extend(found);
        }
        Ok(ranges)
    }
}
