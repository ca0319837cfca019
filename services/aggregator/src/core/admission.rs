//! What became of a trade or an amendment.

use market::RejectReason;

use super::loading::LoadRequest;

/// What became of a trade or an amendment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It counts.
    Counted {
        /// Whether its minute was closed before.
        late: bool,
    },
    /// Its identity was seen before.
    Duplicate,
    /// The settings or the horizon do not allow it.
    Rejected(RejectReason),
    /// It had no effect yet: data has to be loaded first.
    Blocked(Vec<LoadRequest>),
}

/// What became of a refold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefoldOutcome {
    /// The minute and the longer windows that contain it were replaced.
    Applied,
    /// The refold was folded from another number of trades than the minute has counted, because
    /// its ticks are not all there. The bar stays as it is, without its mark.
    Refused {
        /// How many trades the minute has counted.
        counted: u64,
        /// How many trades the refold and the trades after it have.
        found: u64,
    },
    /// The minute was marked again or refolded already.
    Stale,
}
