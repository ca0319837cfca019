//! The simulated bar store as a `BarStore` and a `BarReader`.

use std::sync::atomic::Ordering;

use market::{BarRow, Instrument, Position, Venue};
use store::{
    BarKey, BarQuery, BarReader, BarStore, CommitOutcome, DirtyMinuteRow, EpochEnds, ExcludedRange,
    IdRanges, IdRangesQuery, IdSegmentKey, IdSetKey, PartitionProgress, PartitionState,
    PartitionTransaction, RegisteredTopicGeneration, SegmentIds, StoreError, StoredBar,
    StoredIdSegment, StoredIdSet, SymbolQuery, SymbolRow, TickVerdict, TopicGeneration, VenueRow,
};

use super::stored_state::StoredState;
use super::{SimBarReader, SimBarStore};
use crate::mutant::Mutant;

impl BarStore for SimBarStore {
    type Reader = SimBarReader;
    type Snapshot = SimBarReader;

    fn reader(&self) -> &SimBarReader {
        &self.reader
    }

    async fn load_or_create_partition(
        &self,
        partition: u32,
        epoch: u64,
    ) -> Result<PartitionState, StoreError> {
        self.reader.simulate_call().await?;
        let mut state = self.reader.state.lock().unwrap();
        if let Some(updates) = &self.updates {
            state
                .session_starts
                .insert(self.worker, updates.last_ticket());
        }
        let stored = state.history.last_mut().unwrap();
        // A worker that lags may pass an epoch that has ended.
        let epoch = epoch.max(stored.epoch);
        let progress = *stored
            .progress
            .entry(partition)
            .or_insert(PartitionProgress {
                partition,
                epoch,
                next_offset: 0,
                updates_position: Position::default(),
                append_time_ns: 0,
            });
        let here = |instrument: &Instrument| {
            schemas::partition_of(instrument.key().as_bytes(), self.partitions) == partition
        };
        Ok(PartitionState {
            progress,
            symbols: stored
                .symbols
                .values()
                .filter(|row| here(&row.instrument))
                .cloned()
                .collect(),
            venues: stored.venue_rows(partition),
            open_bars: stored
                .bars
                .iter()
                .filter(|((instrument, _), row)| here(instrument) && !row.closed)
                .map(|((instrument, _), row)| StoredBar {
                    instrument: instrument.clone(),
                    row: row.clone(),
                })
                .collect(),
            dirty_minutes: stored.dirty_of(&here),
            pending_amendments: stored
                .pending_amendments
                .iter()
                .filter(|row| here(&row.key.instrument))
                .cloned()
                .collect(),
            id_digest_key: [5; 32],
        })
    }

    async fn register_topic(&self, _: &TopicGeneration) -> Result<u64, StoreError> {
        unreachable!("the simulation sets the epochs")
    }

    async fn commit(
        &self,
        transaction: &PartitionTransaction,
    ) -> Result<CommitOutcome, StoreError> {
        self.reader.simulate_call().await?;
        let partition = transaction.progress.partition;
        let mut next = self.read_stored(StoredState::clone);
        if !self.compare_and_set(transaction, &mut next) {
            return Ok(CommitOutcome::Conflict);
        }
        self.check_bars(transaction)?;
        if self.mutant == Some(Mutant::CommitLost) && self.reader.random.one_in(20) {
            return Ok(CommitOutcome::Committed);
        }
        if self.mutant == Some(Mutant::PositionBeforeState) {
            self.reader.state.lock().unwrap().history.push(next);
            self.reader.random.pause(10).await;
            next = self.read_stored(StoredState::clone);
        }
        self.apply_transaction(transaction, &mut next);
        if self.mutant == Some(Mutant::UpdatesPositionReadAnew)
            && let (Some(updates), Some(row)) = (&self.updates, next.progress.get_mut(&partition))
        {
            row.updates_position.offset = updates.end(partition);
        }
        self.push_commit(next, partition);
        self.reader.random.pause(2).await;
        if self.is_answer_lost() {
            return Err(SimBarReader::unavailable("the answer was lost"));
        }
        Ok(CommitOutcome::Committed)
    }

    async fn dry_run_commit(
        &self,
        transaction: &PartitionTransaction,
    ) -> Result<CommitOutcome, StoreError> {
        self.reader.simulate_call().await?;
        let mut next = self.read_stored(StoredState::clone);
        if !self.compare_and_set(transaction, &mut next) {
            return Ok(CommitOutcome::Conflict);
        }
        self.check_bars(transaction)?;
        Ok(CommitOutcome::Committed)
    }

    async fn snapshot(&self) -> Result<SimBarReader, StoreError> {
        Ok(self.reader.clone())
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.sync_now();
        Ok(())
    }

    async fn delete_expired_batch(&self, _: i64, _: i64, _: i64) -> Result<u64, StoreError> {
        unreachable!("the simulation deletes what is old by itself")
    }
}

