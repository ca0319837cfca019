//! Why a feed ends.

use ingest::IngestError;
use market::RejectReason;

/// Why a feed ends before it is stopped.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// The venue cannot be declared, or trades cannot be appended.
    #[error("the synthetic feed cannot send trades: {0}")]
    Ingest(#[from] IngestError),
    /// A trade was rejected although it is valid: the feed or the clock is wrong.
    #[error("a trade of the synthetic feed was rejected: {}", .0.explanation())]
    Rejected(RejectReason),
}
