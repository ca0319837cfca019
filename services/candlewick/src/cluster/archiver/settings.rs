//! The settings of an archiver.

use clap::Args;
use connect::{GroupArgs, GroupSettings, ProcessSettings, ignore_all_but};
use host::{ConfigErrors, Layers};

use crate::cluster::settings::{ServerArgs, ServerSettings};

const DEFAULT_GROUP: &str = "candlewick-archiver";
const DEFAULT_PORT: u16 = 8082;

/// Every flag is also a variable, `--clickhouse-url` being `CANDLEWICK_CLICKHOUSE_URL`, and a
/// key of the file, `url` in `[clickhouse]`. Flags win over variables, variables over the file.
#[derive(Debug, Default, Args)]
pub(crate) struct ArchiverArgs {
    #[command(flatten)]
    servers: ServerArgs,
    #[command(flatten)]
    group: GroupArgs,
}

/// What an archiver is configured with.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) servers: ServerSettings,
    pub(super) group: GroupSettings,
}

impl ArchiverArgs {
    /// Reads every layer; all errors are found at once.
    pub(super) fn read(self) -> Result<(ProcessSettings, Settings), ConfigErrors> {
        let mut layers = self.servers.process.load_layers()?;
        ignore_all_but(
            &mut layers,
            &["kafka", "timescaledb", "clickhouse", "breaker"],
        );
        let (process, settings) = self.read_from(&mut layers);
        Ok((process, layers.finish_with(settings)?))
    }

    fn read_from(self, layers: &mut Layers) -> (ProcessSettings, Option<Settings>) {
        let (process, servers) = self.servers.read(layers, DEFAULT_PORT);
        let group = self.group.read(layers, DEFAULT_GROUP);
        let settings = servers.map(|servers| Settings { servers, group });
        (process, settings)
    }
}
