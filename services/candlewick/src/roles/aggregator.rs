//! The aggregators of a process.

use aggregator::{Metrics, Stores, Topics, Worker, WorkerConfig};
use backend::Backend;
use host::Health;

/// The worker of one partition over a [`Backend`].
type BackendWorker<B> = Worker<
    <B as Backend>::Trades,
    <B as Backend>::Updates,
    <B as Backend>::DeadLetters,
    <B as Backend>::Bars,
    <B as Backend>::Ticks,
    <B as Backend>::Hot,
    <B as Backend>::Clock,
>;

/// Builds the workers of a process, one for each partition.
pub(crate) struct WorkerFactory<B: Backend> {
    pub(crate) topics: Topics<B::Trades, B::Updates, B::DeadLetters>,
    pub(crate) stores: Stores<B::Bars, B::Ticks, B::Hot, B::Clock>,
    pub(crate) config: WorkerConfig,
    pub(crate) health: Health,
}

impl<B: Backend> WorkerFactory<B> {
    /// Builds the worker of a partition and registers its component `aggregator-<partition>`.
    pub(crate) fn build(&self, partition: u32) -> BackendWorker<B> {
        Worker {
            partition,
            topics: self.topics.clone(),
            stores: self.stores.clone(),
            pace: self.config,
            metrics: Metrics::new(partition),
            health: self.health.register(&format!("aggregator-{partition}")),
        }
    }
}
