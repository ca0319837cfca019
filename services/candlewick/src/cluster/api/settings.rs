//! The settings of a pod of the API.

use clap::Args;
use connect::{ProcessSettings, RedisArgs, ignore_server_sections_except, show_defaults_in_help};
use host::{ConfigErrors, ErrorCollectingConfigReader};
use ingest::VenueAndSymbolLimits;
use store::RedisConfig;

use crate::cluster::settings::{CommonRoleArgs, ServerConnectionSettings};
use crate::roles::VenueAndSymbolLimitArgs;

const DEFAULT_PORT: u16 = 8080;

/// Every flag is also a variable, `--timescaledb-url` being `CANDLEWICK_TIMESCALEDB_URL`, and a
/// key of the file, `url` in `[timescaledb]`. Flags win over variables, variables over the file.
#[derive(Debug, Default, Args)]
#[command(mut_args = show_defaults_in_help(|reader| {
    Self::default().read_and_collect_errors(reader);
}))]
pub(crate) struct ApiArgs {
    #[command(flatten)]
    servers: CommonRoleArgs,
    #[command(flatten)]
    redis: RedisArgs,
    #[command(flatten)]
    limits: VenueAndSymbolLimitArgs,
}

/// What a pod is configured with.
#[derive(Debug)]
pub(crate) struct ApiSettings {
    pub(super) servers: ServerConnectionSettings,
    pub(super) redis: Option<RedisConfig>,
    pub(super) limits: VenueAndSymbolLimits,
}

impl ApiArgs {
    /// Reads every layer; all errors are found at once.
    pub(super) fn read(self) -> Result<(ProcessSettings, ApiSettings), ConfigErrors> {
        let mut reader = self.servers.process.load_config()?;
        ignore_server_sections_except(
            &mut reader,
            &["kafka", "timescaledb", "clickhouse", "redis", "breaker"],
        );
        let (process, settings) = self.read_and_collect_errors(&mut reader);
        Ok((process, reader.finish_with(settings)?))
    }

    /// Reads the settings, but does not check the file for unknown keys.
    pub(crate) fn read_and_collect_errors(
        self,
        reader: &mut ErrorCollectingConfigReader,
    ) -> (ProcessSettings, Option<ApiSettings>) {
        let (process, servers) = self.servers.read_and_collect_errors(reader, DEFAULT_PORT);
        let redis = self.redis.read_optional(reader);
        let limits = self.limits.read(reader);
        let settings = servers.map(|servers| ApiSettings {
            servers,
            redis,
            limits,
        });
        (process, settings)
    }
}
