//! How a durable topic is opened.

use crate::PartitionId;

/// What [`crate::EmbeddedLog::open`] needs to know.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// The topic's name, which is the label of its metrics and the name of its thread.
    pub topic: String,
    /// How many partitions a new file gets; an existing one must have as many.
    pub partitions: PartitionId,
    /// How long records are kept that every consumer has passed.
    pub retention: Retention,
    /// How many bytes of keys and values may wait to be durable before appends are
    /// [`crate::LogError::Busy`]. A single append beyond it is taken when nothing else waits.
    pub max_pending_bytes: usize,
}

/// When records that every consumer has passed are dropped: at either bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Records are kept at least this long after their append time, unless `max_bytes` drops them.
    pub max_age_ns: i64,
    /// Beyond this many encoded bytes of the whole topic the oldest go first. The file is larger:
    /// its pages are powers of two, and it holds its own free space.
    pub max_bytes: u64,
}

impl Retention {
    /// Keeps everything.
    pub const FOREVER: Self = Self {
        max_age_ns: i64::MAX,
        max_bytes: u64::MAX,
    };
}
