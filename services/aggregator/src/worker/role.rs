//! What the worker of one partition is made of.

use backend::Backend;
use host::HealthComponent;

use super::config::WorkerConfig;
use super::id_memory_budget::IdMemoryBudget;
use crate::metrics::WorkerMetrics;

/// The topics that a worker reads and writes.
pub struct WorkerTopics<B: Backend> {
    /// Trades, amendments, settings and advances: the records that are folded.
    pub trades: B::Trades,
    /// The topic where changed bars are announced.
    pub updates: B::Updates,
    /// The topic of the records that do not count.
    pub dead_letters: B::DeadLetters,
}

/// The stores and the clock of a worker.
pub struct WorkerStores<B: Backend> {
    /// The bars and the state of the fold.
    pub bars: B::Bars,
    /// The ticks, from which minutes are refolded.
    pub ticks: B::Ticks,
    /// The newest prices.
    pub hot: B::Hot,
    /// The clock.
    pub clock: B::Clock,
}

// Derived implementations would require `B: Clone`, but a backend is only a name.
impl<B: Backend> Clone for WorkerTopics<B> {
    fn clone(&self) -> Self {
        Self {
            trades: self.trades.clone(),
            updates: self.updates.clone(),
            dead_letters: self.dead_letters.clone(),
        }
    }
}

impl<B: Backend> Clone for WorkerStores<B> {
    fn clone(&self) -> Self {
        Self {
            bars: self.bars.clone(),
            ticks: self.ticks.clone(),
            hot: self.hot.clone(),
            clock: self.clock.clone(),
        }
    }
}

/// The worker of one partition.
pub struct PartitionWorker<B: Backend> {
    /// The partition of `trades` that it folds.
    pub partition: u32,
    /// The topics.
    pub topics: WorkerTopics<B>,
    /// The stores and the clock.
    pub stores: WorkerStores<B>,
    /// Its intervals, limits and timeouts.
    pub config: WorkerConfig,
    /// The memory for ids, which it shares with the other workers of the process.
    pub id_memory: IdMemoryBudget,
    /// The metrics of the partition.
    pub metrics: WorkerMetrics,
    /// The health component that it reports to.
    pub health: HealthComponent,
}
