//! The settings of an aggregator.

use aggregator::{IdMemoryBudget, WorkerConfig};
use clap::Args;
use connect::{
    ConsumerGroupArgs, ConsumerGroupSettings, ProcessSettings, RedisArgs, show_defaults_in_help,
};
use host::{ConfigErrors, ErrorCollectingConfigReader};
use store::RedisConfig;

use crate::cluster::settings::{CommonRoleArgs, ServerConnectionSettings};

const DEFAULT_GROUP: &str = "candlewick-aggregator";
const DEFAULT_PORT: u16 = 8081;

/// Every flag is also a variable, `--timescaledb-url` being `CANDLEWICK_TIMESCALEDB_URL`, and a
/// key of the file, `url` in `[timescaledb]`. Flags win over variables, variables over the file.
#[derive(Debug, Default, Args)]
#[command(mut_args = show_defaults_in_help(|reader| {
    Self::default().read_and_collect_errors(reader);
}))]
pub(crate) struct AggregatorArgs {
    #[command(flatten)]
    servers: CommonRoleArgs,
    #[command(flatten)]
    group: ConsumerGroupArgs,
    #[command(flatten)]
    redis: RedisArgs,
    /// How much memory the ids of unique trades may use, in bytes; the least used ones leave it and
    /// are read from the database when they are needed
    #[arg(long, value_name = "BYTES")]
    id_memory_bytes: Option<String>,
    /// How many records of a partition may be left out within an hour of the log because the
    /// database refuses what they change; at the next one the partition halts
    #[arg(long, value_name = "N")]
    max_left_out_per_hour: Option<String>,
}

/// What an aggregator is configured with.
#[derive(Debug)]
pub(crate) struct AggregatorSettings {
    pub(super) servers: ServerConnectionSettings,
    pub(super) redis: Option<RedisConfig>,
    pub(super) group: ConsumerGroupSettings,
    pub(super) id_memory_bytes: usize,
    pub(super) max_left_out_per_hour: usize,
}

impl AggregatorArgs {
    /// Reads every layer; all errors are found at once.
    pub(super) fn read(self) -> Result<(ProcessSettings, AggregatorSettings), ConfigErrors> {
        let mut reader = self.servers.process.load_config()?;
        let (process, settings) = self.read_and_collect_errors(&mut reader);
        Ok((process, reader.finish_with(settings)?))
    }

    /// Reads the settings, but does not check the file for unknown keys.
    pub(crate) fn read_and_collect_errors(
        self,
        reader: &mut ErrorCollectingConfigReader,
    ) -> (ProcessSettings, Option<AggregatorSettings>) {
        let (process, servers) = self.servers.read_and_collect_errors(reader, DEFAULT_PORT);
        let group = self.group.read(reader, DEFAULT_GROUP);
        let redis = self.redis.read_optional(reader);
        let id_memory_bytes = reader.read_or(
            "id_memory_bytes",
            self.id_memory_bytes,
            IdMemoryBudget::DEFAULT_BYTES,
        );
        let max_left_out_per_hour = reader.read_or(
            "max_left_out_per_hour",
            self.max_left_out_per_hour,
            WorkerConfig::default().max_left_out_per_hour,
        );
        let settings = servers.map(|servers| AggregatorSettings {
            servers,
            redis,
            group,
            id_memory_bytes,
            max_left_out_per_hour,
        });
        (process, settings)
    }
}
