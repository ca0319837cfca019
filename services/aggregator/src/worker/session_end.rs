//! How a session ends.

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionEnd {
    /// The worker was stopped, and has committed.
    Stopped,
    /// Another worker has moved the partition.
    Lost,
    /// The log does not hold the next record.
    OutOfRange,
}
