//! A guarded store of ticks.

use clock::Clock;
use market::Instrument;

use super::calls::GuardedStore;
use crate::error::StoreError;
use crate::tick_lookup::TickLookup;
use crate::tick_store::{ArchiveProgress, Tick, TickBlock, TickStore};

impl<S: TickStore, C: Clock> TickStore for GuardedStore<S, C> {
    async fn archive_progress(
        &self,
        partition: u32,
    ) -> Result<Option<ArchiveProgress>, StoreError> {
        self.call(self.store.archive_progress(partition)).await
    }

    async fn insert(&self, blocks: &[TickBlock]) -> Result<(), StoreError> {
        self.long_call(self.store.insert(blocks)).await
    }

    async fn advance_archive_progress(
        &self,
        partition: u32,
        progress: ArchiveProgress,
    ) -> Result<(), StoreError> {
        let call = self.store.advance_archive_progress(partition, progress);
        self.call(call).await
    }

    async fn read(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<Tick>, StoreError> {
        let call = self.store.read(instrument, start_ns, end_ns);
        self.long_call(call).await
    }

    async fn read_first_matching(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
        lookup: &TickLookup,
    ) -> Result<Vec<Tick>, StoreError> {
        let call = self
            .store
            .read_first_matching(instrument, start_ns, end_ns, lookup);
        self.long_call(call).await
    }

    async fn hours_with_tick_count_upper_bounds(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        let call = self
            .store
            .hours_with_tick_count_upper_bounds(instrument, start_ns, end_ns);
        self.call(call).await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.long_call(self.store.sync()).await
    }

    async fn delete_expired_block_batch(
        &self,
        trades_before_ns: i64,
        amendments_before_ns: i64,
    ) -> Result<u64, StoreError> {
        let store = &self.store;
        self.long_call(store.delete_expired_block_batch(trades_before_ns, amendments_before_ns))
            .await
    }
}

impl<S: TickStore, C: Clock> GuardedStore<S, C> {
    /// Does what [`super::GuardedBarStore::probe_bars_unless_breaker_closed`] does, for a store of
    /// ticks.
    pub async fn probe_ticks_unless_breaker_closed(&self) {
        if !self.guard.is_breaker_closed() {
            let _ = self.next_archive_position(0).await;
        }
    }
}
