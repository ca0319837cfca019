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
    /// The store refused the values of the call. No repetition of the call can succeed, but a call
    /// with other values can.
    #[error("{store} refuses the data: {reason}")]
    DataRefused {
        /// The name of the store.
        store: String,
        /// What went wrong, in the words of the store.
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
    /// Partitions were added to a topic: keys belong to other partitions than those whose state is
    /// stored.
    #[error(
        "{topic} has {found} partitions, but the state in {store} is of {registered}: keys belong \
         to other partitions now, and nothing is folded; delete the topics and run `candlewick \
         topics apply --partitions {registered}`, as docs/operations.md describes"
    )]
    PartitionsChanged {
        /// The name of the store.
        store: String,
        /// The name of the topic.
        topic: String,
        /// The number of partitions with which the topic was registered.
        registered: u32,
        /// The number of partitions that it has.
        found: u32,
    },
    /// The store belongs to a topic of another Kafka cluster or of another name.
    #[error(
        "{store} belongs to {registered}, and {topic} is {found} here: another deployment uses \
         this database, or a setting names the wrong one; if {found} is to take over, run \
         `candlewick migrate --adopt-topics` first"
    )]
    ForeignTopic {
        /// The name of the store.
        store: String,
        /// The name under which the stores know the topic.
        topic: String,
        /// The cluster and topic that the store belongs to.
        registered: String,
        /// The cluster and topic that were found.
        found: String,
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

    /// Returns whether the store refused the values of the call.
    #[must_use]
    pub const fn is_data_refused(&self) -> bool {
        matches!(self, Self::DataRefused { .. })
    }
}
