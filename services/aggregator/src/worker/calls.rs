//! Calls to the stores and the topics that are repeated until they succeed.

use std::fmt::Display;
use std::future::Future;
use std::ops::Range;

use backend::Backend;
use clock::{Clock, RetryPolicy};
use eventlog::{Log, LogError, NewRecord};
use store::StoreError;
use tokio_util::sync::CancellationToken;

use super::role::PartitionWorker;
use crate::error::WorkerError;

impl<B: Backend> PartitionWorker<B> {
    /// Repeats a call to a store until it succeeds. Returns `None` if the worker is stopped first.
    pub(super) async fn retry_store_call<V, F>(
        &self,
        stop: &CancellationToken,
        call: impl Fn() -> F,
    ) -> Result<Option<V>, WorkerError>
    where
        F: Future<Output = Result<V, StoreError>>,
    {
        let result = self.retry_call(stop, StoreError::is_transient, call).await;
        result.map_err(|source| self.store_error(source))
    }

    /// Repeats a call to the topic `trades` until it succeeds. Returns `None` if the worker is
    /// stopped or the log is closed first.
    pub(super) async fn retry_log_call<V, F>(
        &self,
        stop: &CancellationToken,
        call: impl Fn() -> F,
    ) -> Result<Option<V>, WorkerError>
    where
        F: Future<Output = Result<V, LogError>>,
    {
        let is_transient = |error: &LogError| error.is_transient() && *error != LogError::Closed;
        match self.retry_call(stop, is_transient, call).await {
            Err(LogError::Closed) => Ok(None),
            result => result.map_err(|source| self.log_error(source)),
        }
    }

    /// Returns whether the topic `trades` is still the generation that is folded; `false` also if
    /// the worker is stopped before that is known.
    ///
    /// # Errors
    /// [`LogError::Recreated`] if it is another generation.
    pub(super) async fn check_epoch_unless_stopped(
        &self,
        stop: &CancellationToken,
    ) -> Result<bool, WorkerError> {
        let checked = self.retry_log_call(stop, || self.topics.trades.check_epoch());
        Ok(checked.await?.is_some())
    }

    /// Appends records to this partition of a topic, as
    /// [`PartitionWorker::append_to_partition_unless_stopped`] does.
    pub(super) async fn append_all_unless_stopped<A: Log>(
        &self,
        stop: &CancellationToken,
        topic: &A,
        records: &[NewRecord],
    ) -> Result<Option<u64>, WorkerError> {
        self.append_to_partition_unless_stopped(stop, topic, self.partition, records)
            .await
    }

    /// Appends records to a partition of a topic in portions, until all are acknowledged. Returns
    /// the end of the partition after the last of them, or `None` if the worker is stopped first.
    pub(super) async fn append_to_partition_unless_stopped<A: Log>(
        &self,
        stop: &CancellationToken,
        topic: &A,
        partition: u32,
        records: &[NewRecord],
    ) -> Result<Option<u64>, WorkerError> {
        let mut end = 0;
        let mut rest = records;
        while !rest.is_empty() {
            let (portion, others) = rest.split_at(portion_length(rest));
            let Some(appended) = self
                .append_portion_unless_stopped(stop, topic, partition, portion)
                .await?
            else {
                return Ok(None);
            };
            end = appended.end;
            rest = others;
        }
        Ok(Some(end))
    }

    async fn append_portion_unless_stopped<A: Log>(
        &self,
        stop: &CancellationToken,
        topic: &A,
        partition: u32,
        records: &[NewRecord],
    ) -> Result<Option<Range<u64>>, WorkerError> {
        let is_transient = |error: &LogError| {
            !matches!(
                error,
                LogError::Closed
                    | LogError::NoSuchPartition { .. }
                    | LogError::Recreated { .. }
                    | LogError::Refused { .. }
            )
        };
        let append = || topic.append(partition, records.to_vec());
        match self.retry_call(stop, is_transient, append).await {
            Err(LogError::Closed) => Ok(None),
            result => result.map_err(|source| self.log_error(source)),
        }
    }

    /// Repeats `call`, each attempt with a timeout, while it times out or fails with a transient
    /// error. Returns `None` if the worker is stopped first. The worker is not ready while it
    /// waits.
    async fn retry_call<V, E, F>(
        &self,
        stop: &CancellationToken,
        is_transient: impl Fn(&E) -> bool,
        call: impl Fn() -> F,
    ) -> Result<Option<V>, E>
    where
        E: Display,
        F: Future<Output = Result<V, E>>,
    {
        let attempt = || async {
            match clock::timeout(&self.stores.clock, self.config.call_timeout, call()).await {
                Ok(Err(error)) if is_transient(&error) => Err(error.to_string()),
                Ok(result) => Ok(result),
                Err(elapsed) => Err(elapsed.to_string()),
            }
        };
        let should_retry = |reason: &String| {
            self.report_retry(reason);
            true
        };
        let (clock, policy) = (&self.stores.clock, self.retry_policy());
        let done = clock::retry_until_stopped(clock, &policy, stop, should_retry, attempt).await;
        done.expect("a policy without limits retries every failure")
            .transpose()
    }

    /// Reports that a call failed and is going to be repeated.
    pub(super) fn report_retry(&self, reason: &str) {
        self.health.not_ready(reason.to_owned());
        tracing::warn!(partition = self.partition, reason, "trying again shortly");
    }

    /// Returns the policy of every retry, with jitter of this partition.
    pub(super) fn retry_policy(&self) -> RetryPolicy {
        let seed = self.stores.clock.monotonic_ns() ^ u64::from(self.partition);
        RetryPolicy::new(self.config.max_first_backoff, self.config.max_backoff).with_seed(seed)
    }

    pub(super) const fn log_error(&self, source: LogError) -> WorkerError {
        WorkerError::Log {
            partition: self.partition,
            source,
        }
    }

    pub(super) const fn store_error(&self, source: StoreError) -> WorkerError {
        WorkerError::Store {
            partition: self.partition,
            source,
        }
    }
}

/// Returns how many of the records to append at once: up to 8 MiB, and at least one.
fn portion_length(records: &[NewRecord]) -> usize {
    const MAX_BYTES: usize = 8 << 20;
    let mut sum_bytes = 0;
    let fits = |record: &&NewRecord| {
        sum_bytes += record.key.len() + record.value.len();
        sum_bytes <= MAX_BYTES
    };
    records.iter().take_while(fits).count().max(1)
}
