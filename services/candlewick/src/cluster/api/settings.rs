//! The settings of a pod of the API.

use clap::Args;
use connect::{ProcessSettings, RedisArgs, ignore_all_but};
use host::{ConfigErrors, Layers};
use store::RedisConfig;

use crate::cluster::settings::{ServerArgs, ServerSettings};

const DEFAULT_PORT: u16 = 8080;

/// Every flag is also a variable, `--timescaledb-url` being `CANDLEWICK_TIMESCALEDB_URL`, and a
/// key of the file, `url` in `[timescaledb]`. Flags win over variables, variables over the file.
#[derive(Debug, Default, Args)]
pub(crate) struct ApiArgs {
    #[command(flatten)]
    servers: ServerArgs,
    #[command(flatten)]
    redis: RedisArgs,
}

/// What a pod is configured with.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) servers: ServerSettings,
    pub(super) redis: Option<RedisConfig>,
}

impl ApiArgs {
    /// Reads every layer; all errors are found at once.
    pub(super) fn read(self) -> Result<(ProcessSettings, Settings), ConfigErrors> {
        let mut layers = self.servers.process.load_layers()?;
        ignore_all_but(
            &mut layers,
            &["kafka", "timescaledb", "clickhouse", "redis", "breaker"],
        );
        let (process, settings) = self.read_from(&mut layers);
        Ok((process, layers.finish_with(settings)?))
    }

    fn read_from(self, layers: &mut Layers) -> (ProcessSettings, Option<Settings>) {
        let (process, servers) = self.servers.read(layers, DEFAULT_PORT);
        let redis = self.redis.read(layers);
        let settings = servers.map(|servers| Settings { servers, redis });
        (process, settings)
    }
}
