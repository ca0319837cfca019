//! Why bytes are not a record.

/// Why bytes are not a record of a known version and kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not MessagePack, or of another shape.
    #[error("{field}: {reason}")]
    Malformed {
        /// Which part of the record.
        field: &'static str,
        /// What was wrong with it.
        reason: String,
    },
    /// Written by a newer version.
    #[error("schema version {found} is not known; this version reads {known}")]
    Version {
        /// What the record says.
        found: u64,
        /// What is known here.
        known: u64,
    },
    /// Of a kind that this version does not know.
    #[error("kind {found} is not known")]
    Kind {
        /// What the record says.
        found: u64,
    },
}

impl DecodeError {
    pub(crate) fn malformed(field: &'static str, reason: &(impl ToString + ?Sized)) -> Self {
        Self::Malformed {
            field,
            reason: reason.to_string(),
        }
    }
}
