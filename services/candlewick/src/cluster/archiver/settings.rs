//! The settings of an archiver.

use clap::Args;
use connect::{
    ConsumerGroupArgs, ConsumerGroupSettings, ProcessSettings, ignore_server_sections_except,
    show_defaults_in_help,
};
use host::{ConfigErrors, ErrorCollectingConfigReader};

use crate::cluster::settings::{CommonRoleArgs, ServerConnectionSettings};

const DEFAULT_GROUP: &str = "candlewick-archiver";
const DEFAULT_PORT: u16 = 8082;

/// Every flag is also a variable, `--clickhouse-url` being `CANDLEWICK_CLICKHOUSE_URL`, and a
/// key of the file, `url` in `[clickhouse]`. Flags win over variables, variables over the file.
#[derive(Debug, Default, Args)]
#[command(mut_args = show_defaults_in_help(|reader| {
    Self::default().read_and_collect_errors(reader);
}))]
pub(crate) struct ArchiverArgs {
    #[command(flatten)]
    servers: CommonRoleArgs,
    #[command(flatten)]
    group: ConsumerGroupArgs,
}

/// What an archiver is configured with.
#[derive(Debug)]
pub(crate) struct ArchiverSettings {
    pub(super) servers: ServerConnectionSettings,
    pub(super) group: ConsumerGroupSettings,
}

impl ArchiverArgs {
    /// Reads every layer; all errors are found at once.
    pub(super) fn read(self) -> Result<(ProcessSettings, ArchiverSettings), ConfigErrors> {
        let mut reader = self.servers.process.load_config()?;
        ignore_server_sections_except(
            &mut reader,
            &["kafka", "timescaledb", "clickhouse", "breaker"],
        );
        let (process, settings) = self.read_and_collect_errors(&mut reader);
        Ok((process, reader.finish_with(settings)?))
    }

    /// Reads the settings, but does not check the file for unknown keys.
    pub(crate) fn read_and_collect_errors(
        self,
        reader: &mut ErrorCollectingConfigReader,
    ) -> (ProcessSettings, Option<ArchiverSettings>) {
        let (process, servers) = self.servers.read_and_collect_errors(reader, DEFAULT_PORT);
        let group = self.group.read(reader, DEFAULT_GROUP);
        let settings = servers.map(|servers| ArchiverSettings { servers, group });
        (process, settings)
    }
}
