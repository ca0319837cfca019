//! A simulated bar store, which is slow, fails before or after a write, and loses unsynced commits
//! when power is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use market::{BarRow, Instrument, Position, Venue, VenueSettings, Window};
use store::{
    BarKey, BarQuery, BarReader, BarStore, CommitOutcome, DirtyMinuteRow, ExcludedRange,
    IdRangeQuery, IdRanges, IdSetDiff, IdSetKey, IdSetRow, PartitionProgress, PartitionState,
    PendingAmendmentRow, RefoldMark, StoreError, StoredBar, SymbolQuery, SymbolRow, Transaction,
    VenueRow,
};

use crate::cluster::Mutant;
use crate::random::Random;

/// What is stored as of one commit.
#[derive(Clone, Default)]
pub struct StoredState {
    pub progress: BTreeMap<u32, PartitionProgress>,
    pub bars: BTreeMap<(Instrument, Window), BarRow>,
    pub symbols: BTreeMap<Instrument, SymbolRow>,
    pub venues: BTreeMap<(u32, Venue), VenueSettings>,
    pub ranges: BTreeMap<IdSetKey, BTreeMap<u64, u64>>,
    pub exact: BTreeMap<IdSetKey, BTreeSet<market::TradeId>>,
    pub id_appends: BTreeMap<IdSetKey, i64>,
    pub rejected: BTreeMap<u32, Vec<ExcludedRange>>,
    pub dirty: BTreeMap<(Instrument, i64), RefoldMark>,
    /// The next offset of each partition when a later epoch was adopted, by (epoch, partition).
    pub switched: BTreeMap<(u64, u32), u64>,
    pub ahead: BTreeSet<PendingAmendmentRow>,
}

impl StoredState {
    fn dirty_of(&self, here: &dyn Fn(&Instrument) -> bool) -> Vec<DirtyMinuteRow> {
        let row =
            |((instrument, start_ns), mark): (&(Instrument, i64), &RefoldMark)| DirtyMinuteRow {
                instrument: instrument.clone(),
                start_ns: *start_ns,
                mark: mark.clone(),
            };
        let rows = self.dirty.iter();
        rows.filter(|((instrument, _), _)| here(instrument))
            .map(row)
            .collect()
    }
}

struct State {
    /// Every state since the last sync, the newest last.
    history: Vec<StoredState>,
    faults: bool,
    /// The number of next calls that fail.
    outage: u64,
    /// The partitions that were committed since they were last checked.
    committed: BTreeSet<u32>,
    /// The workers whose commit was refused by compare-and-set.
    losers: BTreeSet<u64>,
    pub lost: u64,
    pub commits: u64,
}

/// A handle of the store that belongs to one worker.
#[derive(Clone)]
pub struct SimBarStore {
    state: Arc<Mutex<State>>,
    random: Random,
    partitions: u32,
    mutant: Option<Mutant>,
    worker: u64,
}

impl SimBarStore {
    pub fn new(partitions: u32, random: &Random, mutant: Option<Mutant>) -> Self {
        let state = State {
            history: vec![StoredState::default()],
            faults: true,
            outage: 0,
            committed: BTreeSet::new(),
            losers: BTreeSet::new(),
            lost: 0,
            commits: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            random: random.clone(),
            partitions,
            mutant,
            worker: 0,
        }
    }

    pub fn for_worker(&self, worker: u64) -> Self {
        Self {
            worker,
            ..self.clone()
        }
    }

    pub fn read_stored<T>(&self, read: impl FnOnce(&StoredState) -> T) -> T {
        let state = self.state.lock().unwrap();
        read(state.history.last().unwrap())
    }

    pub fn take_committed(&self) -> BTreeSet<u32> {
        std::mem::take(&mut self.state.lock().unwrap().committed)
    }

    pub fn take_losers(&self) -> BTreeSet<u64> {
        std::mem::take(&mut self.state.lock().unwrap().losers)
    }

    pub fn commit_counts(&self) -> (u64, u64) {
        let state = self.state.lock().unwrap();
        (state.commits, state.lost)
    }

    pub fn enable_faults(&self) {
        self.state.lock().unwrap().faults = true;
    }

    pub fn disable_faults(&self) {
        let mut state = self.state.lock().unwrap();
        state.faults = false;
        state.outage = 0;
    }

    pub fn start_outage(&self, calls: u64) {
        self.state.lock().unwrap().outage = calls;
    }

    /// Moves every partition to an epoch of the log; returns whether any was at an earlier one.
    pub fn adopt_epoch(&self, epoch: u64) -> bool {
        let mut state = self.state.lock().unwrap();
        let mut next = state.history.last().unwrap().clone();
        let mut moved = false;
        for row in next.progress.values_mut().filter(|row| row.epoch < epoch) {
            let place = (row.epoch, row.partition);
            next.switched.insert(place, row.next_offset);
            row.epoch = epoch;
            row.next_offset = 0;
            moved = true;
        }
        if moved {
            state.history.push(next);
        }
        moved
    }

