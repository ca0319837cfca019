//! Appends to a topic.

use std::ops::Range;

use clock::Clock;
use eventlog::{Batch, Bounds, Epoch, Log, LogError, NewRecord, Offset, PartitionId};

use super::{Ended, Guard};

/// A topic whose appends are behind a timeout and a circuit breaker. Reading needs neither: a
/// reader waits for records anyway, and nobody waits for a reader.
#[derive(Clone)]
pub(crate) struct GuardedLog<L, C> {
    log: L,
    topic: &'static str,
    guard: Guard<C>,
}

impl<L: Log, C: Clock> GuardedLog<L, C> {
    /// The topic of this name. Topics of the same servers share a guard.
    pub(crate) const fn new(log: L, topic: &'static str, guard: Guard<C>) -> Self {
        Self { log, topic, guard }
    }

    /// The log within.
    pub(crate) const fn log(&self) -> &L {
        &self.log
    }

    /// Asks something small while the breaker is not closed, as for the stores: a pod that is not
    /// ready is sent no trades, and would never append again.
    pub(crate) async fn probe_log(&self) {
        if !self.guard.is_closed() {
            let asked = Box::pin(self.log.check_epoch());
            // The breaker is told of the outcome, which is all that is wanted.
            let _ = self.guard.run(self.guard.timeout, asked, is_failure).await;
        }
    }
}

/// Whether the servers are at fault: a log that is busy has taken too much, and says so itself.
fn is_failure(error: &LogError) -> bool {
    error.is_transient() && !matches!(error, LogError::Busy { .. })
}

impl<L: Log, C: Clock> Log for GuardedLog<L, C> {
    fn partitions(&self) -> PartitionId {
        self.log.partitions()
    }

    fn epoch(&self) -> Epoch {
        self.log.epoch()
    }

    /// An append that takes too long may still be made.
    async fn append(
        &self,
        partition: PartitionId,
        entries: Vec<NewRecord>,
    ) -> Result<Range<Offset>, LogError> {
        let unavailable = |reason: String| LogError::Unavailable {
            topic: self.topic.to_owned(),
            reason,
        };
        let append = Box::pin(self.log.append(partition, entries));
        let timeout = self.guard.timeout;
        match self.guard.run(timeout, append, is_failure).await {
            Ended::Answered(answer) => answer,
            Ended::TookTooLong(elapsed) => Err(unavailable(elapsed.to_string())),
            Ended::TurnedAway(open) => Err(unavailable(open.to_string())),
        }
    }

    async fn fetch(
        &self,
        partition: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<Batch, LogError> {
        self.log.fetch(partition, offset, max_bytes).await
    }

    async fn wait(&self, partition: PartitionId, offset: Offset) -> Result<(), LogError> {
        self.log.wait(partition, offset).await
    }

    async fn bounds(&self, partition: PartitionId) -> Result<Bounds, LogError> {
        self.log.bounds(partition).await
    }

    fn end_hint(&self, partition: PartitionId) -> Option<Offset> {
        self.log.end_hint(partition)
    }

    async fn check_epoch(&self) -> Result<(), LogError> {
        self.log.check_epoch().await
    }
}
