//! A simulated tick store, with the same faults as the bar store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use market::{Instrument, Position};
use schemas::TradesTopicRecord;
use store::{ArchiveProgress, StoreError, Tick, TickBlock, TickStore};

use crate::mutant::Mutant;
use crate::random::Random;

/// An archived tick: its instrument, append time and value.
pub type ArchivedTick = (Instrument, i64, bytes::Bytes);

/// One write to the store.
enum TickWrite {
    Ticks(Vec<((u32, Position), ArchivedTick)>),
    Progress(u32, ArchiveProgress),
}

struct TickStoreState {
    /// Every write, in order. A loss of power drops some of the newest.
    writes: Vec<TickWrite>,
    /// The number of writes that survive a loss of power.
    synced: usize,
    /// Trades appended before the first time are deleted, edits and cancels before the second.
    expired_before_ns: (i64, i64),
    faults: bool,
}

impl TickStoreState {
    const fn is_expired(&self, is_amendment: bool, append_time_ns: i64) -> bool {
        let (trades_before_ns, amendments_before_ns) = self.expired_before_ns;
        match is_amendment {
            true => append_time_ns < amendments_before_ns,
            false => append_time_ns < trades_before_ns,
        }
    }
}

#[derive(Clone)]
pub struct SimTickStore {
    state: Arc<Mutex<TickStoreState>>,
    random: Random,
    mutant: Option<Mutant>,
}

impl SimTickStore {
    pub fn new(random: &Random, mutant: Option<Mutant>) -> Self {
        let state = TickStoreState {
            writes: Vec::new(),
            synced: 0,
            expired_before_ns: (0, 0),
            faults: true,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            random: random.clone(),
            mutant,
        }
    }

    /// Returns the ticks by (partition, position), with a copy for each time a tick was written.
    pub fn archived_ticks(&self) -> BTreeMap<(u32, Position), Vec<ArchivedTick>> {
        let mut rows: BTreeMap<_, Vec<ArchivedTick>> = BTreeMap::new();
        let state = self.state.lock().unwrap();
        for write in &state.writes {
            if let TickWrite::Ticks(written) = write {
                let kept = written.iter().filter(|(_, (_, append_time_ns, value))| {
                    let is_amendment = TradesTopicRecord::begins_as_amendment(value);
                    !state.is_expired(is_amendment, *append_time_ns)
                });
                for (place, row) in kept {
                    rows.entry(*place).or_default().push(row.clone());
                }
            }
        }
        rows
    }

    /// Deletes trades appended before the first time, and edits and cancels before the second.
    pub fn delete_expired(&self, trades_before_ns: i64, amendments_before_ns: i64) {
        let mut state = self.state.lock().unwrap();
        state.expired_before_ns = match self.mutant {
            Some(Mutant::AmendmentsExpireWithTrades) => (trades_before_ns, trades_before_ns),
            _ => (trades_before_ns, amendments_before_ns),
        };
    }

    /// Returns whether a tick that was appended at a time is deleted.
    pub fn is_expired(&self, is_amendment: bool, append_time_ns: i64) -> bool {
        let state = self.state.lock().unwrap();
        state.is_expired(is_amendment, append_time_ns)
    }

    /// Returns the ticks of an instrument in `[start_ns, end_ns)`, in order of their positions.
    pub fn ticks_of(&self, instrument: &Instrument, start_ns: i64, end_ns: i64) -> Vec<Tick> {
        let mut ticks = Vec::new();
        for ((_, position), rows) in self.archived_ticks() {
            let (of, append_time_ns, value) = &rows[0];
            let (trade, amendment) = match TradesTopicRecord::decode(value) {
                Ok(TradesTopicRecord::Trade(trade)) => (trade, None),
                Ok(TradesTopicRecord::Amendment(amendment, trade)) => (trade, Some(amendment)),
                _ => unreachable!("only ticks are archived"),
            };
            if of == instrument && (start_ns..end_ns).contains(&trade.time_ns) {
                ticks.push(Tick {
                    trade,
                    amendment,
                    position,
                    append_time_ns: *append_time_ns,
                });
            }
        }
        ticks
    }

