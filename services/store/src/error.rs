//! Why a store could not do what was asked.

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store is slow, full or gone; the same call may succeed later.
    #[error("{store}: {reason}")]
    Unavailable {
        /// Which store.
        store: String,
        /// What went wrong.
        reason: String,
    },
    /// What is stored cannot be read: it was damaged or written by something else.
    #[error("{store}: {reason}")]
    Corrupt {
        /// Which store.
        store: String,
        /// What went wrong.
        reason: String,
    },
    /// The topic was made anew since: its offsets name other records.
    #[error(
        "{store}: the generation {topic_id} of the topic {topic} was superseded by a newer one"
    )]
    TopicSuperseded {
        /// Which store.
        store: String,
        /// Which topic.
        topic: String,
        /// The generation that is not the current one.
        topic_id: String,
    },
    /// The store was written by a newer version.
    #[error("{store} has schema {found}, this version knows {known}; use a newer candlewick")]
    NewerSchema {
        /// Which store.
        store: String,
        /// Its schema.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// The store was written by an older version, and cannot be upgraded.
    #[error(
        "{store} has schema {found}, but this version reads schema {oldest} and later and cannot \
         upgrade it: drop that database and replay the trades, or use the older candlewick that \
         wrote it"
    )]
    OlderSchema {
        /// Which store.
        store: String,
        /// Its schema.
        found: i64,
        /// The oldest schema that this version reads.
        oldest: i64,
    },
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
