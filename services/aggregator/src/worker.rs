//! The role around the core: it fetches, loads, announces and commits, in that order.

mod announce;
mod aside;
mod commit;
mod fetch;
mod lag;
mod load;
mod pace;
mod refolds;
mod session;

use std::future::Future;
use std::ops::Range;

use clock::{Clock, RetryPolicy};
use eventlog::{Log, LogError, NewRecord};
use host::HealthComponent;
use store::{BarStore, HotStore, PartitionProgress, StoreError, TickStore};
use tokio_util::sync::CancellationToken;

use crate::{Core, Metrics, WorkerError};
use session::{End, Session};

pub use pace::WorkerConfig;

/// The topics that a worker reads and writes.
#[derive(Debug, Clone)]
pub struct Topics<L, U, D> {
    /// Trades, settings and advances: what is folded.
    pub trades: L,
    /// Where changed bars are announced.
    pub updates: U,
    /// Where records that do not count go.
    pub dead_letters: D,
}

/// The stores and what else a worker is given.
#[derive(Debug, Clone)]
pub struct Stores<S, T, H, C> {
    /// Where bars and state are kept.
    pub bars: S,
    /// Where ticks are kept, from which minutes are folded anew.
    pub ticks: T,
    /// Where newest prices go.
    pub hot: H,
    /// The time.
    pub clock: C,
}

/// The worker of one partition.
#[derive(Debug)]
pub struct Worker<L, U, D, S, T, H, C> {
    /// Which partition of `trades`.
    pub partition: u32,
    /// The topics.
    pub topics: Topics<L, U, D>,
    /// The stores and the clock.
    pub stores: Stores<S, T, H, C>,
    /// How often it does what.
    pub pace: WorkerConfig,
    /// What it counts.
    pub metrics: Metrics,
    /// Where it says whether it is well.
    pub health: HealthComponent,
}

