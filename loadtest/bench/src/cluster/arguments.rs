//! The command-line options of the cluster's measurement.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use host::{ConfigErrors, ErrorCollectingConfigReader};
use kafka::KafkaConfig;
use store::{ClickHouseConfig, RedisConfig, TimescaleConfig};

use super::child_task::ChildTask;
use super::part::ClusterBenchPart;
use connect::{
    ClickHouseArgs, KafkaArgs, RedisArgs, TimescaleArgs, TopicNames, TopicPrefixArgs,
    ignore_server_sections_except,
};

/// The command-line options of the cluster's measurement.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterBenchArgs {
    /// Which parts of the cluster's measurement [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART,…")]
    only: Vec<ClusterBenchPart>,
    /// Trades of the parts kafka and producer
    #[arg(long, default_value_t = 2_000_000, value_name = "N",
          value_parser = clap::value_parser!(u64).range(10_000..))]
    trades: u64,
    /// Rounds of the parts kafka and restart, 3 at the least
    #[arg(long, default_value_t = 3, value_name = "N",
          value_parser = clap::value_parser!(u32).range(3..=99))]
    rounds: u32,
    /// How far behind the lag part begins, in seconds
    #[arg(long, default_value_t = 300, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    lag_seconds: u64,
    /// Trades a second of those seconds
    #[arg(long, default_value_t = 100_000, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1_000..))]
    lag_rate: u64,
    /// How many partitions the topics have
    #[arg(long, value_name = "N", default_value_t = schemas::DEFAULT_PARTITIONS,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    partitions: u32,
    /// How many brokers keep each partition
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=32))]
    replication: u32,
    /// A TOML file with the settings of the servers
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    timescaledb: TimescaleArgs,
    #[command(flatten)]
    clickhouse: ClickHouseArgs,
    #[command(flatten)]
    redis: RedisArgs,
    /// The task of a process that the measurement has started
    #[arg(long, hide = true)]
    worker: Option<ChildTask>,
    /// Over how many seconds of event time its trades spread
    #[arg(long, hide = true, default_value_t = 1_800)]
    span_seconds: u64,
}

/// The settings of a measurement.
pub(crate) struct ClusterBenchSettings {
    pub(super) parts: Vec<ClusterBenchPart>,
    pub(super) trades: u64,
    pub(super) rounds: u32,
    pub(super) lag_seconds: u64,
    pub(super) lag_rate: u64,
    pub(super) partitions: u32,
    pub(super) replication: u32,
    pub(super) config: Option<PathBuf>,
    pub(super) kafka: KafkaConfig,
    pub(super) topics: TopicNames,
    pub(super) timescaledb: TimescaleConfig,
    pub(super) clickhouse: ClickHouseConfig,
    pub(super) redis: Option<RedisConfig>,
    pub(super) worker: Option<ChildTask>,
    pub(super) span_seconds: u64,
}

impl ClusterBenchArgs {
    /// Resolves the settings; returns `None` without TimescaleDB, when there is no cluster to
    /// measure.
    ///
    /// # Errors
    /// All errors of the configuration.
    pub(crate) fn read(self) -> Result<Option<ClusterBenchSettings>, ConfigErrors> {
        let mut reader = ErrorCollectingConfigReader::load(self.config.as_deref())?;
        let sections = ["kafka", "timescaledb", "clickhouse", "redis"];
        ignore_server_sections_except(&mut reader, &sections);
        let kafka = self.kafka.read(&mut reader);
        let topics = TopicPrefixArgs::default().read(&mut reader);
        let redis = self.redis.read_optional(&mut reader);
        let Some(timescaledb) = self.timescaledb.read_optional(&mut reader) else {
            if !self.only.is_empty() {
                reader.reject("timescaledb.url", "a URL, since --only is of a cluster");
            }
            reader.finish()?;
            return Ok(None);
        };
        let clickhouse = self.clickhouse.read_required(&mut reader);
        let clickhouse = reader.finish_with(clickhouse)?;
        let parts = match self.only.is_empty() {
            true => ClusterBenchPart::value_variants().to_vec(),
            false => self.only,
        };
        Ok(Some(ClusterBenchSettings {
            parts,
            trades: self.trades,
            rounds: self.rounds,
            lag_seconds: self.lag_seconds,
            lag_rate: self.lag_rate,
            partitions: self.partitions,
            replication: self.replication,
            config: self.config,
            kafka,
            topics,
            timescaledb,
            clickhouse,
            redis,
            worker: self.worker,
            span_seconds: self.span_seconds,
        }))
    }
}
