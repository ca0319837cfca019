//! How a topic should be, and how it is.

use std::collections::BTreeMap;

/// How a topic should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// The name of the topic.
    pub name: String,
    /// The number of partitions, which never changes.
    pub partitions: u32,
    /// How many brokers hold each partition.
    pub replication: u32,
    /// Kafka's settings of the topic: names and values.
    pub settings: Vec<(String, String)>,
}

/// How an existing topic is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExistingTopic {
    pub(super) partitions: u32,
    pub(super) replication: u32,
    pub(super) settings: BTreeMap<String, String>,
}
