//! One stretch of folding, from a loaded state until it is stopped or lost.

use std::time::Duration;

use bytes::Bytes;
use clock::Clock;
use eventlog::{Log, LogError, NewRecord};
use market::Position;
use store::{BarStore, CommitOutcome, HotStore, StoreError, TickStore};
use tokio_util::sync::CancellationToken;

use super::Worker;
use super::aside::{Answer, Aside};
use super::commit::{Patience, commit};
use super::refolds::Archived;
use crate::{Core, WorkerError};

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It was told to stop, and has committed.
    Stopped,
    /// Another worker has moved the partition.
    Lost,
    /// The log does not hold the record that comes next.
    OutOfRange,
}

/// A commit under way.
pub(super) struct Step {
    outcome: Answer<Result<CommitOutcome, StoreError>>,
    /// Where the stored state will be.
    pub(super) target: Position,
    started_ns: u64,
    /// What [`Session::folded_bytes`] was.
    bytes: u64,
}

/// Times are of the monotonic clock, in nanoseconds.
pub(super) struct Session<'a, L, U, D, S, T, H, C> {
    pub(super) worker: &'a Worker<L, U, D, S, T, H, C>,
    pub(super) core: Core,
    /// Where the stored state is: (epoch, `next_offset`).
    pub(super) stored: Position,
    /// Where in `bar-updates` the next update will lie at the least.
    pub(super) updates: Position,
    /// Up to where the log went when the state was loaded: the worker is ready once all before
    /// is folded and announced.
    ready_from: u64,
    pub(super) caught_up: bool,
    /// How long is waited before the log is asked again, where it did not answer last.
    pub(super) log_backoff: Option<clock::Backoff>,
    pub(super) aside: Aside,
    pub(super) committing: Option<Step>,
    /// Bytes of the records folded since the session began, and of those that are committed.
    pub(super) folded_bytes: u64,
    pub(super) committed_bytes: u64,
    /// The question how far the archiver is, while it is asked.
    pub(super) asking: Option<Archived>,
    pub(super) next_refold_ns: u64,
    pub(super) next_lag_ns: u64,
    /// Whether the lag is an alarm.
    pub(super) far_behind: bool,
    pub(super) tick: Duration,
    pub(super) next_tick_ns: u64,
    next_commit_ns: u64,
    pub(super) next_advance_ns: u64,
}

