//! Sections of the configuration that several subcommands have, each once.
//!
//! A section is a group of flags and a function that reads them, and the layers below them, into
//! what it configures. Every flag is also a variable, `--kafka-username` being
//! `CANDLEWICK_KAFKA_USERNAME`, and a key of the file, `username` in `[kafka]`.

mod breaker;
mod clickhouse;
mod group;
mod kafka;
mod process;
mod redis;
#[cfg(test)]
mod tests;
mod timescaledb;
mod topics;
mod url;

pub(crate) use breaker::{BreakerArgs, BreakerSettings};
pub(crate) use clickhouse::ClickHouseArgs;
pub(crate) use group::{GroupArgs, GroupSettings};
pub(crate) use kafka::KafkaArgs;
pub(crate) use process::{ProcessArgs, ProcessSettings};
pub(crate) use redis::RedisArgs;
pub(crate) use timescaledb::TimescaleArgs;
pub(crate) use topics::{TopicNameArgs, TopicNames};

/// The sections of the file that belong to servers. A role takes those that it needs, and leaves
/// the others to the roles that share the file.
const SECTIONS: [&str; 5] = ["kafka", "timescaledb", "clickhouse", "redis", "breaker"];

/// Leaves all sections but those that a role takes to the other roles.
pub(crate) fn ignore_all_but(layers: &mut host::Layers, taken: &[&str]) {
    for section in SECTIONS {
        if !taken.contains(&section) {
            layers.ignore_section(section);
        }
    }
}
