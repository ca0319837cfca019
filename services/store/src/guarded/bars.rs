//! A guarded store of bars.

use clock::{Clock, ServerGuard};
use market::{BarRow, Instrument, Venue};

use super::calls::GuardedStore;
use crate::bar_store::{BarQuery, BarReader, BarStore, CommitOutcome, IdRangesQuery, SymbolQuery};
use crate::epoch_ends::EpochEnds;
use crate::error::StoreError;
use crate::offset_run::OffsetRun;
use crate::state::{
    BarKey, DirtyMinuteRow, ExcludedRange, IdRanges, IdSegmentKey, IdSetKey, PartitionProgress,
    PartitionState, PartitionTransaction, StoredIdSegment, StoredIdSet, SymbolRow, TickVerdict,
    VenueRow,
};
use crate::topic_generation::{RegisteredTopicGeneration, TopicGeneration};

/// A store of bars behind a timeout and a circuit breaker.
#[derive(Debug, Clone)]
pub struct GuardedBarStore<S: BarStore, C> {
    guarded: GuardedStore<S, C>,
    reader: GuardedStore<S::Reader, C>,
}

impl<S: BarReader, C: Clock> BarReader for GuardedStore<S, C> {
    async fn all_partition_progress(&self) -> Result<Vec<PartitionProgress>, StoreError> {
        self.call(self.store.all_partition_progress()).await
    }

    async fn bars(&self, keys: &[BarKey]) -> Result<Vec<Option<BarRow>>, StoreError> {
        self.call(self.store.bars(keys)).await
    }

    async fn bar_range(&self, query: &BarQuery) -> Result<Vec<BarRow>, StoreError> {
        self.call(self.store.bar_range(query)).await
    }

    async fn id_sets(&self, keys: &[IdSetKey]) -> Result<Vec<StoredIdSet>, StoreError> {
        self.call(self.store.id_sets(keys)).await
    }

    async fn id_segments(&self, keys: &[IdSegmentKey]) -> Result<Vec<StoredIdSegment>, StoreError> {
        self.call(self.store.id_segments(keys)).await
    }

    async fn id_ranges(
        &self,
        query: &IdRangesQuery,
    ) -> Result<Vec<(IdSetKey, IdRanges)>, StoreError> {
        self.call(self.store.id_ranges(query)).await
    }

    async fn symbol(&self, instrument: &Instrument) -> Result<Option<SymbolRow>, StoreError> {
        self.call(self.store.symbol(instrument)).await
    }

    async fn symbols(&self, query: &SymbolQuery) -> Result<Vec<SymbolRow>, StoreError> {
        self.call(self.store.symbols(query)).await
    }

    async fn symbol_count(&self) -> Result<usize, StoreError> {
        self.call(self.store.symbol_count()).await
    }

    async fn venue_settings_if_in_every_partition(
        &self,
        venue: &Venue,
        partitions: u32,
    ) -> Result<Option<VenueRow>, StoreError> {
        self.call(
            self.store
                .venue_settings_if_in_every_partition(venue, partitions),
        )
        .await
    }

    async fn venue_settings_in_partition(
        &self,
        venue: &Venue,
        partition: u32,
    ) -> Result<Option<VenueRow>, StoreError> {
        self.call(self.store.venue_settings_in_partition(venue, partition))
            .await
    }

    async fn venues(&self) -> Result<Vec<VenueRow>, StoreError> {
        self.call(self.store.venues()).await
    }

    async fn excluded_ranges(
        &self,
        partition: u32,
        epoch: u64,
        first_offset: u64,
        end_offset: u64,
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        let call = self
            .store
            .excluded_ranges(partition, epoch, first_offset, end_offset);
        self.call(call).await
    }

    async fn count_excluded_ticks_since(
        &self,
        partition: u32,
        verdict: TickVerdict,
        since_ns: i64,
    ) -> Result<u64, StoreError> {
        let call = self
            .store
            .count_excluded_ticks_since(partition, verdict, since_ns);
        self.call(call).await
    }

    async fn excluded_ranges_in(
        &self,
        partition: u32,
        runs: &[OffsetRun],
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        self.call(self.store.excluded_ranges_in(partition, runs))
            .await
    }

    async fn epoch_ends(&self, partition: u32) -> Result<EpochEnds, StoreError> {
        self.call(self.store.epoch_ends(partition)).await
    }

    async fn dirty_minutes(&self, partition: u32) -> Result<Vec<DirtyMinuteRow>, StoreError> {
        self.call(self.store.dirty_minutes(partition)).await
    }

    async fn registered_topic_generations(
        &self,
        topic: &str,
    ) -> Result<Vec<RegisteredTopicGeneration>, StoreError> {
        self.call(self.store.registered_topic_generations(topic))
            .await
    }
}

impl<S: BarStore, C: Clock> BarStore for GuardedBarStore<S, C> {
    type Reader = GuardedStore<S::Reader, C>;
    type Snapshot = GuardedStore<S::Snapshot, C>;

    fn reader(&self) -> &Self::Reader {
        &self.reader
    }

    async fn load_or_create_partition(
        &self,
        partition: u32,
        epoch: u64,
    ) -> Result<PartitionState, StoreError> {
        self.guarded
            .long_call(
                self.guarded
                    .store
                    .load_or_create_partition(partition, epoch),
            )
            .await
    }

    async fn register_topic(&self, generation: &TopicGeneration) -> Result<u64, StoreError> {
        self.guarded
            .long_call(self.guarded.store.register_topic(generation))
            .await
    }

    async fn commit(
        &self,
        transaction: &PartitionTransaction,
    ) -> Result<CommitOutcome, StoreError> {
        self.guarded
            .long_call(self.guarded.store.commit(transaction))
            .await
    }

    async fn dry_run_commit(
        &self,
        transaction: &PartitionTransaction,
    ) -> Result<CommitOutcome, StoreError> {
        self.guarded
            .long_call(self.guarded.store.dry_run_commit(transaction))
            .await
    }

    async fn snapshot(&self) -> Result<Self::Snapshot, StoreError> {
        let snapshot = self.guarded.call(self.guarded.store.snapshot()).await?;
        Ok(GuardedStore::new(snapshot, self.guarded.guard.clone()))
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.guarded.long_call(self.guarded.store.sync()).await
    }

    async fn delete_expired_batch(
        &self,
        bars_before_ns: i64,
        ids_before_ns: i64,
        excluded_amendments_before_ns: i64,
    ) -> Result<u64, StoreError> {
        let call = self.guarded.store.delete_expired_batch(
            bars_before_ns,
            ids_before_ns,
            excluded_amendments_before_ns,
        );
        self.guarded.long_call(call).await
    }
}

impl<S: BarStore, C: Clock> GuardedBarStore<S, C> {
    /// Returns `store` behind `guard`.
    pub fn new(store: S, guard: ServerGuard<C>) -> Self {
        Self {
            reader: GuardedStore::new(store.reader().clone(), guard.clone()),
            guarded: GuardedStore::new(store, guard),
        }
    }

    /// Returns the store behind the guard.
    pub const fn unguarded(&self) -> &S {
        &self.guarded.store
    }

    /// Makes a small request if the breaker is not closed, so that the breaker closes once the
    /// server is back although no other calls are made: a pod that is not ready gets no requests.
    pub async fn probe_bars_unless_breaker_closed(&self) {
        if !self.guarded.guard.is_breaker_closed() {
            // The guard reports the outcome to the breaker, which is all that a probe is for.
            let _ = self.all_partition_progress().await;
        }
    }
}