    /// Returns the position up to which a partition is archived.
    pub fn archived_to(&self, partition: u32) -> Option<Position> {
        self.newest_progress(partition)
            .map(|archived| archived.next_position)
    }

    fn newest_progress(&self, partition: u32) -> Option<ArchiveProgress> {
        let state = self.state.lock().unwrap();
        state.writes.iter().rev().find_map(|write| match write {
            TickWrite::Progress(of, archived) if *of == partition => Some(*archived),
            _ => None,
        })
    }

    pub fn enable_faults(&self) {
        self.state.lock().unwrap().faults = true;
    }

    pub fn disable_faults(&self) {
        self.state.lock().unwrap().faults = false;
    }

    pub fn lose_power(&self) {
        let mut state = self.state.lock().unwrap();
        let unsynced = state.writes.len() - state.synced;
        let lost = self.random.below(unsynced.min(8) as u64 + 1);
        let kept = state.writes.len() - usize::try_from(lost).unwrap();
        state.writes.truncate(kept);
    }

    pub fn sync_now(&self) {
        let mut state = self.state.lock().unwrap();
        state.synced = state.writes.len();
    }

    async fn simulate_call(&self) -> Result<(), StoreError> {
        self.random.pause(3).await;
        self.maybe_fail("a failed call", 20)
    }

    fn maybe_fail(&self, reason: &str, times: u64) -> Result<(), StoreError> {
        if self.state.lock().unwrap().faults && self.random.one_in(times) {
            return Err(StoreError::Unavailable {
                store: "simulated ticks".to_owned(),
                reason: reason.to_owned(),
            });
        }
        Ok(())
    }
}

impl TickStore for SimTickStore {
    async fn archive_progress(
        &self,
        partition: u32,
    ) -> Result<Option<ArchiveProgress>, StoreError> {
        self.simulate_call().await?;
        Ok(self.newest_progress(partition))
    }

    async fn insert(&self, blocks: &[TickBlock]) -> Result<(), StoreError> {
        self.simulate_call().await?;
        let mut rows = Vec::new();
        for block in blocks {
            for tick in &block.ticks {
                assert!((block.hour_ns..block.hour_ns + market::HOUR_NS).contains(&tick.time_ns));
                let row = (
                    block.instrument.clone(),
                    tick.append_time_ns,
                    tick.value.clone(),
                );
                let position = Position {
                    epoch: block.epoch,
                    offset: tick.offset,
                };
                rows.push(((block.partition, position), row));
            }
        }
        self.state
            .lock()
            .unwrap()
            .writes
            .push(TickWrite::Ticks(rows));
        self.random.pause(2).await;
        self.maybe_fail("the answer was lost", 15)
    }

    async fn advance_archive_progress(
        &self,
        partition: u32,
        archived: ArchiveProgress,
    ) -> Result<(), StoreError> {
        self.simulate_call().await?;
        let known = self.newest_progress(partition).unwrap_or(archived);
        let archived = ArchiveProgress {
            next_position: archived.next_position.max(known.next_position),
            append_time_ns: match self.mutant {
                Some(Mutant::AppendTimeLost) => 0,
                _ => archived.append_time_ns.max(known.append_time_ns),
            },
        };
        let write = TickWrite::Progress(partition, archived);
        self.state.lock().unwrap().writes.push(write);
        Ok(())
    }

    async fn read(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<Tick>, StoreError> {
        self.simulate_call().await?;
        Ok(self.ticks_of(instrument, start_ns, end_ns))
    }

    async fn hours_with_tick_count_upper_bounds(
        &self,
        _: &Instrument,
        _: i64,
        _: i64,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        unreachable!("the checks read the archive directly")
    }

    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn delete_expired_block_batch(&self, _: i64, _: i64) -> Result<u64, StoreError> {
        unreachable!("the simulation deletes what is old by itself")
    }
}
