//! Databases that are created for a measurement and dropped after it.

use std::str::FromStr;

use anyhow::Context;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, query};
use store::{ClickHouseConfig, TimescaleConfig};

/// Returns the configuration of the same server with another database.
pub(super) fn with_database(config: &TimescaleConfig, database: &str) -> TimescaleConfig {
    let mut config = config.clone();
    config.url = url_with_database(&config.url, database);
    config
}

fn url_with_database(url: &str, database: &str) -> String {
    let (before, options) = match url.split_once('?') {
        Some((before, options)) => (before, format!("?{options}")),
        None => (url, String::new()),
    };
    let (scheme, rest) = before.split_once("://").unwrap_or(("postgres", before));
    let server = rest.split('/').next().unwrap_or_default();
    format!("{scheme}://{server}/{database}{options}")
}

/// Executes a statement on the server of bars, in the database of the configuration.
async fn execute_on_timescaledb(config: &TimescaleConfig, statement: String) -> anyhow::Result<()> {
    let options = PgConnectOptions::from_str(&config.url);
    // The error of sqlx may contain a part of a password.
    let options = options.map_err(|_| anyhow::anyhow!("the URL of TimescaleDB is malformed"))?;
    let mut options = options.disable_statement_logging();
    if let Some(path) = &config.root_cert {
        options = options.ssl_root_cert(path).ssl_mode(PgSslMode::VerifyFull);
    }
    if let Some(path) = &config.password_file {
        let password = std::fs::read_to_string(path)
            .with_context(|| format!("the password in {}", path.display()))?;
        options = options.password(password.trim_end_matches(['\r', '\n']));
    }
    let mut connection = options.connect().await?;
    query(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    Ok(())
}

/// Creates a database for bars, without tables.
pub(super) async fn create_bars_database(
    config: &TimescaleConfig,
    name: &str,
) -> anyhow::Result<()> {
    let created = execute_on_timescaledb(config, format!("CREATE DATABASE {name}")).await;
    created.with_context(|| format!("TimescaleDB: the database {name} cannot be created"))
}

/// Drops a database of bars and disconnects its clients.
pub(super) async fn drop_bars_database(config: &TimescaleConfig, name: &str) -> anyhow::Result<()> {
    let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    let dropped = execute_on_timescaledb(config, statement).await;
    dropped.with_context(|| format!("TimescaleDB: the database {name} is left behind"))
}

/// Drops a database of ticks.
pub(super) async fn drop_ticks_database(
    config: &ClickHouseConfig,
    name: &str,
) -> anyhow::Result<()> {
    let mut request = ureq::post(&config.url).header("x-clickhouse-user", config.user.as_str());
    if let Some(path) = &config.password_file {
        let password = std::fs::read_to_string(path)
            .with_context(|| format!("the password in {}", path.display()))?;
        let password = password.trim_end_matches(['\r', '\n']);
        request = request.header("x-clickhouse-key", password);
    }
    let statement = format!("DROP DATABASE IF EXISTS {name} SYNC");
    let sent = tokio::task::spawn_blocking(move || request.send(statement)).await?;
    sent.with_context(|| format!("ClickHouse: the database {name} is left behind"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::url_with_database;

    #[test]
    fn only_the_database_is_replaced() {
        for (url, expected) in [
            ("postgres://me@host:1/bars", "postgres://me@host:1/new"),
            ("postgresql://me:a@host", "postgresql://me:a@host/new"),
            (
                "postgres://host/bars?sslmode=verify-full",
                "postgres://host/new?sslmode=verify-full",
            ),
            ("postgres://host?x=a/b", "postgres://host/new?x=a/b"),
        ] {
            assert_eq!(url_with_database(url, "new"), expected);
        }
    }
}
