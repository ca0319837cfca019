//! The store of ticks: all trades, edits and cancels of the log, unchanged.

use std::future::Future;

use bytes::Bytes;
use market::{Amendment, HOUR_NS, Instrument, Position, Trade};

use crate::error::StoreError;
use crate::tick_lookup::{FirstMatchingTicks, TickLookup};

/// A record of `trades` to archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickRecord {
    /// The offset.
    pub offset: u64,
    /// The append time, in UTC nanoseconds.
    pub append_time_ns: i64,
    /// When it happened, in UTC nanoseconds.
    pub time_ns: i64,
    /// The bytes of the record.
    pub value: Bytes,
}

/// Ticks of one instrument and one event-time hour, from one partition, in order of offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickBlock {
    /// The instrument.
    pub instrument: Instrument,
    /// The hour's first nanosecond.
    pub hour_ns: i64,
    /// The partition of `trades`.
    pub partition: u32,
    /// The generation of `trades`.
    pub epoch: u64,
    /// The ticks, at least one.
    pub ticks: Vec<TickRecord>,
}

/// How far a partition has been archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveProgress {
    /// The position of the first record that is not archived yet.
    pub next_position: Position,
    /// The greatest append time of the records before that position, in UTC nanoseconds; 0 before
    /// the first. The records that follow are treated as no older, even if their broker's clock is
    /// behind.
    pub append_time_ns: i64,
}

/// A tick that was read from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// The trade; for an edit or a cancel the amended trade, as described at [`Amendment`].
    pub trade: Trade,
    /// The amendment, if the tick is an edit or a cancel.
    pub amendment: Option<Amendment>,
    /// Its position in the log.
    pub position: Position,
    /// The append time, in UTC nanoseconds.
    pub append_time_ns: i64,
}

/// The store of ticks. A handle is cheap to clone.
///
/// A row is keyed by (venue, symbol, hour, epoch, partition, offset). Blocks that overlap, as after
/// a crash between [`TickStore::insert`] and [`TickStore::advance_archive_progress`], are read as
/// if each row had been written once.
///
/// Edits and cancels have a table of their own, where they are kept longer than any trade that they
/// may change ([`market::AMENDMENT_RETENTION_NS`]): otherwise a cancelled trade would come back.
pub trait TickStore: Clone + Send + Sync + 'static {
    /// Returns how far a partition has been archived, or `None` if nothing of it is archived.
    fn archive_progress(
        &self,
        partition: u32,
    ) -> impl Future<Output = Result<Option<ArchiveProgress>, StoreError>> + Send;

    /// Returns the position of the first record of a partition that is not archived, or `None` if
    /// nothing of it is archived.
    fn next_archive_position(
        &self,
        partition: u32,
    ) -> impl Future<Output = Result<Option<Position>, StoreError>> + Send {
        async move {
            let progress = self.archive_progress(partition).await?;
            Ok(progress.map(|progress| progress.next_position))
        }
    }

    /// Writes blocks of one partition. After an error or a crash some of their rows may be written:
    /// the edits and cancels before the trades, so that no trade is ever without the amendments
    /// that are in the same blocks.
    fn insert(&self, blocks: &[TickBlock]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Stores that everything before a position is archived. A lower position or append time than
    /// the stored one does not replace it.
    fn advance_archive_progress(
        &self,
        partition: u32,
        progress: ArchiveProgress,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the ticks of an instrument whose event time is in `[start_ns, end_ns)`, each once,
    /// in order of their positions.
    fn read(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> impl Future<Output = Result<Vec<Tick>, StoreError>> + Send;

    /// Returns for each trade that `lookup` holds the delivery with the least position, among the
    /// ticks that [`TickStore::read`] returns and from the position on that the lookup names; in
    /// order of their positions. Edits and cancels deliver no trade. However often the trades were
    /// delivered, the process holds about as many ticks as the lookup has trades.
    fn read_first_matching(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
        lookup: &TickLookup,
    ) -> impl Future<Output = Result<Vec<Tick>, StoreError>> + Send {
        async move {
            let hours = self.hours_with_tick_count_upper_bounds(instrument, start_ns, end_ns);
            let mut firsts = FirstMatchingTicks::new(lookup);
            for (hour_ns, _) in hours.await? {
                let hour_end_ns = hour_ns.saturating_add(HOUR_NS);
                let (from_ns, to_ns) = (hour_ns.max(start_ns), hour_end_ns.min(end_ns));
                for tick in self.read(instrument, from_ns, to_ns).await? {
                    firsts.keep_if_first(0, tick);
                }
            }
            Ok(firsts.into_ticks())
        }
    }

    /// Returns the first nanoseconds of the hours that have ticks of an instrument in
    /// `[start_ns, end_ns)`, ascending. Each comes with an upper bound of its number of rows.
    fn hours_with_tick_count_upper_bounds(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> impl Future<Output = Result<Vec<(i64, u64)>, StoreError>> + Send;

    /// Waits until everything that was written so far survives a loss of power.
    fn sync(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes trades appended before `trades_before_ns`, and edits and cancels appended before
    /// `amendments_before_ns`, in whole blocks by the newest of each: a limited number per call.
    /// Returns the number of deleted blocks.
    fn delete_expired_block_batch(
        &self,
        trades_before_ns: i64,
        amendments_before_ns: i64,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// Returns ticks in order of their positions, without those that overlapping blocks repeat. Each
/// tick comes with its partition.
pub(crate) fn sort_and_dedup(mut ticks: Vec<(u32, Tick)>) -> Vec<Tick> {
    ticks.sort_by_key(|(partition, tick)| (tick.position, *partition));
    ticks.dedup_by_key(|(partition, tick)| (tick.position, *partition));
    ticks.into_iter().map(|(_, tick)| tick).collect()
}

/// Returns the first nanosecond of the hour that contains a time.
pub(crate) const fn hour_start_ns(time_ns: i64) -> i64 {
    time_ns.saturating_sub(time_ns.rem_euclid(HOUR_NS))
}
