//! A simulated bar store, which is slow, fails before or after a write, and loses unsynced commits
//! when power is lost.

mod store_impl;
mod stored_state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use market::Decimal;
use store::{PartitionTransaction, RefoldMark, StoreError, StoredBar};

pub use self::stored_state::StoredState;
use crate::log::SimLog;
use crate::mutant::Mutant;
use crate::random::Random;

/// The number of commits that a loss of power may undo.
const UNSYNCED_COMMITS: usize = 100;

/// The price that a bar cannot have in a store that refuses it: the greatest of all.
pub fn refused_price() -> Decimal {
    Decimal::new(999_999_999_999_999_999, 0).unwrap()
}

struct State {
    /// Every state since the last sync, the newest last.
    history: Vec<StoredState>,
    faults: bool,
    /// The number of next calls that fail.
    outage: u64,
    /// The partitions that were committed since they were last checked.
    committed: BTreeSet<u32>,
    /// The worker that made the last commit of each partition.
    committers: BTreeMap<u32, u64>,
    /// The ticket of the last update that was announced when a worker last loaded its state.
    session_starts: BTreeMap<u64, u64>,
    /// Whether bars are refused whose high is [`refused_price`].
    refuses_price: bool,
    /// Whether closed bars are refused, except those with late trades.
    refuses_closed: bool,
    /// The workers whose commit was refused by compare-and-set.
    losers: BTreeSet<u64>,
    pub lost: u64,
    pub commits: u64,
}

/// Reads the stored state, slowly and sometimes with a failure.
#[derive(Clone)]
pub struct SimBarReader {
    state: Arc<Mutex<State>>,
    random: Random,
    knows_epoch_ends: bool,
    /// Mutant: the number of reads of the progress, all but the first of which claim that every
    /// update is stored.
    reads_of_claimed_progress: Option<Arc<AtomicU64>>,
    mutant: Option<Mutant>,
}

/// A handle of the store that belongs to one worker.
#[derive(Clone)]
pub struct SimBarStore {
    reader: SimBarReader,
    partitions: u32,
    mutant: Option<Mutant>,
    worker: u64,
    /// The topic in which the worker announces what it will commit.
    updates: Option<SimLog>,
}

impl SimBarReader {
    fn read_stored<T>(&self, read: impl FnOnce(&StoredState) -> T) -> T {
        let state = self.state.lock().unwrap();
        read(state.history.last().unwrap())
    }

    fn unavailable(reason: &str) -> StoreError {
        StoreError::Unavailable {
            store: "simulated".to_owned(),
            reason: reason.to_owned(),
        }
    }

    async fn simulate_call(&self) -> Result<(), StoreError> {
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
}

impl SimBarStore {
    pub fn new(partitions: u32, random: &Random, mutant: Option<Mutant>) -> Self {
        let state = State {
            history: vec![StoredState {
                epoch: 1,
                ignores_epoch_ends: mutant == Some(Mutant::TicksBeyondEpochEndCount),
                ..StoredState::default()
            }],
            faults: true,
            outage: 0,
            committed: BTreeSet::new(),
            committers: BTreeMap::new(),
            session_starts: BTreeMap::new(),
            refuses_price: false,
            refuses_closed: false,
            losers: BTreeSet::new(),
            lost: 0,
            commits: 0,
        };
        Self {
            reader: SimBarReader {
                state: Arc::new(Mutex::new(state)),
                random: random.clone(),
                knows_epoch_ends: mutant != Some(Mutant::PodKeepsStatesBeyondEpochEnd),
                reads_of_claimed_progress: None,
                mutant,
            },
            partitions,
            mutant,
            worker: 0,
            updates: None,
        }
    }

    /// Refuses bars whose high is [`refused_price`], from now on.
    pub fn refuse_price(&self) {
        self.reader.state.lock().unwrap().refuses_price = true;
    }

    /// Refuses closed bars, except those with late trades, from now on.
    pub fn refuse_closed(&self) {
        self.reader.state.lock().unwrap().refuses_closed = true;
    }

    pub fn refuses_price(&self) -> bool {
        self.reader.state.lock().unwrap().refuses_price
    }

    /// Returns the error for a transaction with a bar that the store cannot hold.
    fn check_bars(&self, transaction: &PartitionTransaction) -> Result<(), StoreError> {
        let refused = refused_price();
        let (refuses_price, refuses_closed) = {
            let state = self.reader.state.lock().unwrap();
            (state.refuses_price, state.refuses_closed)
        };
        let is_refused = |bar: &StoredBar| {
            let has_price = bar.row.bar.trades > 0 && bar.row.bar.high == refused;
            (refuses_price && has_price)
                || (refuses_closed && bar.row.closed && bar.row.revision == 0)
        };
        match transaction.bars.iter().any(is_refused) {
            true => Err(StoreError::DataRefused {
                store: "simulated".to_owned(),
                reason: "no bar can be like this".to_owned(),
            }),
            false => Ok(()),
        }
    }

    /// Returns the handle of a pod's follower of one partition.
    pub fn for_follower(&self) -> Self {
        let mut follower = self.clone();
        if self.mutant == Some(Mutant::MissedUpdatesTrusted) {
            follower.reader.reads_of_claimed_progress = Some(Arc::default());
        }
        follower
    }

    pub fn for_worker(&self, worker: u64, updates: &SimLog) -> Self {
        Self {
            worker,
            updates: Some(updates.clone()),
            ..self.clone()
        }
    }

    pub fn read_stored<T>(&self, read: impl FnOnce(&StoredState) -> T) -> T {
        self.reader.read_stored(read)
    }

    pub fn take_committed(&self) -> BTreeSet<u32> {
        std::mem::take(&mut self.reader.state.lock().unwrap().committed)
    }

