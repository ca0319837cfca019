//! The store of bars and of the state they are folded from.

use std::future::Future;

use market::{BarRow, Instrument, Interval, Venue, VenueSettings};

use crate::{
    BarKey, DirtyMinuteRow, ExcludedRange, IdRanges, IdSetKey, IdSetRow, PartitionProgress,
    PartitionState, StoreError, SymbolRow, Transaction, VenueRow,
};

/// Whether a transaction was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It was.
    Committed,
    /// The progress row was not where it was expected: another worker has moved it, or this
    /// transaction was taken before.
    Lost,
}

/// Which bars to read: those that start in `[start_ns, end_ns)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarQuery {
    /// Of which instrument.
    pub instrument: Instrument,
    /// Of which interval.
    pub interval: Interval,
    /// The least start, in UTC nanoseconds.
    pub start_ns: i64,
    /// One past the greatest start, in UTC nanoseconds.
    pub end_ns: i64,
    /// At most so many.
    pub limit: u32,
    /// Whether the limit keeps the newest bars rather than the oldest. The answer is in
    /// ascending order either way.
    pub newest: bool,
}

/// Which symbols to read, in order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolQuery {
    /// Only those of this venue.
    pub venue: Option<Venue>,
    /// Only those whose key `venue:symbol` is greater.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// Which ranges of ids to read, in order of (symbol, scope, bucket, first).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdRangeQuery {
    /// Of which venue.
    pub venue: Venue,
    /// Only of this symbol.
    pub symbol: Option<market::Symbol>,
    /// Only those after this set.
    pub after: Option<IdSetKey>,
    /// At most so many sets.
    pub limit: u32,
}

/// Reads bars and state.
pub trait BarReader: Send + Sync {
    /// How far each partition has been folded, in order of their numbers; partitions that no
    /// worker has loaded yet are missing.
    fn progress(&self) -> impl Future<Output = Result<Vec<PartitionProgress>, StoreError>> + Send;

    /// Returns how far one partition has been folded; `None` if no worker has loaded it yet.
    fn partition_progress(
        &self,
        partition: u32,
    ) -> impl Future<Output = Result<Option<PartitionProgress>, StoreError>> + Send {
        async move {
            let rows = self.progress().await?;
            Ok(PartitionProgress::find_in(&rows, partition).copied())
        }
    }

    /// Bars by name, in the order asked for.
    fn bars(
        &self,
        keys: &[BarKey],
    ) -> impl Future<Output = Result<Vec<Option<BarRow>>, StoreError>> + Send;

    /// Bars by range, ascending by start.
    fn bar_range(
        &self,
        query: &BarQuery,
    ) -> impl Future<Output = Result<Vec<BarRow>, StoreError>> + Send;

    /// Sets of ids, in the order asked for; an empty one where none is stored. Each is of one
    /// moment.
    fn ids(
        &self,
        keys: &[IdSetKey],
    ) -> impl Future<Output = Result<Vec<IdSetRow>, StoreError>> + Send;

    /// The sets of ids that are kept as ranges, each whole.
    fn id_ranges(
        &self,
        query: &IdRangeQuery,
    ) -> impl Future<Output = Result<Vec<(IdSetKey, IdRanges)>, StoreError>> + Send;

    /// One symbol.
    fn symbol(
        &self,
        instrument: &Instrument,
    ) -> impl Future<Output = Result<Option<SymbolRow>, StoreError>> + Send;

    /// Symbols in order of their keys.
    fn symbols(
        &self,
        query: &SymbolQuery,
    ) -> impl Future<Output = Result<Vec<SymbolRow>, StoreError>> + Send;

    /// A venue's settings, where every one of the `partitions` holds them; those that
    /// partition 0 holds.
    fn venue(
        &self,
        venue: &Venue,
        partitions: u32,
    ) -> impl Future<Output = Result<Option<VenueSettings>, StoreError>> + Send;

    /// Every venue, as partition 0 holds it, in order of their names.
    fn venues(&self) -> impl Future<Output = Result<Vec<VenueRow>, StoreError>> + Send;

    /// The ticks of a partition that are no trades and overlap the offsets `[first, end)` of an
    /// epoch, in order.
    fn rejected(
        &self,
        partition: u32,
        epoch: u64,
        first: u64,
        end: u64,
    ) -> impl Future<Output = Result<Vec<ExcludedRange>, StoreError>> + Send;

    /// The minutes of a partition that are marked to be folded anew, in order of instruments
    /// and starts.
    fn dirty(
        &self,
        partition: u32,
    ) -> impl Future<Output = Result<Vec<DirtyMinuteRow>, StoreError>> + Send;

    /// The epoch of the generation of a topic that an id names; none where it was not adopted.
    fn epoch(
        &self,
        topic: &str,
        topic_id: &str,
    ) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;
}

/// The store of bars. A handle is cheap to clone.
pub trait BarStore: BarReader + Clone + 'static {
    /// A reader of one moment.
    type Snapshot: BarReader;

    /// The state of a partition. Where nothing is stored, the row of its progress is made, at
    /// offset 0 of `epoch`, or of the current generation of `trades` where that is later.
    fn load(
        &self,
        partition: u32,
        epoch: u64,
    ) -> impl Future<Output = Result<PartitionState, StoreError>> + Send;

    /// Makes the generation of a topic that an id names the current one, where it is not, and
    /// answers its epoch. The first generation of all has epoch 1, each later one the next.
    ///
    /// A new generation of `trades` moves the progress of every partition to offset 0 of its
    /// epoch in the same transaction, so that no worker of an earlier one can commit any more.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] where the id names a generation before the current one: a
    /// server that lags has told it.
    fn adopt(
        &self,
        topic: &str,
        topic_id: &str,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Takes one step: first the progress row is moved by compare-and-set on (epoch,
    /// `next_offset`), then all else is written, in one transaction. An error may leave it
    /// unknown whether it was taken: the progress row tells.
    fn commit(
        &self,
        transaction: &Transaction,
    ) -> impl Future<Output = Result<CommitOutcome, StoreError>> + Send;

    /// Everything as of one moment.
    fn snapshot(&self) -> impl Future<Output = Result<Self::Snapshot, StoreError>> + Send;

    /// Makes all that was committed so far survive a loss of power.
    fn sync(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Drops bars whose first trade was appended before `bars_before_ns`, and sets of ids,
    /// rejected ranges and trades amended ahead whose newest record was appended before
    /// `ids_before_ns`; a bounded number of rows a call. Answers how many rows
    /// went; sets of ids that belong to no hour or day stay. A store may keep bars for some days
    /// longer where they go together then.
    fn expire(
        &self,
        bars_before_ns: i64,
        ids_before_ns: i64,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
}
