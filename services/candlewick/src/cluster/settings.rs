//! The settings that all roles of a cluster have.

use clap::Args;
use connect::{
    BreakerArgs, BreakerSettings, ClickHouseArgs, KafkaArgs, ProcessArgs, ProcessSettings,
    TimescaleArgs, TopicNames, TopicPrefixArgs,
};
use host::ErrorCollectingConfigReader;
use kafka::KafkaConfig;
use store::{ClickHouseConfig, TimescaleConfig};

/// The flags of the process and of the servers that every role uses.
#[derive(Debug, Default, Args)]
pub(super) struct CommonRoleArgs {
    #[command(flatten)]
    pub(super) process: ProcessArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    topics: TopicPrefixArgs,
    #[command(flatten)]
    timescaledb: TimescaleArgs,
    #[command(flatten)]
    clickhouse: ClickHouseArgs,
    #[command(flatten)]
    breaker: BreakerArgs,
}

/// How the servers that every role uses are reached.
#[derive(Debug)]
pub(crate) struct ServerConnectionSettings {
    pub(super) kafka: KafkaConfig,
    pub(super) topics: TopicNames,
    pub(super) timescaledb: TimescaleConfig,
    pub(super) clickhouse: ClickHouseConfig,
    pub(super) breaker: BreakerSettings,
}

impl CommonRoleArgs {
    /// Reads every layer; `default_port` is the default port of the process. Returns `None` for the
    /// servers if a required setting is missing; errors are collected in `reader`.
    pub(super) fn read_and_collect_errors(
        self,
        reader: &mut ErrorCollectingConfigReader,
        default_port: u16,
    ) -> (ProcessSettings, Option<ServerConnectionSettings>) {
        let process = self.process.read(reader, default_port);
        let breaker = self.breaker.read(reader);
        let kafka = self.kafka.read(reader);
        let topics = self.topics.read(reader);
        let timescaledb = self.timescaledb.read_required(reader);
        let clickhouse = self.clickhouse.read_required(reader);
        let stores = timescaledb.zip(clickhouse);
        let servers = stores.map(|(timescaledb, clickhouse)| ServerConnectionSettings {
            kafka,
            topics,
            timescaledb,
            clickhouse,
            breaker,
        });
        (process, servers)
    }
}
