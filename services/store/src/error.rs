//! Why a call to a store failed.

/// Why a call to a store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store is slow, full or unreachable; the same call may succeed later.
    #[error("{store}: {reason}")]
    Unavailable {
        /// The name of the store.
        store: String,
        /// What went wrong.
        reason: String,
    },
    /// What is stored cannot be read: it is damaged, or another program wrote it.
    #[error("{store}: {reason}")]
    Corrupt {
        /// The name of the store.
        store: String,
        /// What went wrong.
        reason: String,
    },
    /// The topic was recreated: offsets of this generation name other records now.
    #[error(
        "{store}: the generation {topic_id} of the topic {topic} was superseded by a newer one"
    )]
    TopicSuperseded {
        /// The name of the store.
        store: String,
        /// The name of the topic.
        topic: String,
        /// The topic id of the superseded generation.
        topic_id: String,
    },
    /// A newer version wrote the store.
    #[error("{store} has schema {found}, this version knows {known}; use a newer candlewick")]
    NewerSchema {
        /// The name of the store.
        store: String,
        /// The schema of the store.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// An older version wrote the store, and it cannot be upgraded.
    #[error(
        "{store} has schema {found}, but this version reads schema {oldest} and later and cannot \
         upgrade it: {remedy}, or use the older candlewick that wrote it"
    )]
    OlderSchema {
        /// The name of the store.
        store: String,
        /// The schema of the store.
        found: i64,
        /// The oldest schema that this version reads.
        oldest: i64,
        /// What an operator does about it.
        remedy: &'static str,
    },
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