impl<L, U, D, S, T, H, C> Worker<L, U, D, S, T, H, C>
where
    L: Log,
    U: Log,
    D: Log,
    S: BarStore,
    T: TickStore,
    H: HotStore,
    C: Clock,
{
    /// Folds the partition until it is told to stop, and commits what it has folded by then. A
    /// worker that finds its partition moved by another drops its state and loads again.
    ///
    /// # Errors
    /// [`WorkerError`], where no retry can help.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), WorkerError> {
        loop {
            let Some(state) = self.load(&stop).await? else {
                return Ok(());
            };
            let Some(end) = self.check_bounds(&state.progress, &stop).await? else {
                return Ok(());
            };
            if end > state.progress.next_offset {
                self.health.not_ready("folding what the log holds already");
            }
            let core = Core::new(state, self.topics.trades.partitions());
            let (aside, driver) = aside::aside();
            let ended = tokio::select! {
                biased;
                never = driver.drive() => match never {},
                ended = Session::new(self, core, end, aside).run(&stop) => ended?,
            };
            match ended {
                End::Stopped => return Ok(()),
                End::Lost => {
                    self.metrics.lost.increment(1);
                    tracing::warn!(
                        partition = self.partition,
                        "another worker has moved this partition; loading it again"
                    );
                }
                // Its bounds tell whether the record that comes next is gone.
                End::OutOfRange => {}
            }
        }
    }

    async fn load(
        &self,
        stop: &CancellationToken,
    ) -> Result<Option<store::PartitionState>, WorkerError> {
        let epoch = self.topics.trades.epoch();
        self.ask_store(stop, || {
            self.stores.bars.load_partition(self.partition, epoch)
        })
        .await
    }

    /// The end of the log; none where the worker is told to stop before that is known. What is
    /// stored is of this generation and not ahead of it: otherwise it was folded from another
    /// log. Nor does it come before the first record that is kept: those between would be lost.
    async fn check_bounds(
        &self,
        stored: &PartitionProgress,
        stop: &CancellationToken,
    ) -> Result<Option<u64>, WorkerError> {
        let trades = &self.topics.trades;
        if stored.epoch != trades.epoch() {
            let topic = schemas::TRADES.to_owned();
            return Err(self.log(LogError::Recreated { topic }));
        }
        let asked = self.ask_log(stop, || trades.bounds(self.partition)).await?;
        let Some(bounds) = asked else {
            return Ok(None);
        };
        let same = self.ask_log(stop, || trades.check_epoch()).await?;
        if same.is_none() {
            return Ok(None);
        }
        let offset = stored.next_offset;
        if (bounds.first..=bounds.end).contains(&offset) {
            return Ok(Some(bounds.end));
        }
        Err(self.log(LogError::OutOfRange {
            partition: self.partition,
            offset,
            first: bounds.first,
            end: bounds.end,
        }))
    }

    /// Asks the store until it answers; none where the worker is told to stop before.
    async fn ask_store<V, F>(
        &self,
        stop: &CancellationToken,
        call: impl Fn() -> F,
    ) -> Result<Option<V>, WorkerError>
    where
        F: Future<Output = Result<V, StoreError>>,
    {
        let mut backoff = self.retries().backoff();
        loop {
            let answer = clock::timeout(&self.stores.clock, self.pace.call_timeout, call()).await;
            let reason = match answer {
                Ok(Ok(value)) => return Ok(Some(value)),
                Ok(Err(source)) if !source.is_transient() => {
                    return Err(WorkerError::Store {
                        partition: self.partition,
                        source,
                    });
                }
                Ok(Err(source)) => source.to_string(),
                Err(elapsed) => elapsed.to_string(),
            };
            if self.pause(stop, &mut backoff, &reason).await {
                return Ok(None);
            }
        }
    }

    /// Asks the topic `trades` until it answers; none where the worker is told to stop before.
    async fn ask_log<V, F>(
        &self,
        stop: &CancellationToken,
        call: impl Fn() -> F,
    ) -> Result<Option<V>, WorkerError>
    where
        F: Future<Output = Result<V, LogError>>,
    {
        let mut backoff = self.retries().backoff();
        loop {
            let answer = clock::timeout(&self.stores.clock, self.pace.call_timeout, call()).await;
            let reason = match answer {
                Ok(Ok(value)) => return Ok(Some(value)),
                Ok(Err(LogError::Closed)) => return Ok(None),
                Ok(Err(error)) if error.is_transient() => error.to_string(),
                Ok(Err(source)) => return Err(self.log(source)),
                Err(elapsed) => elapsed.to_string(),
            };
            if self.pause(stop, &mut backoff, &reason).await {
                return Ok(None);
            }
        }
    }

    /// Appends to a topic, some of it at a time, until all is acknowledged, and answers the
    /// topic's end then; none where the worker is told to stop before.
    async fn append_to<A: Log>(
        &self,
        stop: &CancellationToken,
        topic: &A,
        entries: Vec<NewRecord>,
    ) -> Result<Option<u64>, WorkerError> {
        let mut end = 0;
        let mut rest = entries.as_slice();
        while !rest.is_empty() {
            let (portion, others) = rest.split_at(portion(rest));
            let Some(appended) = self.append_portion(stop, topic, portion).await? else {
                return Ok(None);
            };
            end = appended.end;
            rest = others;
        }
        Ok(Some(end))
    }

    async fn append_portion<A: Log>(
        &self,
        stop: &CancellationToken,
        topic: &A,
        entries: &[NewRecord],
    ) -> Result<Option<Range<u64>>, WorkerError> {
        let mut backoff = self.retries().backoff();
        loop {
            let append = topic.append(self.partition, entries.to_vec());
            let answer = clock::timeout(&self.stores.clock, self.pace.call_timeout, append).await;
            let reason = match answer {
                Ok(Ok(appended)) => return Ok(Some(appended)),
                Ok(Err(LogError::Closed)) => return Ok(None),
                Ok(Err(
                    source @ (LogError::NoSuchPartition { .. }
                    | LogError::Recreated { .. }
                    | LogError::Refused { .. }),
                )) => return Err(self.log(source)),
                Ok(Err(source)) => source.to_string(),
                Err(elapsed) => elapsed.to_string(),
            };
            if self.pause(stop, &mut backoff, &reason).await {
                return Ok(None);
            }
        }
    }

    /// Waits before another try; true where the worker is told to stop instead.
    async fn pause(
        &self,
        stop: &CancellationToken,
        backoff: &mut clock::Backoff,
        reason: &str,
    ) -> bool {
        self.health.not_ready(reason.to_owned());
        tracing::warn!(partition = self.partition, reason, "trying again shortly");
        let delay = backoff.next_delay();
        tokio::select! {
            biased;
            () = stop.cancelled() => true,
            () = self.stores.clock.sleep(delay) => false,
        }
    }

    fn retries(&self) -> RetryPolicy {
        let seed = self.stores.clock.monotonic_ns() ^ u64::from(self.partition);
        RetryPolicy::new(self.pace.retry_first, self.pace.retry_most).seeded(seed)
    }

    const fn log(&self, source: LogError) -> WorkerError {
        WorkerError::Log {
            partition: self.partition,
            source,
        }
    }
}

/// How many of some entries are appended at once: as many as make up so much, one at the least.
fn portion(entries: &[NewRecord]) -> usize {
    const MOST_BYTES: usize = 8 << 20;
    let mut sum_bytes = 0;
    let fits = |entry: &&NewRecord| {
        sum_bytes += entry.key.len() + entry.value.len();
        sum_bytes <= MOST_BYTES
    };
    entries.iter().take_while(fits).count().max(1)
}
