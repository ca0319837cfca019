//! Why trades or settings were not appended.

use std::borrow::Cow;
use std::fmt;

use eventlog::LogError;
use market::{IdScheme, IdScope, RejectReason, SettingsChange, TieOrder, Venue, VenueSettings};
use store::StoreError;

/// The settings that a venue's first declaration fixes, as far as they are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedSettings {
    scheme: Option<IdScheme>,
    scope: Option<IdScope>,
    ties: Option<TieOrder>,
}

impl FixedSettings {
    pub(crate) const fn new(settings: &VenueSettings) -> Self {
        Self::requested(&SettingsChange::of_all(settings))
    }

    pub(crate) const fn requested(change: &SettingsChange) -> Self {
        Self {
            scheme: change.scheme,
            scope: change.scope,
            ties: change.ties,
        }
    }
}

impl fmt::Display for FixedSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            ("id_scheme", self.scheme.map(IdScheme::name)),
            ("id_scope", self.scope.map(IdScope::name)),
            ("ties", self.ties.map(TieOrder::name)),
        ];
        let named = named
            .iter()
            .filter_map(|(field, name)| Some((*field, (*name)?)));
        for (index, (field, name)) in named.enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(out, "{separator}{field} {name}")?;
        }
        Ok(())
    }
}

/// Why trades or settings were not appended.
///
/// With any variant some of the records may be in the log. Sending the same records again is safe:
/// duplicates of a trade are recognized by its identity, and repeated settings change nothing.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The venue's first settings fixed another id scheme, id scope or tie order.
    #[error(
        "{venue} was declared with {known}; these do not change, and the request has {requested}; \
         POST /api/v1/venues/{}/retire lets the name begin again",
        venue.base_name()
    )]
    Conflict {
        /// The venue.
        venue: Venue,
        /// The name in JSON of the first setting that differs.
        field: &'static str,
        /// The settings in force.
        known: FixedSettings,
        /// The requested settings.
        requested: FixedSettings,
    },
    /// A duration of the settings is out of bounds.
    #[error("{field} is not between 0 and 86400000 ms")]
    OutOfRange {
        /// The setting's name in JSON.
        field: &'static str,
    },
    /// The fold would reject the edit, cancel or repair; nothing was appended.
    #[error("{explanation}")]
    Rejected {
        /// The reason.
        reason: RejectReason,
        /// A text for users: what is wrong, and what would be right.
        explanation: Cow<'static, str>,
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
        Self::Rejected {
            reason,
            explanation: reason.explanation().into(),
        }
    }
}
