//! A tick store with the same faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use market::{Instrument, Position};
use schemas::TradesRecord;
use store::{ArchiveProgress, StoreError, Tick, TickBlock, TickStore};

use crate::random::Random;
use crate::world::Mutant;

/// One tick as it was archived.
pub type Row = (Instrument, i64, bytes::Bytes);

/// What was written, in order.
enum Write {
    Rows(Vec<((u32, Position), Row)>),
    Archived(u32, ArchiveProgress),
}

struct State {
    /// All that is stored; a loss of power takes some of the newest.
    writes: Vec<Write>,
    /// How many of them no loss of power takes.
    synced: usize,
    faults: bool,
}

#[derive(Clone)]
pub struct SimTickStore {
    state: Arc<Mutex<State>>,
    random: Random,
    mutant: Option<Mutant>,
}

impl SimTickStore {
    pub fn new(random: &Random, mutant: Option<Mutant>) -> Self {
        let state = State {
            writes: Vec::new(),
            synced: 0,
            faults: true,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            random: random.clone(),
            mutant,
        }
    }

    /// The ticks by (partition, position), as often as they were written.
    pub fn rows(&self) -> BTreeMap<(u32, Position), Vec<Row>> {
        let mut rows: BTreeMap<_, Vec<Row>> = BTreeMap::new();
        for write in &self.state.lock().unwrap().writes {
            if let Write::Rows(written) = write {
                for (place, row) in written {
                    rows.entry(*place).or_default().push(row.clone());
                }
            }
        }
        rows
    }

    /// Up to where a partition is archived.
    pub fn reached(&self, partition: u32) -> Option<Position> {
        self.newest(partition)
            .map(|archived| archived.next_position)
    }

    fn newest(&self, partition: u32) -> Option<ArchiveProgress> {
        let state = self.state.lock().unwrap();
        state.writes.iter().rev().find_map(|write| match write {
            Write::Archived(of, archived) if *of == partition => Some(*archived),
            _ => None,
        })
    }

    pub fn trouble_again(&self) {
        self.state.lock().unwrap().faults = true;
    }

    pub fn calm(&self) {
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

    async fn call(&self) -> Result<(), StoreError> {
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
        self.call().await?;
        Ok(self.newest(partition))
    }

    async fn insert(&self, blocks: &[TickBlock]) -> Result<(), StoreError> {
        self.call().await?;
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
        self.state.lock().unwrap().writes.push(Write::Rows(rows));
        self.random.pause(2).await;
        self.maybe_fail("the answer was lost", 15)
    }

    async fn set_archive_progress(
        &self,
        partition: u32,
        archived: ArchiveProgress,
    ) -> Result<(), StoreError> {
        self.call().await?;
        let known = self.newest(partition).unwrap_or(archived);
        let archived = ArchiveProgress {
            next_position: archived.next_position.max(known.next_position),
            append_time_ns: match self.mutant {
                Some(Mutant::AppendTimeForgotten) => 0,
                _ => archived.append_time_ns.max(known.append_time_ns),
            },
        };
        let write = Write::Archived(partition, archived);
        self.state.lock().unwrap().writes.push(write);
        Ok(())
    }

    async fn read(
        &self,
        instrument: &Instrument,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Vec<Tick>, StoreError> {
        self.call().await?;
        let mut ticks = Vec::new();
        for ((_, position), rows) in self.rows() {
            let (of, append_time_ns, value) = &rows[0];
            let (trade, amendment) = match TradesRecord::decode(value) {
                Ok(TradesRecord::Trade(trade)) => (trade, None),
                Ok(TradesRecord::Amendment(amendment, trade)) => (trade, Some(amendment)),
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
        Ok(ticks)
    }

    async fn hours_with_ticks(
        &self,
        _: &Instrument,
        _: i64,
        _: i64,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        unreachable!("the world reads the archive directly")
    }

    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn delete_expired(&self, _: i64) -> Result<u64, StoreError> {
        Ok(0)
    }
}
