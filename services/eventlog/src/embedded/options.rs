//! How a durable topic is opened.

use crate::record::PartitionId;

/// The options of [`crate::EmbeddedLog::open`].
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// The name of the topic, which is the label of its metrics and part of the name of its
    /// thread.
    pub topic: String,
    /// How many partitions a new file gets. An existing file must have the same number.
    pub partitions: PartitionId,
    /// How long records are kept that every consumer has processed.
    pub retention: RetentionLimits,
    /// How many bytes of keys and values may wait to be durable before appends fail with
    /// [`crate::LogError::Busy`]. A single append beyond this is accepted if nothing else waits.
    pub max_pending_bytes: usize,
}

/// When records that every consumer has processed are dropped: when either bound is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionLimits {
    /// How long after their append time records are kept, unless `max_bytes` drops them earlier.
    pub max_age_ns: i64,
    /// How many encoded bytes of the whole topic are kept; beyond this the oldest are dropped
    /// first. The file is larger: its pages are powers of two, and it contains free space.
    pub max_bytes: u64,
}

impl RetentionLimits {
    /// Keeps everything.
    pub const FOREVER: Self = Self {
        max_age_ns: i64::MAX,
        max_bytes: u64::MAX,
    };
}
