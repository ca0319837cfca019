//! A topic of [Apache Kafka](https://kafka.apache.org), through librdkafka.
//!
//! [`Kafka`] is a connection with one idempotent producer; [`KafkaTopic`] is a topic that was
//! found there, with its identity; [`KafkaLog`] reads and appends. Which partitions a process
//! works on, the consumer group says, through [`Membership`]; reading itself needs no group.
//!
//! `docs/kafka.md` says what happens when brokers fail and topics change.

mod client;
mod complaint;
mod config;
mod delivery;
mod epoch;
mod failure;
mod group;
mod log;
mod metrics;
mod native;
mod pulse;
mod reader;
mod topic;
mod topics;
mod upkeep;

pub use self::config::{
    KafkaConfig, KafkaConfigError, MAX_RECORD_BYTES, SaslMechanism, Security, SecurityProtocol,
};
pub use self::group::{Drained, GroupEvent, Membership, MembershipOptions};
pub use self::log::KafkaLog;
pub use self::topic::{Kafka, KafkaTopic};
pub use self::topics::{TopicChange, TopicDrift, TopicPlan, TopicSpec, plan_topics, remove_topics};

/// Tells the installed recorder what the metrics of Kafka mean. Call it once a process.
pub fn describe_metrics() {
    metrics::describe();
}
