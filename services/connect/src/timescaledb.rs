//! Where bars are kept.

use clap::Args;
use host::Layers;
use store::TimescaleConfig;

use super::url::PostgresUrl;

/// The flags of TimescaleDB.
#[derive(Debug, Default, Args)]
pub struct TimescaleArgs {
    /// The database of the bars: postgres://user@host:port/database
    #[arg(long, value_name = "URL")]
    pub timescaledb_url: Option<String>,
    /// A file with its password, read for every connection
    #[arg(long, value_name = "FILE")]
    pub timescaledb_password_file: Option<String>,
    /// The certificate of who signed its certificate, in PEM; with it, TLS is verified in full
    #[arg(long, value_name = "FILE")]
    pub timescaledb_ca: Option<String>,
    /// At most so many connections that read, and as many that write [default: 8]
    #[arg(long, value_name = "N")]
    pub timescaledb_connections: Option<String>,
}

const URL: &str = "timescaledb.url";

impl TimescaleArgs {
    /// The configuration; none, with the reason noted, where there is no URL.
    pub fn read(self, layers: &mut Layers) -> Option<TimescaleConfig> {
        let url = layers.require(URL, self.timescaledb_url.clone());
        self.read_rest(layers, url)
    }

    /// The same where there need not be one.
    pub fn read_optional(self, layers: &mut Layers) -> Option<TimescaleConfig> {
        let url = layers.optional(URL, self.timescaledb_url.clone());
        self.read_rest(layers, url)
    }

    fn read_rest(self, layers: &mut Layers, url: Option<PostgresUrl>) -> Option<TimescaleConfig> {
        let password = "timescaledb.password_file";
        let password_file = layers.optional(password, self.timescaledb_password_file);
        let root_cert = layers.optional("timescaledb.ca", self.timescaledb_ca);
        let key = "timescaledb.connections";
        let connections = layers.optional::<u16>(key, self.timescaledb_connections);
        if connections == Some(0) {
            layers.reject(key, "a whole number from 1 to 65535");
        }
        let mut config = TimescaleConfig::new(url?.0);
        config.password_file = password_file;
        config.root_cert = root_cert;
        if let Some(connections) = connections {
            config.max_connections = usize::from(connections);
        }
        Some(config)
    }
}