    pub fn sync_now(&self) {
        let history = &mut self.state.lock().unwrap().history;
        history.drain(..history.len() - 1);
    }

    /// Drops some of the unsynced commits, as a loss of power does.
    pub fn lose_power(&self) {
        let history = &mut self.state.lock().unwrap().history;
        let kept = self.random.below(history.len() as u64) + 1;
        history.truncate(usize::try_from(kept).unwrap());
    }

    fn unavailable(reason: &str) -> StoreError {
        StoreError::Unavailable {
            store: "simulated".to_owned(),
            reason: reason.to_owned(),
        }
    }

    async fn call(&self) -> Result<(), StoreError> {
        let turns = if self.random.one_in(20) { 30 } else { 2 };
        self.random.pause(turns).await;
        let mut state = self.state.lock().unwrap();
        if state.outage > 0 {
            state.outage -= 1;
            return Err(Self::unavailable("an outage"));
        }
        if state.faults && self.random.one_in(30) {
            return Err(Self::unavailable("a failed call"));
        }
        Ok(())
    }

    fn is_answer_lost(&self) -> bool {
        self.state.lock().unwrap().faults && self.random.one_in(15)
    }

    /// Moves the progress row if it is where the transaction expects it.
    fn compare_and_set(&self, transaction: &Transaction, next: &mut StoredState) -> bool {
        let row = next.progress.get(&transaction.progress.partition);
        let found = row.map(|row| (row.epoch, row.next_offset));
        if found != Some(transaction.expected) && self.mutant != Some(Mutant::NoCompareAndSet) {
            let mut state = self.state.lock().unwrap();
            state.losers.insert(self.worker);
            state.lost += 1;
            return false;
        }
        let progress = transaction.progress;
        next.progress.insert(progress.partition, progress);
        true
    }

    fn apply_transaction(&self, transaction: &Transaction, next: &mut StoredState) {
        for StoredBar { instrument, row } in &transaction.bars {
            next.bars
                .insert((instrument.clone(), row.window), row.clone());
        }
        if self.mutant != Some(Mutant::WatermarksLost) {
            for row in &transaction.symbols {
                next.symbols.insert(row.instrument.clone(), row.clone());
            }
        } else {
            for row in &transaction.symbols {
                next.symbols
                    .entry(row.instrument.clone())
                    .or_insert_with(|| row.clone());
            }
        }
        let partition = transaction.progress.partition;
        for row in &transaction.venues {
            next.venues
                .insert((partition, row.venue.clone()), row.settings);
        }
        for id in &transaction.ids {
            next.id_appends.insert(id.key.clone(), id.last_append_ns);
            match &id.change {
                IdSetDiff::Ranges { put, remove } => {
                    let ranges = next.ranges.entry(id.key.clone()).or_default();
                    remove.iter().for_each(|first| _ = ranges.remove(first));
                    ranges.extend(put.iter().copied());
                }
                IdSetDiff::Exact { add } => {
                    let set = next.exact.entry(id.key.clone()).or_default();
                    for one in add {
                        assert!(set.insert(one.clone()), "an id is added once: {one}");
                    }
                }
            }
        }
        let rejected = next.rejected.entry(partition).or_default();
        rejected.extend(&transaction.rejected);
        for change in &transaction.dirty {
            let key = (change.instrument.clone(), change.start_ns);
            match &change.mark {
                Some(mark) => {
                    let forgetful = self.mutant == Some(Mutant::MarkedMinuteTradesLost);
                    let later = mark.later.clone().filter(|_| !forgetful);
                    let mark = RefoldMark {
                        later,
                        ..mark.clone()
                    };
                    next.dirty.insert(key, mark);
                }
                None => _ = next.dirty.remove(&key),
            }
        }
        if self.mutant != Some(Mutant::PendingAmendmentsLost) {
            next.ahead.extend(transaction.ahead.iter().cloned());
        }
    }

    fn push_commit(&self, next: StoredState, partition: u32) {
        let mut state = self.state.lock().unwrap();
        state.history.push(next);
        state.committed.insert(partition);
        state.commits += 1;
    }
}

impl BarStore for SimBarStore {
    type Snapshot = Self;

