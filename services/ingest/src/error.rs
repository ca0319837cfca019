//! Why trades or settings were not taken.

use eventlog::LogError;
use market::{IdScheme, IdScope, RejectReason, Venue};
use store::StoreError;

/// Why trades or settings were not taken.
///
/// Whatever the variant, some of the records may be in the log: sending the same again is safe,
/// since a trade's identity removes duplicates and settings amend themselves.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The venue has another scheme or scope, which its first settings fixed.
    #[error(
        "{venue} numbers its trades {known_scheme} within {known_scope}, \
         which cannot become {asked_scheme} within {asked_scope}"
    )]
    Conflict {
        /// Which venue.
        venue: Venue,
        /// The scheme in force.
        known_scheme: IdScheme,
        /// The scope in force.
        known_scope: IdScope,
        /// The scheme asked for.
        asked_scheme: IdScheme,
        /// The scope asked for.
        asked_scope: IdScope,
    },
    /// A duration of the settings is out of its bounds.
    #[error("{field} is not between 0 and 86400000 ms")]
    OutOfRange {
        /// Which one, as JSON names it.
        field: &'static str,
    },
    /// An edit, a cancel or a repair that the fold would refuse; nothing was appended.
    #[error("{}", reject.explanation())]
    Rejected {
        /// Why.
        reject: RejectReason,
    },
    /// Repairs are of whole minutes in order, at most a day each, and at least one.
    #[error("a repair is of whole minutes in order, at most a day each")]
    InvalidRepair,
    /// The log had no room until the deadline; try again shortly.
    #[error("the log has been busy for {waited_ms} ms; try again shortly")]
    Busy {
        /// How long room was waited for.
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
    /// Whether the same call may succeed later.
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
    fn from(reject: RejectReason) -> Self {
        Self::Rejected { reject }
    }
}
