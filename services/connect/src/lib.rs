//! What a process connects to: the configuration of the servers, and the data folder.
//!
//! [`DataFolder`] opens a data folder. The other modules are the sections of the configuration that
//! several subcommands share.
//!
//! A section is a group of flags and a function that reads its settings from the flags, the
//! environment and the file. Every flag is also a variable, `--kafka-username` being
//! `CANDLEWICK_KAFKA_USERNAME`, and a key of the file, `username` in `[kafka]`.

mod breaker;
mod clickhouse;
mod folder;
mod group;
mod help;
mod ignored_sections;
mod kafka;
mod process;
mod redis;
mod rights;
#[cfg(test)]
mod tests;
mod timescaledb;
mod topic_specs;
mod topics;
mod url;

pub use breaker::{BreakerArgs, BreakerSettings};
pub use clickhouse::ClickHouseArgs;
pub use folder::{DataFolder, DataFolderError, DataFolderOptions};
pub use group::{ConsumerGroupArgs, ConsumerGroupSettings};
pub use help::show_defaults_in_help;
pub use ignored_sections::ignore_server_sections_except;
pub use kafka::KafkaArgs;
pub use process::{ProcessArgs, ProcessSettings};
pub use redis::RedisArgs;
pub use rights::{
    AGGREGATOR_RIGHTS, API_RIGHTS, ARCHIVER_RIGHTS, DEAD_LETTERS_REPLAY_RIGHTS,
    DEAD_LETTERS_RIGHTS, RoleRights, VERIFY_RIGHTS,
};
pub use timescaledb::TimescaleArgs;
pub use topic_specs::topic_specs;
pub use topics::{TopicNames, TopicPrefixArgs};
