//! The settings of an aggregator.

use clap::Args;
use connect::{GroupArgs, GroupSettings, ProcessSettings, RedisArgs};
use host::{ConfigErrors, Layers};
use store::RedisConfig;

use crate::cluster::settings::{ServerArgs, ServerSettings};

const DEFAULT_GROUP: &str = "candlewick-aggregator";
const DEFAULT_PORT: u16 = 8081;

/// Every flag is also a variable, `--timescaledb-url` being `CANDLEWICK_TIMESCALEDB_URL`, and a
/// key of the file, `url` in `[timescaledb]`. Flags win over variables, variables over the file.
#[derive(Debug, Default, Args)]
pub(crate) struct AggregatorArgs {
    #[command(flatten)]
    servers: ServerArgs,
    #[command(flatten)]
    group: GroupArgs,
    #[command(flatten)]
    redis: RedisArgs,
}

/// What an aggregator is configured with.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) servers: ServerSettings,
    pub(super) redis: Option<RedisConfig>,
    pub(super) group: GroupSettings,
}

impl AggregatorArgs {
    /// Reads every layer; all errors are found at once.
    pub(super) fn read(self) -> Result<(ProcessSettings, Settings), ConfigErrors> {
        let mut layers = self.servers.process.load_layers()?;
        let (process, settings) = self.read_from(&mut layers);
        Ok((process, layers.finish_with(settings)?))
    }

    fn read_from(self, layers: &mut Layers) -> (ProcessSettings, Option<Settings>) {
        let (process, servers) = self.servers.read(layers, DEFAULT_PORT);
        let group = self.group.read(layers, DEFAULT_GROUP);
        let redis = self.redis.read(layers);
        let settings = servers.map(|servers| Settings {
            servers,
            redis,
            group,
        });
        (process, settings)
    }
}
