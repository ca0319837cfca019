//! The aggregators of a process.

use aggregator::{
    IdMemoryBudget, PartitionWorker, WorkerConfig, WorkerMetrics, WorkerStores, WorkerTopics,
};
use backend::Backend;
use host::Health;

/// Builds the workers of a process, one for each partition.
pub(crate) struct WorkerFactory<B: Backend> {
    pub(crate) topics: WorkerTopics<B>,
    pub(crate) stores: WorkerStores<B>,
    pub(crate) config: WorkerConfig,
    /// The memory for ids, which the workers share.
    pub(crate) id_memory: IdMemoryBudget,
    pub(crate) health: Health,
}

impl<B: Backend> WorkerFactory<B> {
    /// Builds the worker of a partition and registers its component `aggregator-<partition>`.
    pub(crate) fn build(&self, partition: u32) -> PartitionWorker<B> {
        PartitionWorker {
            partition,
            topics: self.topics.clone(),
            stores: self.stores.clone(),
            config: self.config,
            id_memory: self.id_memory.clone(),
            metrics: WorkerMetrics::new(partition),
            health: self.health.register(&format!("aggregator-{partition}")),
        }
    }
}
