//! The store of bars and of the state of the fold.

use std::future::Future;

use market::{BarRow, Instrument, Interval, Symbol, Venue};

use crate::epoch_ends::EpochEnds;
use crate::error::StoreError;
use crate::offset_run::OffsetRun;
use crate::state::{
    BarKey, DirtyMinuteRow, ExcludedRange, IdRanges, IdSegmentKey, IdSetKey, PartitionProgress,
    PartitionState, PartitionTransaction, StoredIdSegment, StoredIdSet, SymbolRow, TickVerdict,
    VenueRow,
};
use crate::topic_generation::{RegisteredTopicGeneration, TopicGeneration};

/// The outcome of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// The transaction was written.
    Committed,
    /// Nothing was written, because the stored progress was not the expected one: another worker
    /// has moved it, or this transaction was committed before.
    Conflict,
}

/// Which bars to read: those that start in `[start_ns, end_ns)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarQuery {
    /// The instrument.
    pub instrument: Instrument,
    /// The interval.
    pub interval: Interval,
    /// The least start, in UTC nanoseconds.
    pub start_ns: i64,
    /// One past the greatest start, in UTC nanoseconds.
    pub end_ns: i64,
    /// The greatest number of bars to return.
    pub limit: u32,
    /// Whether the limit keeps the newest bars instead of the oldest. The bars are returned in
    /// ascending order either way.
    pub keep_newest: bool,
}

/// Which symbols to read, in order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolQuery {
    /// The venue to read, or `None` for all.
    pub venue: Option<Venue>,
    /// Only symbols whose key `venue:symbol` is greater than that of this one.
    pub after: Option<Instrument>,
    /// The greatest number of symbols to return.
    pub limit: u32,
}

/// Which ranges of ids to read, in order of (symbol, scope, bucket, first).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdRangesQuery {
    /// The venue.
    pub venue: Venue,
    /// The symbol to read, or `None` for all.
    pub symbol: Option<Symbol>,
    /// Only sets after this one.
    pub after: Option<IdSetKey>,
    /// The greatest number of sets to return.
    pub limit: u32,
}

/// Reads bars and state.
pub trait BarReader: Send + Sync {
    /// Returns how far each partition has been folded, in order of their numbers. Partitions that
    /// no worker has loaded yet are missing.
    fn all_partition_progress(
        &self,
    ) -> impl Future<Output = Result<Vec<PartitionProgress>, StoreError>> + Send;

    /// Returns how far one partition has been folded, or `None` if no worker has loaded it yet.
    fn partition_progress(
        &self,
        partition: u32,
    ) -> impl Future<Output = Result<Option<PartitionProgress>, StoreError>> + Send {
        async move {
            let rows = self.all_partition_progress().await?;
            Ok(PartitionProgress::find_in(&rows, partition).copied())
        }
    }

    /// Returns the bars with these keys, in the order of the keys.
    fn bars(
        &self,
        keys: &[BarKey],
    ) -> impl Future<Output = Result<Vec<Option<BarRow>>, StoreError>> + Send;

    /// Returns the bars of one instrument and interval, ascending by start.
    fn bar_range(
        &self,
        query: &BarQuery,
    ) -> impl Future<Output = Result<Vec<BarRow>, StoreError>> + Send;

    /// Returns the sets of ids with these keys, in the order of the keys; an empty set if none is
    /// stored. Each set is consistent by itself. The ids of its segments are read with
    /// [`BarReader::id_segments`].
    fn id_sets(
        &self,
        keys: &[IdSetKey],
    ) -> impl Future<Output = Result<Vec<StoredIdSet>, StoreError>> + Send;

    /// Returns the ids of segments with these keys, in the order of the keys; none if the segment
    /// is not stored. Each segment is consistent by itself.
    fn id_segments(
        &self,
        keys: &[IdSegmentKey],
    ) -> impl Future<Output = Result<Vec<StoredIdSegment>, StoreError>> + Send;

    /// Returns the sets of ids that are stored as ranges, with all their ranges.
    fn id_ranges(
        &self,
        query: &IdRangesQuery,
    ) -> impl Future<Output = Result<Vec<(IdSetKey, IdRanges)>, StoreError>> + Send;

    /// Returns one symbol.
    fn symbol(
        &self,
        instrument: &Instrument,
    ) -> impl Future<Output = Result<Option<SymbolRow>, StoreError>> + Send;

    /// Returns symbols in order of their keys.
    fn symbols(
        &self,
        query: &SymbolQuery,
    ) -> impl Future<Output = Result<Vec<SymbolRow>, StoreError>> + Send;

    /// Returns the number of symbols.
    fn symbol_count(&self) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// Returns the settings of a venue as partition 0 has them, or `None` unless each of the
    /// first `partitions` partitions has settings of this venue.
    fn venue_settings_if_in_every_partition(
        &self,
        venue: &Venue,
        partitions: u32,
    ) -> impl Future<Output = Result<Option<VenueRow>, StoreError>> + Send;

