//! How a session ends.

use super::refused_commit::RefusedCommit;

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SessionEnd {
    /// The worker was stopped, and has committed.
    Stopped,
    /// Another worker has moved the partition.
    Lost,
    /// The log does not hold the next record.
    OutOfRange,
    /// The store refuses the data of a commit.
    DataRefused(RefusedCommit),
    /// The store accepts a commit in which the record at fault is left out. Nothing was stored or
    /// announced.
    LeaveOutChecked,
}
