//! What a record needs that is not in memory.

use clock::Clock;
use eventlog::Log;
use store::{BarReader, BarStore, HotStore, TickStore};
use tokio_util::sync::CancellationToken;

use super::session::{End, Session};
use crate::{Need, Supply, WorkerError};

impl<L, U, D, S, T, H, C> Session<'_, L, U, D, S, T, H, C>
where
    L: Log,
    U: Log,
    D: Log,
    S: BarStore,
    T: TickStore,
    H: HotStore,
    C: Clock,
{
    /// Loads what the core asks for, or says how the session ends instead.
    pub(super) async fn supply(
        &mut self,
        stop: &CancellationToken,
    ) -> Result<Option<End>, WorkerError> {
        let (mut keys, mut minutes) = (Vec::new(), Vec::new());
        let (mut sets, mut are_ranged) = (Vec::new(), Vec::new());
        for need in self.core.needs() {
            match need {
                Need::Bar(key) => keys.push(key.clone()),
                Need::Ids { key, ranged } => {
                    sets.push(key.clone());
                    are_ranged.push(*ranged);
                }
                Need::Ticks { .. } => minutes.push(need.clone()),
            }
        }
        if !minutes.is_empty()
            && let Some(end) = self.commit_all(stop).await?
        {
            return Ok(Some(end));
        }
        let bars = &self.worker.stores.bars;
        let mut supplies = Vec::with_capacity(keys.len() + sets.len());
        if !keys.is_empty() {
            let Some(rows) = self.worker.ask_store(stop, || bars.bars(&keys)).await? else {
                return Ok(Some(End::Stopped));
            };
            let rows = keys.iter().cloned().zip(rows);
            supplies.extend(rows.map(|(key, row)| Supply::Bar(key, row.map(Box::new))));
        }
        if !sets.is_empty() {
            let Some(rows) = self.worker.ask_store(stop, || bars.id_sets(&sets)).await? else {
                return Ok(Some(End::Stopped));
            };
            let rows = sets.into_iter().zip(are_ranged).zip(rows);
            supplies.extend(rows.map(|((key, ranged), row)| Supply::Ids { key, ranged, row }));
        }
        for need in minutes {
            let Some(supply) = self.fold_ticks(stop, need).await? else {
                return Ok(Some(End::Stopped));
            };
            supplies.push(supply);
        }
        match self.still_owns(stop).await? {
            None => return Ok(Some(End::Stopped)),
            Some(false) => return Ok(Some(End::Lost)),
            Some(true) => self.core.supply(supplies),
        }
        self.say_ready();
        Ok(None)
    }

    /// Whether no other worker has moved the partition. What was read from the store before is
    /// of this worker's past then; otherwise it may hold records that are not folded here yet,
    /// and would count them twice.
    async fn still_owns(&mut self, stop: &CancellationToken) -> Result<Option<bool>, WorkerError> {
        let bars = &self.worker.stores.bars;
        let rows = self
            .worker
            .ask_store(stop, || bars.partition_progress())
            .await?;
        Ok(rows.map(|rows| {
            let row = rows
                .into_iter()
                .find(|row| row.partition == self.worker.partition);
            let place = row.map(|row| row.next_position());
            let target = self.committing.as_ref().map(|step| step.target);
            place == Some(self.stored) || (target.is_some() && place == target)
        }))
    }
}
