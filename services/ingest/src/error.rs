//! Why trades or settings were not appended.

use eventlog::LogError;
use market::{IdScheme, IdScope, RejectReason, Venue};
use store::StoreError;

/// Why trades or settings were not appended.
///
/// With any variant some of the records may be in the log. Sending the same records again is safe:
/// duplicates of a trade are recognized by its identity, and repeated settings change nothing.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The venue's first settings fixed another id scheme or id scope.
    #[error(
        "{venue} numbers its trades {known_scheme} within {known_scope}, \
         which cannot become {requested_scheme} within {requested_scope}"
    )]
    Conflict {
        /// The venue.
        venue: Venue,
        /// The scheme in force.
        known_scheme: IdScheme,
        /// The scope in force.
        known_scope: IdScope,
        /// The requested scheme.
        requested_scheme: IdScheme,
        /// The requested scope.
        requested_scope: IdScope,
    },
    /// A duration of the settings is out of bounds.
    #[error("{field} is not between 0 and 86400000 ms")]
    OutOfRange {
        /// The setting's name in JSON.
        field: &'static str,
    },
    /// The fold would reject the edit, cancel or repair; nothing was appended.
    #[error("{}", reason.explanation())]
    Rejected {
        /// The reason.
        reason: RejectReason,
    },
    /// There are no repairs, or one is not of whole minutes in order or is longer than a day.
    #[error("a repair is of whole minutes in order, at most a day each")]
    InvalidRepair,
    /// The log accepted no records until the deadline; try again shortly.
    #[error("the log has been busy for {waited_ms} ms; try again shortly")]
    Busy {
        /// How long the producer waited, in milliseconds.
        waited_ms: u64,
    },
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store of settings could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IngestError {
    /// Returns whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Conflict { .. }
            | Self::OutOfRange { .. }
            | Self::Rejected { .. }
            | Self::InvalidRepair => false,
            Self::Busy { .. } => true,
            Self::Log(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
        }
    }
}

impl From<RejectReason> for IngestError {
    fn from(reason: RejectReason) -> Self {
        Self::Rejected { reason }
    }
}