impl<'a, L, U, D, S, T, H, C> Session<'a, L, U, D, S, T, H, C>
where
    L: Log,
    U: Log,
    D: Log,
    S: BarStore,
    T: TickStore,
    H: HotStore,
    C: Clock,
{
    pub(super) fn new(
        worker: &'a Worker<L, U, D, S, T, H, C>,
        core: Core,
        ready_from: u64,
        aside: Aside,
    ) -> Self {
        let now_ns = worker.stores.clock.monotonic_ns();
        Self {
            worker,
            stored: core.place(),
            updates: core.updates(),
            core,
            ready_from,
            caught_up: false,
            log_backoff: None,
            aside,
            committing: None,
            folded_bytes: 0,
            committed_bytes: 0,
            asking: None,
            next_refold_ns: now_ns,
            next_lag_ns: now_ns,
            far_behind: false,
            tick: worker.pace.tick_least,
            next_tick_ns: now_ns,
            next_commit_ns: now_ns + nanoseconds(worker.pace.commit_every),
            next_advance_ns: now_ns + nanoseconds(worker.pace.advance_every),
        }
    }

    pub(super) async fn run(mut self, stop: &CancellationToken) -> Result<End, WorkerError> {
        let worker = self.worker;
        let partition = worker.partition;
        loop {
            if !self.announce_if_due(stop).await? || !self.commit_if_due(stop).await? {
                return Ok(End::Stopped);
            }
            self.catch_up();
            self.advance_if_due().await;
            self.ask_archived_if_due();
            self.note_lag_if_due();
            let left_ns = self
                .wake_ns()
                .saturating_sub(worker.stores.clock.monotonic_ns());
            let hungry = self.is_hungry();
            let next_offset = self.core.next_offset();
            tokio::select! {
                biased;
                outcome = settled(&mut self.committing) => {
                    if !self.committed(outcome)? {
                        return Ok(End::Lost);
                    }
                }
                () = stop.cancelled() => return self.finish(stop).await,
                archived = super::refolds::answered(&mut self.asking) => {
                    self.asking = None;
                    self.ask_refolds(archived).await?;
                }
                ready = worker.topics.trades.wait(partition, next_offset), if hungry => {
                    match ready {
                        Ok(()) => {
                            if let Some(end) = self.take(stop).await? {
                                return Ok(end);
                            }
                        }
                        Err(LogError::Closed) => return self.finish(stop).await,
                        Err(error @ LogError::OutOfRange { .. }) => {
                            return self.out_of_range(stop, &error).await;
                        }
                        Err(error) if error.is_transient() => {
                            self.spare_log(stop, &error.to_string()).await;
                        }
                        Err(source) => return Err(worker.log(source)),
                    }
                }
                () = worker.stores.clock.sleep(Duration::from_nanos(left_ns)) => {}
            }
        }
    }

    /// Says that the worker is ready, once it has folded and announced what the log held at the
    /// start.
    fn catch_up(&mut self) {
        let folded = self.core.next_offset() >= self.ready_from && !self.core.has_updates();
        if folded && !self.caught_up {
            self.caught_up = true;
            self.worker.health.ready();
        }
    }

    /// Says that the store answers again.
    pub(super) fn say_ready(&self) {
        if self.caught_up {
            self.worker.health.ready();
        }
    }

    async fn commit_if_due(&mut self, stop: &CancellationToken) -> Result<bool, WorkerError> {
        let now_ns = self.worker.stores.clock.monotonic_ns();
        if self.committing.is_some() || now_ns < self.next_commit_ns {
            return Ok(true);
        }
        self.next_commit_ns = now_ns + nanoseconds(self.worker.pace.commit_every);
        self.start_commit(stop).await
    }

    /// Announces and buries what was caused by records before the next one, and only then
    /// starts the transaction that moves the offset there.
    pub(super) async fn start_commit(
        &mut self,
        stop: &CancellationToken,
    ) -> Result<bool, WorkerError> {
        if self.core.place() == self.stored {
            return Ok(true);
        }
        // Records of the next generation are not to be taken for this one's.
        if !self.is_same_epoch(stop).await? {
            return Ok(false);
        }
        if !self.core.is_whole() || !self.announce(stop).await? || !self.bury(stop).await? {
            return Ok(false);
        }
        let worker = self.worker;
        let transaction = self.core.flush(self.stored, self.updates);
        let target = self.core.place();
        let future = commit(
            worker.stores.bars.clone(),
            worker.stores.clock.clone(),
            transaction,
            Patience {
                timeout: worker.pace.call_timeout,
                retries: worker.retries(),
            },
            worker.health.clone(),
        );
        let started_ns = worker.stores.clock.monotonic_ns();
        self.committing = Some(Step {
            outcome: self.aside.begin(future),
            target,
            started_ns,
            bytes: self.folded_bytes,
        });
        Ok(true)
    }

    /// Notes the outcome of a commit; false where it was lost.
    pub(super) fn committed(
        &mut self,
        outcome: Result<CommitOutcome, StoreError>,
    ) -> Result<bool, WorkerError> {
        let worker = self.worker;
        let step = self.committing.take().expect("a commit has ended");
        match outcome {
            Ok(CommitOutcome::Committed) => {
                self.stored = step.target;
                self.committed_bytes = step.bytes;
                self.core.committed();
                self.say_ready();
                worker.metrics.commits.increment(1);
                let spent_ns = worker.stores.clock.monotonic_ns() - step.started_ns;
                let spent = Duration::from_nanos(spent_ns);
                worker.metrics.commit_seconds.record(spent.as_secs_f64());
                Ok(true)
            }
            Ok(CommitOutcome::Conflict) => Ok(false),
            Err(source) => Err(WorkerError::Store {
                partition: worker.partition,
                source,
            }),
        }
    }

    /// Commits what was folded, then stops.
    async fn finish(mut self, stop: &CancellationToken) -> Result<End, WorkerError> {
        loop {
            if self.committing.is_none()
                && (!self.start_commit(stop).await? || self.committing.is_none())
            {
                return Ok(End::Stopped);
            }
            let outcome = settled(&mut self.committing).await;
            if !self.committed(outcome)? {
                return Ok(End::Lost);
            }
        }
    }

    /// Lets time pass in a log that is quiet, where a window waits for that.
    async fn advance_if_due(&mut self) {
        let worker = self.worker;
        let now_ns = worker.stores.clock.monotonic_ns();
        if now_ns < self.next_advance_ns {
            return;
        }
        self.next_advance_ns = now_ns + nanoseconds(worker.pace.advance_every);
        if !self.core.waits_for_time() {
            return;
        }
        let mut value = Vec::new();
        schemas::TradesRecord::Advance.encode(&mut value);
        let entry = NewRecord {
            key: Bytes::new(),
            value: value.into(),
        };
        let append = worker.topics.trades.append(worker.partition, vec![entry]);
        let clock = &worker.stores.clock;
        match clock::timeout(clock, worker.pace.call_timeout, append).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(partition = worker.partition, %error, "no advance"),
            Err(error) => tracing::warn!(partition = worker.partition, %error, "no advance"),
        }
    }

    fn wake_ns(&self) -> u64 {
        let tick_ns = if self.core.has_updates() {
            self.next_tick_ns
        } else {
            u64::MAX
        };
        let commit_ns = if self.committing.is_none() && self.core.place() != self.stored {
            self.next_commit_ns
        } else {
            u64::MAX
        };
        let refold_ns = if self.wants_archived() {
            self.next_refold_ns
        } else {
            u64::MAX
        };
        let other_ns = self.next_advance_ns.min(refold_ns);
        tick_ns.min(commit_ns).min(other_ns)
    }
}

/// The outcome of the commit under way; never where there is none.
pub(super) async fn settled(committing: &mut Option<Step>) -> Result<CommitOutcome, StoreError> {
    match committing {
        Some(step) => {
            let outcome = (&mut step.outcome).await;
            outcome.expect("the driver lives as long as the session")
        }
        None => std::future::pending().await,
    }
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
