//! The server of ticks.

use clap::Args;
use host::ErrorCollectingConfigReader;
use store::ClickHouseConfig;

use crate::help::show_defaults_in_help;
use crate::url::HttpUrl;

/// The flags of ClickHouse.
#[derive(Debug, Default, Args)]
#[command(mut_args = show_defaults_in_help(|reader| {
    Self::default().read_optional(reader);
}))]
pub struct ClickHouseArgs {
    /// The HTTP address of the server of ticks: http://host:8123 or https://host:8443
    #[arg(long, value_name = "URL")]
    pub clickhouse_url: Option<String>,
    /// The user of ClickHouse
    #[arg(long, value_name = "NAME")]
    pub clickhouse_user: Option<String>,
    /// A file with the password of the user
    #[arg(long, value_name = "FILE")]
    pub clickhouse_password_file: Option<String>,
    /// The database of the tables
    #[arg(long, value_name = "NAME")]
    pub clickhouse_database: Option<String>,
}

const URL: &str = "clickhouse.url";

impl ClickHouseArgs {
    /// Returns the configuration, or `None` with an error collected in `reader` if there is no
    /// URL.
    pub fn read_required(
        self,
        reader: &mut ErrorCollectingConfigReader,
    ) -> Option<ClickHouseConfig> {
        let url = reader.read_required(URL, self.clickhouse_url.clone());
        self.read_with_url(reader, url)
    }

    /// Returns the configuration, or `None` if there is no URL, which is no error.
    pub fn read_optional(
        self,
        reader: &mut ErrorCollectingConfigReader,
    ) -> Option<ClickHouseConfig> {
        let url = reader.read_optional(URL, self.clickhouse_url.clone());
        self.read_with_url(reader, url)
    }

    fn read_with_url(
        self,
        reader: &mut ErrorCollectingConfigReader,
        url: Option<HttpUrl>,
    ) -> Option<ClickHouseConfig> {
        let default = ClickHouseConfig::default();
        let user = reader.read_or("clickhouse.user", self.clickhouse_user, default.user);
        let key = "clickhouse.password_file";
        let password_file = reader.read_optional(key, self.clickhouse_password_file);
        let key = "clickhouse.database";
        let database = reader.read_or(key, self.clickhouse_database, default.database);
        Some(ClickHouseConfig {
            url: url?.0,
            user,
            password_file,
            database,
            ..ClickHouseConfig::default()
        })
    }
}
