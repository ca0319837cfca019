//! A log whose appends are behind a timeout and a circuit breaker.

use std::ops::Range;

use clock::{Clock, GuardError, ServerGuard};

use crate::error::LogError;
use crate::log::{Log, OffsetBounds};
use crate::record::{Epoch, NewRecord, Offset, PartitionId, RecordBatch};

/// A topic whose appends are behind a timeout and a circuit breaker.
///
/// Reads are not guarded: a reader waits for records anyway, and no request waits for a reader.
#[derive(Clone)]
pub struct AppendGuardedLog<L, C> {
    log: L,
    topic: &'static str,
    guard: ServerGuard<C>,
}

impl<L: Log, C: Clock> AppendGuardedLog<L, C> {
    /// Returns the log of `topic` behind `guard`. Topics of the same servers share a guard.
    pub const fn new(log: L, topic: &'static str, guard: ServerGuard<C>) -> Self {
        Self { log, topic, guard }
    }

    /// Returns the log inside.
    pub const fn log(&self) -> &L {
        &self.log
    }

    /// Makes a small request if the breaker is not closed, so that the breaker closes once the
    /// servers are back: a pod that is not ready gets no trades, and would never append again.
    pub async fn probe_log_unless_breaker_closed(&self) {
        if !self.guard.is_breaker_closed() {
            let check = Box::pin(self.log.check_epoch());
            // The guard reports the outcome to the breaker, which is all that a probe is for.
            let _ = self
                .guard
                .run(self.guard.usual_time_limit(), check, is_server_failure)
                .await;
        }
    }
}

/// Returns whether an error blames the servers. A busy log is well: it refuses further records
/// until the pending ones are written. So are servers that refuse a call for want of a right.
fn is_server_failure(error: &LogError) -> bool {
    error.is_transient() && !matches!(error, LogError::Busy { .. } | LogError::Denied { .. })
}

impl<L: Log, C: Clock> Log for AppendGuardedLog<L, C> {
    fn partition_count(&self) -> PartitionId {
        self.log.partition_count()
    }

    fn epoch(&self) -> Epoch {
        self.log.epoch()
    }

    /// An append that exceeds the timeout may still be made.
    async fn append(
        &self,
        partition: PartitionId,
        records: Vec<NewRecord>,
    ) -> Result<Range<Offset>, LogError> {
        let append = Box::pin(self.log.append(partition, records));
        let time_limit = self.guard.usual_time_limit();
        let result = self.guard.run(time_limit, append, is_server_failure).await;
        result.map_err(|error| match error {
            GuardError::Call(error) => error,
            GuardError::TimedOut(_) | GuardError::BreakerOpen(_) => LogError::Unavailable {
                topic: self.topic.to_owned(),
                reason: error.to_string(),
            },
        })
    }

    async fn fetch(
        &self,
        partition: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<RecordBatch, LogError> {
        self.log.fetch(partition, offset, max_bytes).await
    }

    async fn wait_for_record(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<(), LogError> {
        self.log.wait_for_record(partition, offset).await
    }

    async fn bounds(&self, partition: PartitionId) -> Result<OffsetBounds, LogError> {
        self.log.bounds(partition).await
    }

    fn end_hint(&self, partition: PartitionId) -> Option<Offset> {
        self.log.end_hint(partition)
    }

    fn is_read_to(&self, partition: PartitionId, next_offset: Offset, end: Offset) -> bool {
        self.log.is_read_to(partition, next_offset, end)
    }

    async fn check_epoch(&self) -> Result<(), LogError> {
        self.log.check_epoch().await
    }
}

#[cfg(test)]
mod tests;
