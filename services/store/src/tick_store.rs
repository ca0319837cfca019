//! The store of ticks: every trade, edit and cancel of the log, as the log holds it.

use std::future::Future;

use bytes::Bytes;
use market::{Amendment, HOUR_NS, Instrument, Position, Trade};

use crate::StoreError;

/// A record of `trades` as it is archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickRecord {
    /// Its offset.
    pub offset: u64,
    /// When the log took it, in UTC nanoseconds.
    pub append_time_ns: i64,
    /// When it happened, in UTC nanoseconds.
    pub time_ns: i64,
    /// The bytes of the record.
    pub value: Bytes,
}

/// Ticks of one instrument and one event-time hour, from one partition, in order of offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickBlock {
    /// Which instrument.
    pub instrument: Instrument,
    /// The hour's first nanosecond.
    pub hour_ns: i64,
    /// From which partition.
    pub partition: u32,
    /// Of which generation of the topic.
    pub epoch: u64,
    /// At least one.
    pub ticks: Vec<TickRecord>,
}

/// How far a partition is archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveProgress {
    /// The first record that is not.
    pub next_position: Position,
    /// The greatest append time of the records before it, in UTC nanoseconds; 0 before the
    /// first. None from there on is taken to be older, whatever its broker's clock says.
    pub append_time_ns: i64,
}

/// A tick as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// The trade; of an edit or a cancel the one that it amends, as [`Amendment`] says.
    pub trade: Trade,
    /// What makes it an edit or a cancel, where it is one.
    pub amendment: Option<Amendment>,
    /// Where the log holds it.
    pub position: Position,
    /// When the log took it, in UTC nanoseconds.
    pub append_time_ns: i64,
}

/// The store of ticks. A handle is cheap to clone.
///
/// A row is keyed by (venue, symbol, hour, epoch, partition, offset). Blocks that overlap, as
/// after a crash between [`TickStore::insert`] and [`TickStore::set_archived`], are read as if
/// each row had been written once.
pub trait TickStore: Clone + Send + Sync + 'static {
    /// How far a partition is archived, where any of it is.
    fn archive_progress(
        &self,
        partition: u32,
    ) -> impl Future<Output = Result<Option<ArchiveProgress>, StoreError>> + Send;

    /// The first record of a partition that is not archived, where any is.
    fn archive_position(
        &self,
        partition: u32,
    ) -> impl Future<Output = Result<Option<Position>, StoreError>> + Send {
        async move {
            let archived = self.archive_progress(partition).await?;
            Ok(archived.map(|archived| archived.next_position))
        }
    }

    /// Writes blocks of one partition, all or none.
    fn insert(&self, blocks: &[TickBlock]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes that everything below a position is archived. Of position and append time each
    /// stays the greatest that was noted.
    fn set_archive_progress(
        &self,
        partition: u32,
        archived: ArchiveProgress,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The ticks of an instrument whose event time is in `[start_ns, end_ns)`, once each, in
    /// order of their positions.
    fn read(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> impl Future<Output = Result<Vec<Tick>, StoreError>> + Send;

    /// The hours that hold ticks of an instrument within `[start_ns, end_ns)`, ascending, with
    /// how many rows each holds at most.
    fn hours_with_ticks(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> impl Future<Output = Result<Vec<(i64, u64)>, StoreError>> + Send;

    /// Makes all that was written so far survive a loss of power.
    fn sync(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Drops blocks whose newest tick was appended before a time; a bounded number a call.
    /// Answers how many.
    fn delete_expired(
        &self,
        before_ns: i64,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// In order of positions, without the repeats of blocks that overlap. Each tick
/// comes with its partition.
pub(crate) fn sort_and_dedup(mut ticks: Vec<(u32, Tick)>) -> Vec<Tick> {
    ticks.sort_by_key(|(partition, tick)| (tick.position, *partition));
    ticks.dedup_by_key(|(partition, tick)| (tick.position, *partition));
    ticks.into_iter().map(|(_, tick)| tick).collect()
}

/// The first nanosecond of the hour that holds a time.
pub(crate) const fn hour_start_ns(time_ns: i64) -> i64 {
    time_ns.saturating_sub(time_ns.rem_euclid(HOUR_NS))
}
