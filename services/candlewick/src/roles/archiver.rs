//! The archivers of a process.

use archiver::{Archiver, ArchiverMetrics, BlockPolicy};
use backend::Backend;
use host::Health;

/// Builds the archivers of a process, one for each partition.
pub(crate) struct ArchiverFactory<B: Backend> {
    pub(crate) trades: B::Trades,
    pub(crate) ticks: B::Ticks,
    pub(crate) clock: B::Clock,
    pub(crate) policy: BlockPolicy,
    pub(crate) health: Health,
}

impl<B: Backend> ArchiverFactory<B> {
    /// Builds the archiver of a partition and registers its component `archiver-<partition>`.
    pub(crate) fn build(&self, partition: u32) -> Archiver<B> {
        Archiver {
            partition,
            trades: self.trades.clone(),
            ticks: self.ticks.clone(),
            clock: self.clock.clone(),
            policy: self.policy,
            metrics: ArchiverMetrics::new(partition),
            health: self.health.register(&format!("archiver-{partition}")),
        }
    }
}