    /// Returns the settings of a venue as one partition has them: those that its fold applies to
    /// its next record, unless that changes them.
    fn venue_settings_in_partition(
        &self,
        venue: &Venue,
        partition: u32,
    ) -> impl Future<Output = Result<Option<VenueRow>, StoreError>> + Send;

    /// Returns the venues that partition 0 has, in order of their names.
    fn venues(&self) -> impl Future<Output = Result<Vec<VenueRow>, StoreError>> + Send;

    /// Returns the excluded ranges of a partition that overlap `[first_offset, end_offset)` in
    /// `epoch`, in order of their first offsets: those of trades, those of amendments, and if the
    /// epoch has ended everything from its end on.
    fn excluded_ranges(
        &self,
        partition: u32,
        epoch: u64,
        first_offset: u64,
        end_offset: u64,
    ) -> impl Future<Output = Result<Vec<ExcludedRange>, StoreError>> + Send;

    /// Returns how many offsets of a partition, of trades and of amendments, are excluded with a
    /// verdict in ranges whose newest record was appended at `since_ns` or later.
    fn count_excluded_ticks_since(
        &self,
        partition: u32,
        verdict: TickVerdict,
        since_ns: i64,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Returns the excluded ranges of a partition that overlap any of some runs of offsets, each
    /// once, in order of epochs and first offsets. As ranges do not overlap, there are at most as
    /// many as the runs have offsets: twice as many, because those of trades and of amendments are
    /// separate. The runs must be in ascending order.
    fn excluded_ranges_in(
        &self,
        partition: u32,
        runs: &[OffsetRun],
    ) -> impl Future<Output = Result<Vec<ExcludedRange>, StoreError>> + Send {
        async move {
            let mut found = Vec::new();
            for runs in runs.chunk_by(|left, right| left.epoch == right.epoch) {
                let (first, last) = (runs[0], runs[runs.len() - 1]);
                let end = last.last.saturating_add(1);
                let ranges = self.excluded_ranges(partition, first.epoch, first.first, end);
                let overlaps = |range: &ExcludedRange| {
                    let (first, end) = (range.first_offset, range.end_offset);
                    runs.iter().any(|run| run.overlaps(range.epoch, first, end))
                };
                found.extend(ranges.await?.into_iter().filter(overlaps));
            }
            Ok(found)
        }
    }

    /// Returns where the earlier epochs of a partition ended.
    fn epoch_ends(
        &self,
        partition: u32,
    ) -> impl Future<Output = Result<EpochEnds, StoreError>> + Send;

    /// Returns the dirty minutes of a partition, in order of instruments and starts.
    fn dirty_minutes(
        &self,
        partition: u32,
    ) -> impl Future<Output = Result<Vec<DirtyMinuteRow>, StoreError>> + Send;

    /// Returns the generations of a topic that are registered, in ascending order of their epochs.
    fn registered_topic_generations(
        &self,
        topic: &str,
    ) -> impl Future<Output = Result<Vec<RegisteredTopicGeneration>, StoreError>> + Send;
}

/// The store of bars. A handle is cheap to clone.
///
/// Each store is a [`BarReader`] too, through its [`BarStore::reader`].
pub trait BarStore: Clone + Send + Sync + 'static {
    /// Reads what is committed at each call.
    type Reader: BarReader + Clone;
    /// Reads what was committed at one moment.
    type Snapshot: BarReader;

    /// Returns the reader of this store.
    fn reader(&self) -> &Self::Reader;

    /// Returns the state of a partition. If nothing is stored, this first stores its progress, at
    /// offset 0 of `epoch`, or of the current generation of `trades` if that is later.
    fn load_or_create_partition(
        &self,
        partition: u32,
        epoch: u64,
    ) -> impl Future<Output = Result<PartitionState, StoreError>> + Send;

