//! Why an archiver stops.

use eventlog::LogError;
use store::StoreError;

/// Why an archiver stops: each is a matter for an operator, since no retry can mend it.
#[derive(Debug, thiserror::Error)]
pub enum ArchiverError {
    /// The log cannot be read.
    #[error("archiving partition {partition}: {source}")]
    Log {
        /// Which partition of `trades`.
        partition: u32,
        /// What the log said.
        source: LogError,
    },
    /// The store cannot be read or written.
    #[error("archiving partition {partition}: {source}")]
    Store {
        /// Which partition of `trades`.
        partition: u32,
        /// What the store said.
        source: StoreError,
    },
    /// The ticks are of another generation of the log.
    #[error(
        "archiving partition {partition}: the ticks are of epoch {found}, the log is of epoch {expected}"
    )]
    Epoch {
        /// Which partition of `trades`.
        partition: u32,
        /// Of which generation the ticks are.
        found: u64,
        /// Of which generation the log is.
        expected: u64,
    },
}

impl ArchiverError {
    /// Whether the log has dropped records before they were archived. It concerns the partition
    /// alone.
    #[must_use]
    pub const fn is_below_retention(&self) -> bool {
        match self {
            Self::Log { source, .. } => source.is_below_retention(),
            Self::Store { .. } | Self::Epoch { .. } => false,
        }
    }
}