    async fn load(&self, partition: u32, epoch: u64) -> Result<PartitionState, StoreError> {
        self.call().await?;
        let mut state = self.state.lock().unwrap();
        let stored = state.history.last_mut().unwrap();
        let progress = *stored
            .progress
            .entry(partition)
            .or_insert(PartitionProgress {
                partition,
                epoch,
                next_offset: 0,
                updates: Position::default(),
                append_time_ns: 0,
            });
        let here = |instrument: &Instrument| {
            schemas::partition_of(instrument.key().as_bytes(), self.partitions) == partition
        };
        let venues = stored.venues.iter().filter(|((of, _), _)| *of == partition);
        Ok(PartitionState {
            progress,
            symbols: stored
                .symbols
                .values()
                .filter(|row| here(&row.instrument))
                .cloned()
                .collect(),
            venues: venues
                .map(|((_, venue), settings)| VenueRow {
                    venue: venue.clone(),
                    settings: *settings,
                })
                .collect(),
            open_bars: stored
                .bars
                .iter()
                .filter(|((instrument, _), row)| here(instrument) && !row.closed)
                .map(|((instrument, _), row)| StoredBar {
                    instrument: instrument.clone(),
                    row: row.clone(),
                })
                .collect(),
            dirty: stored.dirty_of(&here),
            ahead: stored
                .ahead
                .iter()
                .filter(|row| here(&row.key.instrument))
                .cloned()
                .collect(),
        })
    }

    async fn adopt(&self, _: &str, _: &str) -> Result<u64, StoreError> {
        unreachable!("the simulation sets the epochs")
    }

    async fn commit(&self, transaction: &Transaction) -> Result<CommitOutcome, StoreError> {
        self.call().await?;
        let partition = transaction.progress.partition;
        let mut next = self.read_stored(StoredState::clone);
        if !self.compare_and_set(transaction, &mut next) {
            return Ok(CommitOutcome::Lost);
        }
        if self.mutant == Some(Mutant::PositionBeforeState) {
            self.state.lock().unwrap().history.push(next);
            self.random.pause(10).await;
            next = self.read_stored(StoredState::clone);
        }
        self.apply_transaction(transaction, &mut next);
        self.push_commit(next, partition);
        self.random.pause(2).await;
        if self.is_answer_lost() {
            return Err(Self::unavailable("the answer was lost"));
        }
        Ok(CommitOutcome::Committed)
    }

    async fn snapshot(&self) -> Result<Self, StoreError> {
        Ok(self.clone())
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.sync_now();
        Ok(())
    }

    async fn expire(&self, _: i64, _: i64) -> Result<u64, StoreError> {
        Ok(0)
    }
}

impl BarReader for SimBarStore {
    async fn progress(&self) -> Result<Vec<PartitionProgress>, StoreError> {
        self.call().await?;
        Ok(self.read_stored(|stored| stored.progress.values().copied().collect()))
    }

    async fn bars(&self, keys: &[BarKey]) -> Result<Vec<Option<BarRow>>, StoreError> {
        self.call().await?;
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

    async fn ids(&self, keys: &[IdSetKey]) -> Result<Vec<IdSetRow>, StoreError> {
        self.call().await?;
        let row = |stored: &StoredState, key: &IdSetKey| {
            let ranges = stored.ranges.get(key).into_iter().flatten();
            let exact = stored.exact.get(key).into_iter().flatten();
            IdSetRow {
                ranges: ranges.map(|(first, last)| (*first, *last)).collect(),
                exact: exact.cloned().collect(),
                last_append_ns: stored.id_appends.get(key).copied().unwrap_or(0),
            }
        };
        Ok(self.read_stored(|stored| keys.iter().map(|key| row(stored, key)).collect()))
    }

    async fn id_ranges(&self, _: &IdRangeQuery) -> Result<Vec<(IdSetKey, IdRanges)>, StoreError> {
        unreachable!("no role asks for gaps")
    }

    async fn symbol(&self, _: &Instrument) -> Result<Option<SymbolRow>, StoreError> {
        unreachable!("no role asks for one symbol")
    }

    async fn symbols(&self, _: &SymbolQuery) -> Result<Vec<SymbolRow>, StoreError> {
        unreachable!("no role lists symbols")
    }

    async fn venue(&self, _: &Venue, _: u32) -> Result<Option<VenueSettings>, StoreError> {
        unreachable!("no role asks for one venue")
    }

    async fn venues(&self) -> Result<Vec<VenueRow>, StoreError> {
        unreachable!("no role lists venues")
    }

    async fn rejected(
        &self,
        partition: u32,
        epoch: u64,
        first: u64,
        end: u64,
    ) -> Result<Vec<ExcludedRange>, StoreError> {
        self.call().await?;
        let within =
            |range: &ExcludedRange| range.epoch == epoch && range.first < end && range.end > first;
        Ok(self.read_stored(|stored| {
            let ranges = stored.rejected.get(&partition).into_iter().flatten();
            ranges.filter(|range| within(range)).copied().collect()
        }))
    }

    async fn dirty(&self, _: u32) -> Result<Vec<DirtyMinuteRow>, StoreError> {
        unreachable!("no role asks for marks alone")
    }

    async fn epoch(&self, _: &str, _: &str) -> Result<Option<u64>, StoreError> {
        unreachable!("the simulation sets the epochs")
    }
}
