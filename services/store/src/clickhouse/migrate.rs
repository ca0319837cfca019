//! Creating and upgrading the tables, and checking their version.
//!
//! ClickHouse has no transactions over DDL. A version is recorded after all of its statements, each
//! of which can be run again.

use ::clickhouse::Row;
use serde::{Deserialize, Serialize};

use super::server::ClickHouseServer;
use crate::StoreError;

/// The name and the SQL of each version, which upgrades the tables of the version before it. The
/// first creates the tables of version [`OLDEST`].
const MIGRATIONS: &[(&str, &str)] = &[
    (
        "tables",
        include_str!("../../migrations/clickhouse/6_tables.sql"),
    ),
    (
        "views",
        include_str!("../../migrations/clickhouse/7_views.sql"),
    ),
];

/// The oldest schema that can be read or upgraded.
const OLDEST: u32 = 6;

const CREATE_VERSIONS_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_versions (\
    version UInt32, name String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)) \
    ENGINE = ReplacingMergeTree ORDER BY version \
    SETTINGS fsync_after_insert = 1, fsync_part_directory = 1";

#[derive(Row, Serialize, Deserialize)]
struct SchemaVersionRow<'a> {
    version: u32,
    name: &'a str,
}

/// Returns the newest version.
fn newest_version() -> u32 {
    OLDEST - 1 + u32::try_from(MIGRATIONS.len()).expect("there are few versions")
}

/// Creates or upgrades the tables. Returns the version that was found, 0 if there were none, and
/// the version now.
pub(super) async fn migrate(server: &ClickHouseServer) -> Result<(u32, u32), StoreError> {
    create_database_if_absent(server).await?;
    server.execute(CREATE_VERSIONS_TABLE).await?;
    let found = installed_version(server).await?;
    refuse_unsupported_version(server, found)?;
    let missing = (OLDEST..)
        .zip(MIGRATIONS)
        .filter(|(version, _)| *version > found);
    for (version, (name, sql)) in missing {
        for statement in split_statements(sql) {
            server.execute(&statement).await?;
        }
        let row = SchemaVersionRow { version, name };
        let insert = async {
            let mut insert = server
                .client()
                .insert::<SchemaVersionRow<'_>>("schema_versions")
                .await?;
            insert.write(&row).await?;
            insert.end().await
        };
        server.with_timeout(insert).await?;
    }
    Ok((found, newest_version()))
}

/// Fails unless the tables have the newest version.
pub(super) async fn verify_version(server: &ClickHouseServer) -> Result<(), StoreError> {
    let tables = server
        .client()
        .query("EXISTS TABLE schema_versions")
        .fetch_one::<u8>();
    let found = match server.with_timeout(tables).await? {
        0 => 0,
        _ => installed_version(server).await?,
    };
    refuse_unsupported_version(server, found)?;
    if found == newest_version() {
        return Ok(());
    }
    Err(server.counted_unavailable_error(format!(
        "its tables have schema {found}, this version reads {}; run `candlewick migrate`",
        newest_version()
    )))
}

/// Returns the version of the tables; 0 if none is recorded.
async fn installed_version(server: &ClickHouseServer) -> Result<u32, StoreError> {
    let version = server
        .client()
        .query("SELECT max(version) FROM schema_versions")
        .fetch_one::<u32>();
    server.with_timeout(version).await
}

/// Fails if the tables are newer than this version, or too old to be upgraded.
fn refuse_unsupported_version(server: &ClickHouseServer, found: u32) -> Result<(), StoreError> {
    let store = || server.label().to_owned();
    match found {
        0 => Ok(()),
        found if found < OLDEST => Err(StoreError::OlderSchema {
            store: store(),
            found: found.into(),
            oldest: OLDEST.into(),
            remedy: "drop that database and replay the trades, as docs/operations.md describes for new \
                     versions",
        }),
        found if found > newest_version() => Err(StoreError::NewerSchema {
            store: store(),
            found: found.into(),
            known: newest_version().into(),
        }),
        _ => Ok(()),
    }
}

/// Creates the database if it does not exist. The privilege to do so is needed only then.
async fn create_database_if_absent(server: &ClickHouseServer) -> Result<(), StoreError> {
    let database = server.database();
    let system_client = server.client().clone().with_database("system");
    let count = system_client
        .query("SELECT count() FROM system.databases WHERE name = ?")
        .bind(database)
        .fetch_one::<u64>();
    if server.with_timeout(count).await? > 0 {
        return Ok(());
    }
    let created = system_client
        .query("CREATE DATABASE IF NOT EXISTS ?")
        .bind(::clickhouse::sql::Identifier(database))
        .execute();
    server.with_timeout(created).await
}

/// Splits a file into its statements, without comments. Each ends with a semicolon at the end of a
/// line.
fn split_statements(sql: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    for line in sql.lines() {
        let code = line
            .split_once("--")
            .map_or(line, |(code, _)| code)
            .trim_end();
        if code.is_empty() {
            continue;
        }
        current.push_str(code);
        current.push('\n');
        if code.ends_with(';') {
            let statement = std::mem::take(&mut current);
            statements.push(statement.trim_end_matches([';', '\n']).to_owned());
        }
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::{MIGRATIONS, split_statements};

    #[test]
    fn a_file_is_split_into_its_statements() {
        let sql = "-- One; two.\nCREATE TABLE a ( -- a;\n    b Int8\n);\n\nSELECT 1;\n";
        assert_eq!(
            split_statements(sql),
            ["CREATE TABLE a (\n    b Int8\n)", "SELECT 1"]
        );
    }

    #[test]
    fn each_statement_can_be_run_again() {
        let repeatable = [
            "CREATE TABLE IF NOT EXISTS ",
            "CREATE OR REPLACE VIEW ",
            "ALTER TABLE ",
        ];
        for (name, sql) in MIGRATIONS {
            let statements = split_statements(sql);
            assert!(!statements.is_empty(), "{name}");
            for statement in statements {
                let is_known = repeatable.iter().any(|start| statement.starts_with(start));
                assert!(is_known, "{name}: {statement}");
            }
        }
    }
}
