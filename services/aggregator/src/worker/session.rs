//! One stretch of folding, from a loaded state until it is stopped or lost.

use std::time::Duration;

use bytes::Bytes;
use eventlog::{Entry, Log, LogError, Record};
use host::Clock;
use market::{Interval, Position};
use store::{BarStore, Commit, HotStore, Price, StoreError, TickStore};
use tokio_util::sync::CancellationToken;

use super::Worker;
use super::aside::{Answer, Aside};
use super::commit::{Patience, commit};
use super::refolds::Archived;
use crate::{Core, Update, WorkerError};

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It was told to stop, and has committed.
    Stopped,
    /// Another worker has moved the partition.
    Lost,
}

/// A commit under way.
pub(super) struct Step {
    outcome: Answer<Result<Commit, StoreError>>,
    /// Where the stored state will be.
    pub(super) target: (u64, u64),
    started_ns: u64,
    /// What [`Session::folded_bytes`] was.
    bytes: u64,
}

/// How often the end of the log is looked at, for its lag.
const LAG_EVERY: Duration = Duration::from_secs(1);

/// Times are of the monotonic clock, in nanoseconds.
pub(super) struct Session<'a, L, U, D, S, T, H, C> {
    pub(super) worker: &'a Worker<L, U, D, S, T, H, C>,
    pub(super) core: Core,
    /// Where the stored state is: (epoch, `next_offset`).
    pub(super) stored: (u64, u64),
    /// Where in `bar-updates` the next update will lie at the least.
    updates: Position,
    /// Up to where the log went when the state was loaded: the worker is ready once all before
    /// is folded and announced.
    ready_from: u64,
    pub(super) caught_up: bool,
    /// The log did not answer when it was waited for last.
    log_failed: bool,
    pub(super) aside: Aside,
    pub(super) committing: Option<Step>,
    /// Bytes of the records folded since the session began, and of those that are committed.
    folded_bytes: u64,
    committed_bytes: u64,
    /// The question how far the archiver is, while it is asked.
    pub(super) asking: Option<Archived>,
    pub(super) next_refold_ns: u64,
    next_lag_ns: u64,
    tick: Duration,
    next_tick_ns: u64,
    next_commit_ns: u64,
    next_advance_ns: u64,
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
            log_failed: false,
            aside,
            committing: None,
            folded_bytes: 0,
            committed_bytes: 0,
            asking: None,
            next_refold_ns: now_ns,
            next_lag_ns: now_ns,
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
            self.note_lag_if_due().await;
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
                            if std::mem::take(&mut self.log_failed) {
                                self.say_ready();
                            }
                            if let Some(end) = self.take(stop).await? {
                                return Ok(end);
                            }
                        }
                        Err(LogError::Closed) => return self.finish(stop).await,
                        Err(error) if error.is_transient() => {
                            worker.health.not_ready(error.to_string());
                            self.log_failed = true;
                            worker.stores.clock.sleep(worker.pace.retry_first).await;
                        }
                        Err(source) => return Err(worker.log(source)),
                    }
                }
                () = worker.stores.clock.sleep(Duration::from_nanos(left_ns)) => {}
            }
        }
    }

    /// Fetches records and folds them all, or says how the session ends instead.
    async fn take(&mut self, stop: &CancellationToken) -> Result<Option<End>, WorkerError> {
        let worker = self.worker;
        let (partition, next) = (worker.partition, self.core.next_offset());
        let fetch = worker
            .topics
            .trades
            .fetch(partition, next, worker.pace.fetch_bytes);
        let batch = match host::timeout(&worker.stores.clock, worker.pace.call_timeout, fetch).await
        {
            Ok(Ok(batch)) => batch,
            Ok(Err(source @ LogError::OutOfRange { .. })) => {
                // Of a topic that was made anew no offset means what it meant.
                if !self.is_same_epoch(stop).await? {
                    return Ok(Some(End::Stopped));
                }
                return Err(worker.log(source));
            }
            Ok(Err(source @ (LogError::Recreated { .. } | LogError::Refused { .. }))) => {
                return Err(worker.log(source));
            }
            Ok(Err(_)) | Err(_) => {
                worker.stores.clock.sleep(worker.pace.retry_first).await;
                return Ok(None);
            }
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
        self.next_advance_ns = now_ns + nanoseconds(worker.pace.advance_every);
        worker.metrics.count(&self.core.take_counts());
        Ok(None)
    }

    /// Whether more may be folded before what was folded is committed; where not, it says so.
    fn is_hungry(&self) -> bool {
        let waiting = self.folded_bytes - self.committed_bytes;
        let worker = self.worker;
        worker.metrics.uncommitted_bytes.set(waiting as f64);
        let hungry = waiting < worker.pace.uncommitted_bytes;
        if !hungry {
            let reason = format!(
                "fetching is paused: {waiting} bytes of records are folded and the store does \
                 not take them"
            );
            worker.health.not_ready(reason);
        }
        hungry
    }

    async fn note_lag_if_due(&mut self) {
        let worker = self.worker;
        let now_ns = worker.stores.clock.monotonic_ns();
        if now_ns < self.next_lag_ns {
            return;
        }
        self.next_lag_ns = now_ns + nanoseconds(LAG_EVERY);
        worker.metrics.dirty.set(self.core.dirty() as f64);
        if let Some(end) = worker.topics.trades.end_hint(worker.partition) {
            let lag = end.saturating_sub(self.core.next_offset());
            worker.metrics.lag.set(lag as f64);
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

    /// False where the worker is told to stop before what is due is acknowledged: what was
    /// taken from the core is then not to be committed.
    async fn announce_if_due(&mut self, stop: &CancellationToken) -> Result<bool, WorkerError> {
        let now_ns = self.worker.stores.clock.monotonic_ns();
        if now_ns < self.next_tick_ns || !self.core.has_updates() {
            return Ok(true);
        }
        if !self.announce(stop).await? {
            return Ok(false);
        }
        let pace = &self.worker.pace;
        let after_ns = self.worker.stores.clock.monotonic_ns();
        let spent = Duration::from_nanos(after_ns - now_ns);
        self.tick = (spent * 10).clamp(pace.tick_least, pace.tick_most);
        self.next_tick_ns = now_ns + nanoseconds(self.tick);
        Ok(true)
    }

    /// Announces the bars that changed; false where the worker is told to stop before that is
    /// acknowledged.
    async fn announce(&mut self, stop: &CancellationToken) -> Result<bool, WorkerError> {
        if !self.core.has_updates() {
            return Ok(true);
        }
        // Nobody is to be told what records of the next generation would give in this one.
        if !self.is_same_epoch(stop).await? {
            return Ok(false);
        }
        let updates = self.core.take_updates();
        if updates.is_empty() {
            return Ok(true);
        }
        let mut bars = 0;
        let prices = updates.iter().filter_map(newest_price).collect();
        let entries: Vec<Entry> = updates
            .iter()
            .map(|update| {
                bars += update.rows.len();
                Entry {
                    key: Bytes::copy_from_slice(update.instrument.key().as_bytes()),
                    value: schemas::encode_bar_update(update.rows.iter()).into(),
                }
            })
            .collect();
        let topic = &self.worker.topics.updates;
        let Some(appended) = self.worker.append_to(stop, topic, entries).await? else {
            return Ok(false);
        };
        self.worker.metrics.announced.increment(bars as u64);
        self.worker.stores.hot.offer(prices);
        self.updates = Position {
            epoch: topic.epoch(),
            offset: appended.end,
        };
        Ok(true)
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

    async fn bury(&mut self, stop: &CancellationToken) -> Result<bool, WorkerError> {
        let letters = self.core.take_dead_letters();
        if letters.is_empty() {
            return Ok(true);
        }
        let entries = letters.iter().map(|letter| Entry {
            key: letter.key.clone(),
            value: letter.encode().into(),
        });
        let topic = &self.worker.topics.dead_letters;
        let buried = self
            .worker
            .append_to(stop, topic, entries.collect())
            .await?;
        Ok(buried.is_some())
    }

    /// Notes the outcome of a commit; false where it was lost.
    pub(super) fn committed(
        &mut self,
        outcome: Result<Commit, StoreError>,
    ) -> Result<bool, WorkerError> {
        let worker = self.worker;
        let step = self.committing.take().expect("a commit has ended");
        match outcome {
            Ok(Commit::Done) => {
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
            Ok(Commit::Lost) => Ok(false),
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
        let entry = Entry {
            key: Bytes::new(),
            value: value.into(),
        };
        let append = worker.topics.trades.append(worker.partition, vec![entry]);
        let clock = &worker.stores.clock;
        match host::timeout(clock, worker.pace.call_timeout, append).await {
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

/// The newest price among changed bars: the close of the newest minute.
fn newest_price(update: &Update) -> Option<Price> {
    let minutes = update.rows.iter().filter(|row| {
        let minute = row.window.interval == Interval::M1;
        minute && row.bar.trades > 0
    });
    let newest = minutes.max_by_key(|row| row.window.start_ns)?;
    Some(Price {
        instrument: update.instrument.clone(),
        price: newest.bar.close.price,
        time_ns: newest.bar.close.time_ns,
        through: newest.through,
    })
}

/// The outcome of the commit under way; never where there is none.
pub(super) async fn settled(committing: &mut Option<Step>) -> Result<Commit, StoreError> {
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
