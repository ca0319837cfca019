//! Reading the log: records come in, and are folded.

use clock::{Clock, duration_ns};
use eventlog::{Batch, Log, LogError, Record};
use store::{BarStore, HotStore, TickStore};
use tokio_util::sync::CancellationToken;

use super::session::{End, Session};
use crate::WorkerError;

/// So many rows may wait to be written: what a store takes in a few seconds.
const MOST_UNWRITTEN: usize = 500_000;

/// What the log gave.
enum Fetched {
    Records(Batch),
    /// Nothing for now.
    Nothing,
    /// It does not hold the next record.
    OutOfRange(LogError),
}

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
    /// Waits before the log is asked again, which did not answer.
    pub(super) async fn spare_log(&mut self, stop: &CancellationToken, reason: &str) {
        let worker = self.worker;
        let backoff = self
            .log_backoff
            .get_or_insert_with(|| worker.retries().backoff());
        // That it is to stop the loop sees.
        worker.pause(stop, backoff, reason).await;
    }

    /// Asks the log for the next records.
    async fn fetch(&mut self, stop: &CancellationToken) -> Result<Fetched, WorkerError> {
        let worker = self.worker;
        let (partition, next) = (worker.partition, self.core.next_offset());
        let trades = &worker.topics.trades;
        let fetch = trades.fetch(partition, next, worker.pace.fetch_bytes);
        let fetched = clock::timeout(&worker.stores.clock, worker.pace.call_timeout, fetch).await;
        let reason = match fetched {
            Ok(Ok(batch)) => {
                if self.log_backoff.take().is_some() {
                    self.say_ready();
                }
                return Ok(Fetched::Records(batch));
            }
            Ok(Err(error @ LogError::OutOfRange { .. })) => return Ok(Fetched::OutOfRange(error)),
            // Waiting for it says so too, and ends the session.
            Ok(Err(LogError::Closed)) => return Ok(Fetched::Nothing),
            Ok(Err(error)) if error.is_transient() => error.to_string(),
            Ok(Err(source)) => return Err(worker.log(source)),
            Err(elapsed) => elapsed.to_string(),
        };
        self.spare_log(stop, &reason).await;
        Ok(Fetched::Nothing)
    }

    /// Ends the session where the log does not hold the next record. What was folded before it
    /// was dropped is kept, and loaded again: another may have moved the partition on meanwhile,
    /// and then the next record is a later one. What lies beyond the end was folded of records
    /// that the log has lost.
    pub(super) async fn out_of_range(
        &mut self,
        stop: &CancellationToken,
        error: &LogError,
    ) -> Result<End, WorkerError> {
        self.spare_log(stop, &error.to_string()).await;
        let ended = match error.is_below_retention() {
            true => self.commit_all(stop).await?,
            false => None,
        };
        Ok(ended.unwrap_or(End::OutOfRange))
    }

    /// Fetches records and folds them all, or says how the session ends instead.
    pub(super) async fn take(
        &mut self,
        stop: &CancellationToken,
    ) -> Result<Option<End>, WorkerError> {
        let worker = self.worker;
        let batch = match self.fetch(stop).await? {
            Fetched::Records(batch) => batch,
            Fetched::Nothing => return Ok(None),
            Fetched::OutOfRange(error) => return self.out_of_range(stop, &error).await.map(Some),
        };
        let bytes = |record: &Record| (record.key.len() + record.value.len()) as u64;
        self.folded_bytes += batch.records.iter().map(bytes).sum::<u64>();
        let mut records = batch.records.as_slice();
        while !records.is_empty() {
            let applied = self.core.apply(records);
            records = &records[applied..];
            if records.is_empty() {
                break;
            }
            if let Some(end) = self.supply(stop).await? {
                return Ok(Some(end));
            }
        }
        let now_ns = worker.stores.clock.monotonic_ns();
        self.next_advance_ns = now_ns + duration_ns(worker.pace.advance_every);
        worker.metrics.count(&self.core.take_counts());
        Ok(None)
    }

    /// Whether more may be folded before what was folded is committed; where not, it says so.
    /// What waits is one transaction, which the store has to take within the time of a call.
    pub(super) fn is_hungry(&self) -> bool {
        let waiting = self.folded_bytes - self.committed_bytes;
        let worker = self.worker;
        worker.metrics.uncommitted_bytes.set(waiting as f64);
        let most = worker.pace.uncommitted_bytes;
        let reason = if waiting >= most {
            format!("{waiting} bytes of records are folded and the store does not take them")
        } else if waiting >= most / 16 && self.core.unwritten() >= MOST_UNWRITTEN {
            format!("{MOST_UNWRITTEN} rows wait for the store, which does not take them")
        } else {
            return true;
        };
        worker
            .health
            .not_ready(format!("fetching is paused: {reason}"));
        false
    }
}
