//! Calls to the store and the log, repeated until they succeed.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use backend::Backend;
use clock::{Clock, RetryPolicy, TimeoutError};
use eventlog::LogError;
use store::StoreError;
use tokio_util::sync::CancellationToken;

use super::archiver::Archiver;
use crate::error::ArchiverError;

/// The upper bound of the first wait before another attempt.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The upper bound of every wait before another attempt.
const MAX_WAIT: Duration = Duration::from_secs(5);

impl<B: Backend> Archiver<B> {
    /// Calls the store until it succeeds. Returns `None` if `stop` is cancelled first.
    ///
    /// # Errors
    /// An error of the store that no retry can mend.
    pub(super) async fn retry_store_call<V, F>(
        &self,
        stop: &CancellationToken,
        call: impl Fn() -> F,
    ) -> Result<Option<V>, ArchiverError>
    where
        F: Future<Output = Result<V, StoreError>>,
    {
        let timed_out = |elapsed: TimeoutError| StoreError::Unavailable {
            store: "ticks".to_owned(),
            reason: elapsed.to_string(),
        };
        let called = self.retry_call(stop, StoreError::is_transient, timed_out, call);
        called.await.map_err(|source| ArchiverError::Store {
            partition: self.partition,
            source,
        })
    }

    /// Calls the log until it succeeds. Returns `None` if `stop` is cancelled first.
    ///
    /// # Errors
    /// An error of the log that no retry can mend.
    pub(super) async fn retry_log_call<V, F>(
        &self,
        stop: &CancellationToken,
        call: impl Fn() -> F,
    ) -> Result<Option<V>, ArchiverError>
    where
        F: Future<Output = Result<V, LogError>>,
    {
        let timed_out = |elapsed: TimeoutError| LogError::Unavailable {
            topic: schemas::TRADES.to_owned(),
            reason: elapsed.to_string(),
        };
        let called = self.retry_call(stop, LogError::is_transient, timed_out, call);
        called.await.map_err(|source| self.log_error(source))
    }

    /// Returns how long to wait between attempts. The seed differs by partition, so that
    /// partitions do not retry in step.
    pub(super) fn retry_policy(&self) -> RetryPolicy {
        let seed = self.clock.monotonic_ns() ^ u64::from(self.partition);
        RetryPolicy::new(FIRST_WAIT, MAX_WAIT).with_seed(seed)
    }

    /// Reports that a call failed and that it will be repeated. The session reports the archiver as
    /// ready again once it goes on.
    pub(super) fn report_failed_attempt(&self, reason: &impl Display) {
        let reason = reason.to_string();
        tracing::warn!(partition = self.partition, reason, "trying again shortly");
        self.health.not_ready(reason);
    }

    async fn retry_call<V, E, F>(
        &self,
        stop: &CancellationToken,
        is_transient: impl Fn(&E) -> bool,
        timed_out: impl Fn(TimeoutError) -> E,
        call: impl Fn() -> F,
    ) -> Result<Option<V>, E>
    where
        E: Display,
        F: Future<Output = Result<V, E>>,
    {
        let attempt = || async {
            clock::timeout(&self.clock, self.policy.call_timeout, call())
                .await
                .unwrap_or_else(|elapsed| Err(timed_out(elapsed)))
        };
        let should_retry = |error: &E| {
            let is_transient = is_transient(error);
            if is_transient {
                self.report_failed_attempt(error);
            }
            is_transient
        };
        let policy = self.retry_policy();
        clock::retry_until_stopped(&self.clock, &policy, stop, should_retry, attempt).await
    }
}
