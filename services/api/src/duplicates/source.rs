//! Reading the later deliveries of trades from ticks and excluded ranges.

use market::{Instrument, Position, VenueSettings};
use store::{
    BarReader, DuplicateTick, FirstDeliveryFinder, PartitionProgress, StoreError, Tick, TickStore,
    TickVerdict, find_verdict, load_excluded_ranges,
};

/// How many offsets are asked for at once when the next duplicate of a partition is looked for.
const OFFSETS_PER_READ: u64 = 1 << 20;

/// The duplicates of one instrument, up to the position that fold and archive had both reached.
pub(super) struct DuplicatePageSource<'a, R, T> {
    finder: FirstDeliveryFinder<'a, R, T>,
}

/// The ticks of a range of event times.
pub(super) struct TicksOfTimeRange {
    /// The number of all ticks that were read.
    pub(super) count: usize,
    /// Those that the fold has excluded as duplicates, in order of their event times, then of
    /// their positions.
    pub(super) later: Vec<Tick>,
    /// Those that count, amendments aside.
    counted: Vec<Tick>,
}

impl<'a, R: BarReader, T: TickStore> DuplicatePageSource<'a, R, T> {
    /// Loads the positions of fold and archive. Ticks at or after the lower one are not listed:
    /// either no verdict on them or not all of them are stored.
    pub(super) async fn open(
        bars: &'a R,
        ticks: &'a T,
        instrument: &'a Instrument,
        partition: u32,
        settings: VenueSettings,
    ) -> Result<Self, StoreError> {
        let progress = bars.all_partition_progress().await?;
        let folded = PartitionProgress::find_in(&progress, partition)
            .map_or_else(Position::default, PartitionProgress::next_position);
        let archived = ticks
            .next_archive_position(partition)
            .await?
            .unwrap_or_default();
        Ok(Self {
            finder: FirstDeliveryFinder {
                bars,
                ticks,
                instrument,
                partition,
                settings,
                next: folded.min(archived),
            },
        })
    }

    /// Returns the position before which every record is folded and archived.
    pub(super) const fn complete_to(&self) -> Position {
        self.finder.next
    }

    /// Returns the hours in `[start_ns, end_ns)` that hold ticks, each with the greatest number of
    /// ticks that it may hold.
    pub(super) async fn hours_with_tick_count_upper_bounds(
        &self,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        let FirstDeliveryFinder {
            ticks, instrument, ..
        } = self.finder;
        ticks
            .hours_with_tick_count_upper_bounds(instrument, start_ns, end_ns)
            .await
    }

    /// Returns whether the partition holds a duplicate, of any of its symbols, at or after a
    /// position. Reads no ticks.
    pub(super) async fn partition_has_duplicate_since(
        &self,
        since: Position,
    ) -> Result<bool, StoreError> {
        let FirstDeliveryFinder {
            bars,
            partition,
            next,
            ..
        } = self.finder;
        if since.epoch != next.epoch {
            // A range of another epoch has no known end.
            return Ok(since < next);
        }
        let mut first = since.offset;
        while first < next.offset {
            let end = first.saturating_add(OFFSETS_PER_READ).min(next.offset);
            let ranges = bars.excluded_ranges(partition, next.epoch, first, end);
            let mut ranges = ranges.await?.into_iter();
            if ranges.any(|range| range.verdict == TickVerdict::Duplicate) {
                return Ok(true);
            }
            first = end;
        }
        Ok(false)
    }

    /// Returns the ticks whose event times are in `[start_ns, end_ns)`.
    pub(super) async fn ticks_between(
        &self,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<TicksOfTimeRange, StoreError> {
        let FirstDeliveryFinder {
            bars,
            ticks,
            instrument,
            partition,
            next,
            ..
        } = self.finder;
        let read = ticks.read(instrument, start_ns, end_ns).await?;
        let excluded = load_excluded_ranges(bars, partition, &read).await?;
        let count = read.len();
        let (mut later, mut counted) = (Vec::new(), Vec::new());
        for tick in read {
            if tick.position >= next || tick.amendment.is_some() {
                continue;
            }
            match find_verdict(tick.position, &excluded) {
                None => counted.push(tick),
                Some(TickVerdict::Duplicate) => later.push(tick),
                Some(TickVerdict::Rejected(_) | TickVerdict::BeyondEpochEnd) => {}
            }
        }
        later.sort_by_key(|tick| (tick.trade.time_ns, tick.position));
        Ok(TicksOfTimeRange {
            count,
            later,
            counted,
        })
    }

    /// Returns some later deliveries of `read` with their first deliveries.
    pub(super) async fn with_first_deliveries(
        &self,
        later: &[Tick],
        read: &TicksOfTimeRange,
    ) -> Result<Vec<DuplicateTick>, StoreError> {
        self.finder.find(later.to_vec(), &read.counted).await
    }
}
