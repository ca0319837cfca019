//! Why a worker stops.

use eventlog::LogError;
use store::StoreError;

/// Why a worker stops: each is a matter for an operator, since no retry can mend it.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The log cannot be read or written.
    #[error("partition {partition}: {source}")]
    Log {
        /// Which partition of `trades`.
        partition: u32,
        /// What the log said.
        source: LogError,
    },
    /// The store cannot be read or written.
    #[error("partition {partition}: {source}")]
    Store {
        /// Which partition of `trades`.
        partition: u32,
        /// What the store said.
        source: StoreError,
    },
}

impl WorkerError {
    /// Whether the log has dropped records before they were folded. It concerns the partition
    /// alone.
    #[must_use]
    pub const fn is_below_retention(&self) -> bool {
        match self {
            Self::Log { source, .. } => source.is_below_retention(),
            Self::Store { .. } => false,
        }
    }
}
