//! Why bytes are not a record.

/// Why bytes are not a record of a known version and kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not MessagePack or have another structure.
    #[error("{field}: {reason}")]
    Malformed {
        /// The part of the record that is at fault.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer version wrote the record.
    #[error("schema version {found} is not known; this version reads {known}")]
    Version {
        /// The record's version.
        found: u64,
        /// The version that this program reads.
        known: u64,
    },
    /// The record is of a kind that this version does not know.
    #[error("kind {found} is not known")]
    Kind {
        /// The record's kind.
        found: u64,
    },
}

impl DecodeError {
    #[cold]
    pub(crate) fn malformed(field: &'static str, reason: &(impl ToString + ?Sized)) -> Self {
        Self::Malformed {
            field,
            reason: reason.to_string(),
        }
    }

    /// Returns the part of the record that is at fault.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Malformed { field, .. } => field,
            Self::Version { .. } | Self::Kind { .. } => "record",
        }
    }
}
