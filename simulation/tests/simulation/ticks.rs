//! A tick store with the same faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use market::{Instrument, Position};
use store::{StoreError, Tick, TickBlock, TickStore};

use crate::random::Random;

/// Rows by (partition, offset), as often as they were written, and the positions.
#[derive(Clone, Default)]
pub struct Archived {
    pub rows: BTreeMap<(u32, u64), Vec<(Instrument, i64, bytes::Bytes)>>,
    pub positions: BTreeMap<u32, Position>,
}

struct State {
    history: Vec<Archived>,
    faults: bool,
}

#[derive(Clone)]
pub struct SimTickStore {
    state: Arc<Mutex<State>>,
    random: Random,
}

impl SimTickStore {
    pub fn new(random: &Random) -> Self {
        let state = State {
            history: vec![Archived::default()],
            faults: true,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            random: random.clone(),
        }
    }

    pub fn look<T>(&self, read: impl FnOnce(&Archived) -> T) -> T {
        read(self.state.lock().unwrap().history.last().unwrap())
    }

    pub fn calm(&self) {
        self.state.lock().unwrap().faults = false;
    }

    pub fn lose_power(&self) {
        let history = &mut self.state.lock().unwrap().history;
        let kept = self.random.below(history.len() as u64) + 1;
        history.truncate(usize::try_from(kept).unwrap());
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
    async fn position(&self, partition: u32) -> Result<Option<Position>, StoreError> {
        self.call().await?;
        Ok(self.look(|archived| archived.positions.get(&partition).copied()))
    }

    async fn insert(&self, blocks: &[TickBlock]) -> Result<(), StoreError> {
        self.call().await?;
        let mut next = self.look(Archived::clone);
        for block in blocks {
            for tick in &block.ticks {
                assert!((block.hour_ns..block.hour_ns + market::HOUR_NS).contains(&tick.time_ns));
                let row = (block.instrument.clone(), tick.append_time_ns, tick.value.clone());
                next.rows.entry((block.partition, tick.offset)).or_default().push(row);
            }
        }
        self.state.lock().unwrap().history.push(next);
        self.random.pause(2).await;
        self.maybe_fail("the answer was lost", 15)
    }

    async fn set_position(&self, partition: u32, position: Position) -> Result<(), StoreError> {
        self.call().await?;
        let mut next = self.look(Archived::clone);
        let known = next.positions.entry(partition).or_insert(position);
        *known = (*known).max(position);
        self.state.lock().unwrap().history.push(next);
        Ok(())
    }

    async fn read(&self, _: &Instrument, _: i64, _: i64) -> Result<Vec<Tick>, StoreError> {
        unreachable!("the world reads the archive directly")
    }

    async fn hours(&self, _: &Instrument, _: i64, _: i64) -> Result<Vec<(i64, u64)>, StoreError> {
        unreachable!("the world reads the archive directly")
    }

    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn expire(&self, _: i64) -> Result<u64, StoreError> {
        Ok(0)
    }
}
