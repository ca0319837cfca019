//! A topic of [Apache Kafka](https://kafka.apache.org), through librdkafka.
//!
//! [`KafkaClient`] is a connection with one idempotent producer, [`KafkaTopic`] is an existing
//! topic with its identity, and [`KafkaLog`] reads and appends. The consumer group assigns
//! partitions to processes through [`GroupMembership`]; reading needs no group.
//!
//! `docs/kafka.md` describes what happens when brokers fail and topics change.

mod callbacks;
mod config;
mod connection;
mod connection_error;
mod delivery;
mod drop_clients;
mod epoch_check;
mod error_mapping;
mod group;
mod log;
mod maintenance;
mod metrics;
mod native;
mod open_transactions;
mod partition_reader;
mod poll_rounds;
mod poller;
mod rights;
mod topic;
mod topic_binding;
mod topic_plan;
mod topic_reader;
mod topic_removal;

pub use self::config::{
    KafkaConfig, KafkaConfigError, KafkaSecurity, MAX_RECORD_BYTES, SaslMechanism, SecurityProtocol,
};
pub use self::connection::KafkaClient;
pub use self::drop_clients::drop_clients;
pub use self::group::{
    GroupEvent, GroupMembership, GroupMembershipOptions, RevokedPartitionsGuard,
};
pub use self::log::KafkaLog;
pub use self::metrics::describe_metrics;
pub use self::open_transactions::OpenTransactionFinder;
pub use self::partition_reader::UnreadRange;
pub use self::rights::TopicRight;
pub use self::topic::KafkaTopic;
pub use self::topic_binding::TopicBinding;
pub use self::topic_plan::{
    TopicChecker, TopicDrift, TopicDriftAction, TopicPlan, TopicSpec, plan_topics,
};
pub use self::topic_removal::remove_topics;
