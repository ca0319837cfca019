//! Why an archiver ends.

use eventlog::LogError;
use store::StoreError;

/// Why an archiver ends. No retry can help, so an operator has to act.
#[derive(Debug, thiserror::Error)]
pub enum ArchiverError {
    /// The log cannot be read.
    #[error("archiving partition {partition}: {source}")]
    Log {
        /// The partition of `trades`.
        partition: u32,
        /// The error of the log.
        source: LogError,
    },
    /// The store cannot be read or written.
    #[error("archiving partition {partition}: {source}")]
    Store {
        /// The partition of `trades`.
        partition: u32,
        /// The error of the store.
        source: StoreError,
    },
    /// The stored ticks are of a later epoch than the log.
    #[error(
        "archiving partition {partition}: the ticks are of epoch {found}, the log is of epoch {expected}"
    )]
    Epoch {
        /// The partition of `trades`.
        partition: u32,
        /// The epoch of the stored ticks.
        found: u64,
        /// The epoch of the log.
        expected: u64,
    },
}

impl ArchiverError {
    /// Returns whether the error concerns one partition only, so that the others can go on: the log
    /// has dropped records before they were archived, or the store refuses a block.
    #[must_use]
    pub const fn concerns_one_partition(&self) -> bool {
        match self {
            Self::Log { source, .. } => source.is_below_retention(),
            Self::Store { source, .. } => source.is_data_refused(),
            Self::Epoch { .. } => false,
        }
    }
}