    /// Makes the generation of a topic with this topic id the current one, unless it is already,
    /// and returns its epoch. The first generation of all has epoch 1, each later one the next.
    ///
    /// A new generation of `trades` moves the progress of all partitions to offset 0 of its epoch
    /// in the same transaction, so that workers of earlier generations can no longer commit, and
    /// stores where each partition's epoch before ended: at its `next_offset`, or at 0 if no worker
    /// had loaded it. That transaction survives a loss of power, with all commits before it.
    ///
    /// # Errors
    /// [`StoreError::TopicSuperseded`] if the topic id names an earlier generation than the current
    /// one: a broker that lags has returned it. [`StoreError::PartitionsChanged`] if the generation
    /// was registered with other partitions. [`StoreError::ForeignTopic`] if the store belongs to
    /// another log.
    fn register_topic(
        &self,
        generation: &TopicGeneration,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Commits one transaction: it first moves the progress by compare-and-set on (epoch,
    /// `next_offset`), then writes everything else. After an error it is unknown whether the
    /// transaction was committed; the stored progress tells.
    fn commit(
        &self,
        transaction: &PartitionTransaction,
    ) -> impl Future<Output = Result<CommitOutcome, StoreError>> + Send;

    /// Writes a transaction as [`BarStore::commit`] does, then rolls it back: nothing is stored.
    /// Returns what committing it would come to, or the error that committing it would return.
    fn dry_run_commit(
        &self,
        transaction: &PartitionTransaction,
    ) -> impl Future<Output = Result<CommitOutcome, StoreError>> + Send;

    /// Returns a reader of everything as it is now.
    fn snapshot(&self) -> impl Future<Output = Result<Self::Snapshot, StoreError>> + Send;

    /// Waits until everything that was committed so far survives a loss of power.
    fn sync(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes bars whose first trade was appended before `bars_before_ns`; sets of ids, excluded
    /// ranges of trades and pending amendments whose newest record was appended before
    /// `ids_before_ns`; and excluded ranges of amendments whose newest record was appended before
    /// `excluded_amendments_before_ns`: a limited number of rows per call. Returns the number of
    /// deleted rows.
    ///
    /// Sets of ids that belong to no hour or day are never deleted, and those of
    /// [`AMENDMENTS_SCOPE`](crate::AMENDMENTS_SCOPE) with bars. A store that deletes bars in
    /// larger units may keep some of them a few days longer.
    fn delete_expired_batch(
        &self,
        bars_before_ns: i64,
        ids_before_ns: i64,
        excluded_amendments_before_ns: i64,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// Every store reads through its reader.
impl<S: BarStore> BarReader for S {
    async fn all_partition_progress(&self) -> Result<Vec<PartitionProgress>, StoreError> {
        self.reader().all_partition_progress().await
    }

    async fn bars(&self, keys: &[BarKey]) -> Result<Vec<Option<BarRow>>, StoreError> {
        self.reader().bars(keys).await
    }

    async fn bar_range(&self, query: &BarQuery) -> Result<Vec<BarRow>, StoreError> {
        self.reader().bar_range(query).await
    }

    async fn id_sets(&self, keys: &[IdSetKey]) -> Result<Vec<StoredIdSet>, StoreError> {
        self.reader().id_sets(keys).await
    }

    async fn id_segments(&self, keys: &[IdSegmentKey]) -> Result<Vec<StoredIdSegment>, StoreError> {
        self.reader().id_segments(keys).await
    }

    async fn id_ranges(
        &self,
        query: &IdRangesQuery,
    ) -> Result<Vec<(IdSetKey, IdRanges)>, StoreError> {
        self.reader().id_ranges(query).await
    }

    async fn symbol(&self, instrument: &Instrument) -> Result<Option<SymbolRow>, StoreError> {
        self.reader().symbol(instrument).await
    }

    async fn symbols(&self, query: &SymbolQuery) -> Result<Vec<SymbolRow>, StoreError> {
        self.reader().symbols(query).await
    }

    async fn symbol_count(&self) -> Result<usize, StoreError> {
        self.reader().symbol_count().await
    }

    async fn venue_settings_if_in_every_partition(
        &self,
        venue: &Venue,
        partitions: u32,
    ) -> Result<Option<VenueRow>, StoreError> {
        self.reader()
            .venue_settings_if_in_every_partition(venue, partitions)
            .await
    }

    async fn venue_settings_in_partition(
        &self,
        venue: &Venue,
        partition: u32,
    ) -> Result<Option<VenueRow>, StoreError> {
        self.reader()
            .venue_settings_in_partition(venue, partition)
            .await
    }

    async fn venues(&self) -> Result<Vec<VenueRow>, StoreError> {
        self.reader().venues().await
    }

    async fn excluded_ranges(
        &self,
        partition: u32,
        epoch: u64,
        first_offset: u64,
        end_offset: u64,
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        let reader = self.reader();
        reader
            .excluded_ranges(partition, epoch, first_offset, end_offset)
            .await
    }

    async fn count_excluded_ticks_since(
        &self,
        partition: u32,
        verdict: TickVerdict,
        since_ns: i64,
    ) -> Result<u64, StoreError> {
        let reader = self.reader();
        reader
            .count_excluded_ticks_since(partition, verdict, since_ns)
            .await
    }

    async fn excluded_ranges_in(
        &self,
        partition: u32,
        runs: &[OffsetRun],
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        self.reader().excluded_ranges_in(partition, runs).await
    }

    async fn epoch_ends(&self, partition: u32) -> Result<EpochEnds, StoreError> {
        self.reader().epoch_ends(partition).await
    }

    async fn dirty_minutes(&self, partition: u32) -> Result<Vec<DirtyMinuteRow>, StoreError> {
        self.reader().dirty_minutes(partition).await
    }

    async fn registered_topic_generations(
        &self,
        topic: &str,
    ) -> Result<Vec<RegisteredTopicGeneration>, StoreError> {
        self.reader().registered_topic_generations(topic).await
    }
}
