//! What a process runs over: the configuration of the servers, and the data folder.
//!
//! [`Folder`] opens a data folder. The other modules are sections of the configuration that
//! several subcommands have, each once.
//!
//! A section is a group of flags and a function that reads them, and the layers below them, into
//! what it configures. Every flag is also a variable, `--kafka-username` being
//! `CANDLEWICK_KAFKA_USERNAME`, and a key of the file, `username` in `[kafka]`.

mod breaker;
mod clickhouse;
mod folder;
mod group;
mod kafka;
mod process;
mod redis;
#[cfg(test)]
mod tests;
mod timescaledb;
mod topic_specs;
mod topics;
mod url;

pub use breaker::{BreakerArgs, BreakerSettings};
pub use clickhouse::ClickHouseArgs;
pub use folder::{Folder, FolderError, FolderOptions};
pub use group::{GroupArgs, GroupSettings};
pub use kafka::KafkaArgs;
pub use process::{ProcessArgs, ProcessSettings};
pub use redis::RedisArgs;
pub use timescaledb::TimescaleArgs;
pub use topic_specs::topic_specs;
pub use topics::{TopicNameArgs, TopicNames};

/// The sections of the file that belong to servers. A role takes those that it needs, and leaves
/// the others to the roles that share the file.
const SECTIONS: [&str; 5] = ["kafka", "timescaledb", "clickhouse", "redis", "breaker"];

/// Leaves all sections but those that a role takes to the other roles.
pub fn ignore_all_but(layers: &mut host::Layers, taken: &[&str]) {
    for section in SECTIONS {
        if !taken.contains(&section) {
            layers.ignore_section(section);
        }
    }
}
