//! The database of bars.

use clap::Args;
use host::ErrorCollectingConfigReader;
use store::TimescaleConfig;

use crate::help::show_defaults_in_help;
use crate::url::PostgresUrl;

/// The flags of TimescaleDB.
#[derive(Debug, Default, Args)]
#[command(mut_args = show_defaults_in_help(|reader| {
    Self::default().read_optional(reader);
}))]
pub struct TimescaleArgs {
    /// The database of the bars: postgres://user@host:port/database
    #[arg(long, value_name = "URL")]
    pub timescaledb_url: Option<String>,
    /// A file with its password, read for every connection
    #[arg(long, value_name = "FILE")]
    pub timescaledb_password_file: Option<String>,
    /// The certificate of the authority that signed the database's certificate, in PEM; with it,
    /// TLS is verified in full
    #[arg(long, value_name = "FILE")]
    pub timescaledb_ca: Option<String>,
    /// The largest number of connections that read, and of connections that write
    #[arg(long, value_name = "N")]
    pub timescaledb_connections: Option<String>,
}

const URL: &str = "timescaledb.url";

impl TimescaleArgs {
    /// Returns the configuration, or `None` with an error collected in `reader` if there is no
    /// URL.
    pub fn read_required(
        self,
        reader: &mut ErrorCollectingConfigReader,
    ) -> Option<TimescaleConfig> {
        let url = reader.read_required(URL, self.timescaledb_url.clone());
        self.read_with_url(reader, url)
    }

    /// Returns the configuration, or `None` if there is no URL, which is no error.
    pub fn read_optional(
        self,
        reader: &mut ErrorCollectingConfigReader,
    ) -> Option<TimescaleConfig> {
        let url = reader.read_optional(URL, self.timescaledb_url.clone());
        self.read_with_url(reader, url)
    }

    fn read_with_url(
        self,
        reader: &mut ErrorCollectingConfigReader,
        url: Option<PostgresUrl>,
    ) -> Option<TimescaleConfig> {
        let has_url = url.is_some();
        let mut config = TimescaleConfig::new(url.map_or_else(String::new, |url| url.0));
        let key = "timescaledb.password_file";
        config.password_file = reader.read_optional(key, self.timescaledb_password_file);
        config.root_cert = reader.read_optional("timescaledb.ca", self.timescaledb_ca);
        let key = "timescaledb.connections";
        let default = u16::try_from(config.max_connections).unwrap_or(u16::MAX);
        let connections = reader.read_or(key, self.timescaledb_connections, default);
        if connections == 0 {
            reader.reject(key, "a whole number from 1 to 65535");
        }
        config.max_connections = usize::from(connections);
        has_url.then_some(config)
    }
}
