//! Why a worker stops.

use eventlog::LogError;
use store::StoreError;

/// Why a worker stops. No retry can help, so an operator has to act.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The log cannot be read or written.
    #[error("partition {partition}: {source}")]
    Log {
        /// The partition of `trades`.
        partition: u32,
        /// The error of the log.
        source: LogError,
    },
    /// The store cannot be read or written.
    #[error("partition {partition}: {source}")]
    Store {
        /// The partition of `trades`.
        partition: u32,
        /// The error of the store.
        source: StoreError,
    },
}

impl WorkerError {
    /// Returns whether the error concerns one partition only, so that the others can go on: the log
    /// has dropped records before they were folded, or the store refuses what a record changes.
    #[must_use]
    pub const fn concerns_one_partition(&self) -> bool {
        match self {
            Self::Log { source, .. } => source.is_below_retention(),
            Self::Store { source, .. } => source.is_data_refused(),
        }
    }
}
