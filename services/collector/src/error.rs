//! Why a feed ends.

use ingest::IngestError;
use market::RejectReason;

/// Why a feed ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// The venue cannot be declared, or trades cannot be sent.
    #[error("the synthetic feed cannot send trades: {0}")]
    Ingest(#[from] IngestError),
    /// Trades were refused that should not be: the feed or the clock is wrong.
    #[error("a trade of the synthetic feed was refused: {}", .0.explanation())]
    Refused(RejectReason),
}