    /// Returns the worker that made the last commit of a partition, and the ticket of the last
    /// update that was announced before it loaded the state.
    pub fn last_committer(&self, partition: u32) -> (u64, u64) {
        let state = self.reader.state.lock().unwrap();
        let worker = state.committers[&partition];
        (worker, state.session_starts[&worker])
    }

    pub fn take_losers(&self) -> BTreeSet<u64> {
        std::mem::take(&mut self.reader.state.lock().unwrap().losers)
    }

    pub fn commit_counts(&self) -> (u64, u64) {
        let state = self.reader.state.lock().unwrap();
        (state.commits, state.lost)
    }

    pub fn enable_faults(&self) {
        self.reader.state.lock().unwrap().faults = true;
    }

    pub fn disable_faults(&self) {
        let mut state = self.reader.state.lock().unwrap();
        state.faults = false;
        state.outage = 0;
    }

    pub fn start_outage(&self, calls: u64) {
        self.reader.state.lock().unwrap().outage = calls;
    }

    /// Moves every partition to an epoch of the log; returns whether any was at an earlier one.
    pub fn adopt_epoch(&self, epoch: u64) -> bool {
        let mut state = self.reader.state.lock().unwrap();
        let mut next = state.history.last().unwrap().clone();
        if next.epoch >= epoch {
            return false;
        }
        for partition in 0..self.partitions {
            // A partition that no worker has loaded, or whose row is lost, ends where it began.
            let row = next.progress.get_mut(&partition);
            let end = row.as_ref().map_or(0, |row| row.next_offset);
            next.switched.insert((next.epoch, partition), end);
            if let Some(row) = row {
                row.epoch = epoch;
                row.next_offset = 0;
            }
        }
        if self.mutant != Some(Mutant::SettingsDifferInNextEpoch) {
            next.equalize_settings(self.partitions);
        }
        next.epoch = epoch;
        // The switch survives a loss of power, with all commits before it.
        state.history = vec![next];
        true
    }

    /// Deletes ids and verdicts appended before the first time, and verdicts of edits and cancels
    /// appended before the second.
    pub fn delete_expired(&self, ids_before_ns: i64, amendments_before_ns: i64) {
        let amendments_before_ns = match self.mutant {
            Some(Mutant::AmendmentVerdictsExpireWithTrades) => ids_before_ns,
            _ => amendments_before_ns,
        };
        let mut next = self.read_stored(StoredState::clone);
        next.delete_expired(ids_before_ns, amendments_before_ns);
        self.reader.state.lock().unwrap().history.push(next);
    }

    pub fn sync_now(&self) {
        let history = &mut self.reader.state.lock().unwrap().history;
        history.drain(..history.len() - 1);
    }

    /// Drops some of the unsynced commits, as a loss of power does.
    pub fn lose_power(&self) {
        let history = &mut self.reader.state.lock().unwrap().history;
        let kept = self.reader.random.below(history.len() as u64) + 1;
        history.truncate(usize::try_from(kept).unwrap());
    }

    fn is_answer_lost(&self) -> bool {
        self.reader.state.lock().unwrap().faults && self.reader.random.one_in(15)
    }

    /// Moves the progress row if it is where the transaction expects it.
    fn compare_and_set(&self, transaction: &PartitionTransaction, next: &mut StoredState) -> bool {
        let row = next.progress.get(&transaction.progress.partition);
        let found = row.map(|row| row.next_position());
        assert!(
            transaction.expected <= found.unwrap_or_default(),
            "a worker expects {} and never stored it: the row is at {found:?}",
            transaction.expected
        );
        if found != Some(transaction.expected) && self.mutant != Some(Mutant::NoCompareAndSet) {
            let mut state = self.reader.state.lock().unwrap();
            state.losers.insert(self.worker);
            state.lost += 1;
            return false;
        }
        let progress = transaction.progress;
        next.progress.insert(progress.partition, progress);
        true
    }

    fn apply_transaction(&self, transaction: &PartitionTransaction, next: &mut StoredState) {
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
                .insert((partition, row.venue.clone()), row.declared());
        }
        for id in &transaction.id_sets {
            next.id_appends.insert(id.key.clone(), id.last_append_ns);
            next.apply_id_writes(&id.key, &id.writes);
        }
        let rejected = next.excluded_ranges.entry(partition).or_default();
        rejected.extend(&transaction.excluded_ranges);
        let rejected = next.excluded_amendments.entry(partition).or_default();
        rejected.extend(&transaction.excluded_amendments);
        for change in &transaction.dirty_minutes {
            let key = (change.instrument.clone(), change.start_ns);
            match &change.mark {
                Some(mark) => {
                    let forgetful = self.mutant == Some(Mutant::MarkedMinuteTradesLost);
                    let later_bar = mark.later_bar.clone().filter(|_| !forgetful);
                    let mark = RefoldMark {
                        later_bar,
                        ..mark.clone()
                    };
                    next.dirty.insert(key, mark);
                }
                None => _ = next.dirty.remove(&key),
            }
        }
        if self.mutant != Some(Mutant::PendingAmendmentsLost) {
            next.pending_amendments
                .extend(transaction.pending_amendments.iter().cloned());
        }
    }

    fn push_commit(&self, next: StoredState, partition: u32) {
        let mut state = self.reader.state.lock().unwrap();
        state.history.push(next);
        // The disk keeps up after a while, and each state is a copy of its own.
        let excess = state.history.len().saturating_sub(UNSYNCED_COMMITS);
        state.history.drain(..excess);
        state.committed.insert(partition);
        state.committers.insert(partition, self.worker);
        state.commits += 1;
    }
}
