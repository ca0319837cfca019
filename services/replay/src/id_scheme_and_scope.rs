//! How a venue numbers its trades.

use market::{IdScheme, IdScope};

/// How a venue numbers its trades, as it is declared to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdSchemeAndScope {
    /// Whether ids are contiguous, unique or absent.
    pub(crate) scheme: IdScheme,
    /// Within what an id is unique.
    pub(crate) scope: IdScope,
}
