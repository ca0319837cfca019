//! Where ticks are kept.

use clap::Args;
use host::Layers;
use store::ClickHouseConfig;

use super::url::HttpUrl;

/// The flags of ClickHouse.
#[derive(Debug, Default, Args)]
pub struct ClickHouseArgs {
    /// The HTTP address of the ticks' server: http://host:8123 or https://host:8443
    #[arg(long, value_name = "URL")]
    pub clickhouse_url: Option<String>,
    /// Its user [default: default]
    #[arg(long, value_name = "NAME")]
    pub clickhouse_user: Option<String>,
    /// A file with the user's password
    #[arg(long, value_name = "FILE")]
    pub clickhouse_password_file: Option<String>,
    /// The database of the tables [default: candlewick]
    #[arg(long, value_name = "NAME")]
    pub clickhouse_database: Option<String>,
}

const URL: &str = "clickhouse.url";

impl ClickHouseArgs {
    /// The configuration; none, with the reason noted, where there is no URL.
    pub fn read(self, layers: &mut Layers) -> Option<ClickHouseConfig> {
        let url = layers.require(URL, self.clickhouse_url.clone());
        self.read_rest(layers, url)
    }

    /// The same where there need not be one.
    pub fn read_optional(self, layers: &mut Layers) -> Option<ClickHouseConfig> {
        let url = layers.optional(URL, self.clickhouse_url.clone());
        self.read_rest(layers, url)
    }

    fn read_rest(self, layers: &mut Layers, url: Option<HttpUrl>) -> Option<ClickHouseConfig> {
        let known = ClickHouseConfig::default();
        let user = layers.take("clickhouse.user", self.clickhouse_user, known.user);
        let password = "clickhouse.password_file";
        let password_file = layers.optional(password, self.clickhouse_password_file);
        let key = "clickhouse.database";
        let database = layers.take(key, self.clickhouse_database, known.database);
        Some(ClickHouseConfig {
            url: url?.0,
            user,
            password_file,
            database,
            ..ClickHouseConfig::default()
        })
    }
}
