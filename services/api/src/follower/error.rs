//! Why a follower stopped.

use eventlog::LogError;

/// The permanent error that stopped a follower. Retrying does not help.
#[derive(Debug, thiserror::Error)]
#[error("following bar-updates of partition {partition}: {source}")]
pub struct FollowError {
    partition: u32,
    source: LogError,
}

impl FollowError {
    pub(super) const fn new(partition: u32, source: LogError) -> Self {
        Self { partition, source }
    }
}
