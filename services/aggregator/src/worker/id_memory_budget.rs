//! The memory for ids that the partitions of a process share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How much memory the ids of all partitions of a process may use. Clones are handles of the same
/// budget.
///
/// Each partition may use an equal share, and what the others leave. The budget is no hard limit:
/// ids that are not stored yet stay in memory until they are committed.
#[derive(Debug, Clone)]
pub struct IdMemoryBudget {
    shared: Arc<SharedBudget>,
}

#[derive(Debug)]
struct SharedBudget {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    partitions: AtomicUsize,
    evicted_segments: AtomicU64,
}

impl IdMemoryBudget {
    /// The budget if none is set: 128 MiB.
    pub const DEFAULT_BYTES: usize = 128 << 20;

    /// Returns a budget of `limit_bytes`.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            shared: Arc::new(SharedBudget {
                limit_bytes,
                used_bytes: AtomicUsize::new(0),
                partitions: AtomicUsize::new(0),
                evicted_segments: AtomicU64::new(0),
            }),
        }
    }

    /// Returns how many segments of ids have left memory because the ids used more than they may.
    #[must_use]
    pub fn evicted_segments(&self) -> u64 {
        self.shared.evicted_segments.load(Ordering::Relaxed)
    }

    /// Returns the share of a partition, which it has until it drops it.
    pub(super) fn join(&self) -> IdMemoryShare {
        self.shared.partitions.fetch_add(1, Ordering::Relaxed);
        IdMemoryShare {
            shared: Arc::clone(&self.shared),
            used_bytes: 0,
        }
    }
}

impl Default for IdMemoryBudget {
    fn default() -> Self {
        Self::new(Self::DEFAULT_BYTES)
    }
}

/// A partition's share of a budget.
#[derive(Debug)]
pub(super) struct IdMemoryShare {
    shared: Arc<SharedBudget>,
    used_bytes: usize,
}

impl IdMemoryShare {
    /// Reports how many segments of the partition have left memory since the last report.
    pub(super) fn report_evicted_segments(&self, segment_count: u64) {
        let evicted = &self.shared.evicted_segments;
        evicted.fetch_add(segment_count, Ordering::Relaxed);
    }

    /// Reports how much the partition uses, and returns how much it may use.
    pub(super) fn report_used_and_get_limit_bytes(&mut self, used_bytes: usize) -> usize {
        let shared = &self.shared;
        shared.used_bytes.fetch_add(used_bytes, Ordering::Relaxed);
        shared
            .used_bytes
            .fetch_sub(self.used_bytes, Ordering::Relaxed);
        self.used_bytes = used_bytes;
        let all_bytes = shared.used_bytes.load(Ordering::Relaxed);
        let others_bytes = all_bytes.saturating_sub(used_bytes);
        let equal_share = shared.limit_bytes / shared.partitions.load(Ordering::Relaxed).max(1);
        equal_share.max(shared.limit_bytes.saturating_sub(others_bytes))
    }
}

impl Drop for IdMemoryShare {
    fn drop(&mut self) {
        self.shared
            .used_bytes
            .fetch_sub(self.used_bytes, Ordering::Relaxed);
        self.shared.partitions.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::IdMemoryBudget;

    #[test]
    fn a_partition_may_use_an_equal_share_and_what_the_others_leave() {
        let budget = IdMemoryBudget::new(100);
        let mut first = budget.join();
        assert_eq!(first.report_used_and_get_limit_bytes(80), 100);
        let mut second = budget.join();
        assert_eq!(second.report_used_and_get_limit_bytes(10), 50);
        assert_eq!(first.report_used_and_get_limit_bytes(80), 90);
        assert_eq!(first.report_used_and_get_limit_bytes(50), 90);
        assert_eq!(second.report_used_and_get_limit_bytes(70), 50);
        drop(first);
        assert_eq!(second.report_used_and_get_limit_bytes(20), 100);
    }
}