impl BarReader for SimBarReader {
    async fn all_partition_progress(&self) -> Result<Vec<PartitionProgress>, StoreError> {
        self.simulate_call().await?;
        let mut rows: Vec<_> =
            self.read_stored(|stored| stored.progress.values().copied().collect());
        let reads = self.reads_of_claimed_progress.as_ref();
        if reads.is_some_and(|reads| reads.fetch_add(1, Ordering::Relaxed) > 0) {
            for row in &mut rows {
                row.updates_position.offset = u64::MAX;
            }
        }
        Ok(rows)
    }

    async fn bars(&self, keys: &[BarKey]) -> Result<Vec<Option<BarRow>>, StoreError> {
        self.simulate_call().await?;
        let row = |stored: &StoredState, key: &BarKey| {
            stored
                .bars
                .get(&(key.instrument.clone(), key.window))
                .cloned()
        };
        Ok(self.read_stored(|stored| keys.iter().map(|key| row(stored, key)).collect()))
    }

    async fn bar_range(&self, _: &BarQuery) -> Result<Vec<BarRow>, StoreError> {
        unreachable!("pods read the stored state directly")
    }

    async fn id_sets(&self, keys: &[IdSetKey]) -> Result<Vec<StoredIdSet>, StoreError> {
        self.simulate_call().await?;
        Ok(self.read_stored(|stored| keys.iter().map(|key| stored.id_set(key)).collect()))
    }

    async fn id_segments(&self, keys: &[IdSegmentKey]) -> Result<Vec<StoredIdSegment>, StoreError> {
        self.simulate_call().await?;
        let row = |stored: &StoredState, key: &IdSegmentKey| match self.mutant {
            Some(Mutant::EvictedIdsForgotten) => StoredIdSegment {
                ids: SegmentIds::empty(key.start),
                ..stored.id_segment(key)
            },
            _ => stored.id_segment(key),
        };
        Ok(self.read_stored(|stored| keys.iter().map(|key| row(stored, key)).collect()))
    }

    async fn id_ranges(&self, _: &IdRangesQuery) -> Result<Vec<(IdSetKey, IdRanges)>, StoreError> {
        unreachable!("no role asks for gaps")
    }

    async fn symbol(&self, _: &Instrument) -> Result<Option<SymbolRow>, StoreError> {
        unreachable!("no role asks for one symbol")
    }

    async fn symbols(&self, _: &SymbolQuery) -> Result<Vec<SymbolRow>, StoreError> {
        unreachable!("no role lists symbols")
    }

    async fn symbol_count(&self) -> Result<usize, StoreError> {
        unreachable!("no role counts symbols")
    }

    async fn venue_settings_if_in_every_partition(
        &self,
        venue: &Venue,
        partitions: u32,
    ) -> Result<Option<VenueRow>, StoreError> {
        self.simulate_call().await?;
        Ok(self.read_stored(|stored| {
            let is_known = |partition| stored.venues.contains_key(&(partition, venue.clone()));
            let rows = stored.venue_rows(0).into_iter();
            rows.filter(|_| (0..partitions).all(is_known))
                .find(|row| row.venue == *venue)
        }))
    }

    async fn venue_settings_in_partition(
        &self,
        _: &Venue,
        _: u32,
    ) -> Result<Option<VenueRow>, StoreError> {
        unreachable!("no role asks for the settings in one partition")
    }

    async fn venues(&self) -> Result<Vec<VenueRow>, StoreError> {
        self.simulate_call().await?;
        Ok(self.read_stored(|stored| stored.venue_rows(0)))
    }

    async fn excluded_ranges(
        &self,
        partition: u32,
        epoch: u64,
        first: u64,
        end: u64,
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        self.simulate_call().await?;
        let within = |range: &ExcludedRange| {
            range.epoch == epoch && range.first_offset < end && range.end_offset > first
        };
        Ok(self.read_stored(|stored| {
            let mut ranges = stored.all_excluded_ranges(partition);
            ranges.retain(within);
            ranges
        }))
    }

    async fn count_excluded_ticks_since(
        &self,
        partition: u32,
        verdict: TickVerdict,
        since_ns: i64,
    ) -> Result<u64, StoreError> {
        self.simulate_call().await?;
        Ok(self.read_stored(|stored| {
            let ranges = stored.all_excluded_ranges(partition).into_iter();
            ranges
                .filter(|range| range.verdict == verdict && range.append_time_ns >= since_ns)
                .map(|range| range.end_offset - range.first_offset)
                .sum()
        }))
    }

    async fn epoch_ends(&self, partition: u32) -> Result<EpochEnds, StoreError> {
        self.simulate_call().await?;
        if !self.knows_epoch_ends {
            return Ok(EpochEnds::default());
        }
        Ok(self.read_stored(|stored| stored.epoch_ends(partition)))
    }

    async fn dirty_minutes(&self, _: u32) -> Result<Vec<DirtyMinuteRow>, StoreError> {
        unreachable!("no role asks for marks alone")
    }

    async fn registered_topic_generations(
        &self,
        _: &str,
    ) -> Result<Vec<RegisteredTopicGeneration>, StoreError> {
        unreachable!("the simulation sets the epochs")
    }
}
