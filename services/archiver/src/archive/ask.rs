//! Asking the store and the log until they answer.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use clock::{Clock, RetryPolicy};
use eventlog::{Log, LogError};
use store::{StoreError, TickStore};
use tokio_util::sync::CancellationToken;

use super::Archiver;
use crate::ArchiverError;

/// The longest first wait before another try.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// The longest wait before another try.
const RETRY_MOST: Duration = Duration::from_secs(5);

impl<L: Log, T: TickStore, C: Clock> Archiver<L, T, C> {
    /// Asks the store until it answers; none where the archiver is told to stop before.
    pub(super) async fn ask_store<V, F>(
        &self,
        stop: &CancellationToken,
        call: impl Fn() -> F,
    ) -> Result<Option<V>, ArchiverError>
    where
        F: Future<Output = Result<V, StoreError>>,
    {
        let asked = self.ask(stop, StoreError::is_transient, call).await;
        asked.map_err(|source| ArchiverError::Store {
            partition: self.partition,
            source,
        })
    }

    /// The same for the log.
    pub(super) async fn ask_log<V, F>(
        &self,
        stop: &CancellationToken,
        call: impl Fn() -> F,
    ) -> Result<Option<V>, ArchiverError>
    where
        F: Future<Output = Result<V, LogError>>,
    {
        let asked = self.ask(stop, LogError::is_transient, call).await;
        asked.map_err(|source| self.log(source))
    }

    /// How long to wait between tries: partitions do not try in step.
    pub(super) fn retries(&self) -> RetryPolicy {
        let seed = self.clock.monotonic_ns() ^ u64::from(self.partition);
        RetryPolicy::new(RETRY_AFTER, RETRY_MOST).seeded(seed)
    }

    async fn ask<V, E, F>(
        &self,
        stop: &CancellationToken,
        is_transient: impl Fn(&E) -> bool,
        call: impl Fn() -> F,
    ) -> Result<Option<V>, E>
    where
        E: Display,
        F: Future<Output = Result<V, E>>,
    {
        let mut backoff = self.retries().backoff();
        loop {
            let answer = clock::timeout(&self.clock, self.cut.call_timeout, call()).await;
            let reason = match answer {
                Ok(Ok(value)) => {
                    self.health.ready();
                    return Ok(Some(value));
                }
                Ok(Err(error)) if !is_transient(&error) => return Err(error),
                Ok(Err(error)) => error.to_string(),
                Err(elapsed) => elapsed.to_string(),
            };
            self.health.not_ready(reason.as_str());
            tracing::warn!(partition = self.partition, reason, "trying again shortly");
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(None),
                () = self.clock.sleep(backoff.next_delay()) => {}
            }
        }
    }
}
