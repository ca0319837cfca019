//! Versions of the tables.
//!
//! ClickHouse has no transactions over DDL: a version is recorded after all of its statements,
//! each of which may run again.

use ::clickhouse::Row;
use serde::{Deserialize, Serialize};

use super::server::Server;
use crate::StoreError;

/// The name and the SQL of each version, which upgrades the tables of the version before it. The
/// first creates the tables of version [`OLDEST`].
const MIGRATIONS: &[(&str, &str)] = &[
    (
        "tables",
        include_str!("../../migrations/clickhouse/4_tables.sql"),
    ),
    (
        "views",
        include_str!("../../migrations/clickhouse/5_views.sql"),
    ),
];

/// The oldest schema that can be read or upgraded.
const OLDEST: u32 = 4;

const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_versions (\
    version UInt32, name String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)) \
    ENGINE = ReplacingMergeTree ORDER BY version \
    SETTINGS fsync_after_insert = 1, fsync_part_directory = 1";

#[derive(Row, Serialize, Deserialize)]
struct Version<'a> {
    version: u32,
    name: &'a str,
}

/// The newest version known here.
pub(super) fn known() -> u32 {
    OLDEST - 1 + u32::try_from(MIGRATIONS.len()).expect("there are few versions")
}

/// Brings the tables up to date. Answers the version that was found and the one that is there
/// now.
pub(super) async fn migrate(server: &Server) -> Result<(u32, u32), StoreError> {
    create_database(server).await?;
    server.execute(VERSIONS).await?;
    let found = found(server).await?;
    refuse_other_versions(server, found)?;
    let missing = (OLDEST..)
        .zip(MIGRATIONS)
        .filter(|(version, _)| *version > found);
    for (version, (name, sql)) in missing {
        for statement in statements(sql) {
            server.execute(&statement).await?;
        }
        let row = Version { version, name };
        let insert = async {
            let mut insert = server
                .client()
                .insert::<Version<'_>>("schema_versions")
                .await?;
            insert.write(&row).await?;
            insert.end().await
        };
        server.within(insert).await?;
    }
    Ok((found, known()))
}

/// Checks that the tables are those known here.
pub(super) async fn verify(server: &Server) -> Result<(), StoreError> {
    let tables = server
        .client()
        .query("EXISTS TABLE schema_versions")
        .fetch_one::<u8>();
    let found = match server.within(tables).await? {
        0 => 0,
        _ => found(server).await?,
    };
    refuse_other_versions(server, found)?;
    if found == known() {
        return Ok(());
    }
    Err(server.unavailable(format!(
        "its tables have schema {found}, this version reads {}; run `candlewick migrate`",
        known()
    )))
}

/// The version of the tables; 0 where there are none.
async fn found(server: &Server) -> Result<u32, StoreError> {
    let version = server
        .client()
        .query("SELECT max(version) FROM schema_versions")
        .fetch_one::<u32>();
    server.within(version).await
}

/// Fails if the tables are newer than this version, or too old to be upgraded.
fn refuse_other_versions(server: &Server, found: u32) -> Result<(), StoreError> {
    let store = || server.name().to_owned();
    match found {
        0 => Ok(()),
        found if found < OLDEST => Err(StoreError::OlderSchema {
            store: store(),
            found: found.into(),
            oldest: OLDEST.into(),
        }),
        found if found > known() => Err(StoreError::NewerSchema {
            store: store(),
            found: found.into(),
            known: known().into(),
        }),
        _ => Ok(()),
    }
}

/// Makes the database where it is not there: the right to do so is needed only then.
async fn create_database(server: &Server) -> Result<(), StoreError> {
    let database = server.database();
    let outside = server.client().clone().with_database("system");
    let there = outside
        .query("SELECT count() FROM system.databases WHERE name = ?")
        .bind(database)
        .fetch_one::<u64>();
    if server.within(there).await? > 0 {
        return Ok(());
    }
    let made = outside
        .query("CREATE DATABASE IF NOT EXISTS ?")
        .bind(::clickhouse::sql::Identifier(database))
        .execute();
    server.within(made).await
}

/// The statements of a file without its comments; each ends with a semicolon at the end of a
/// line.
fn statements(sql: &str) -> Vec<String> {
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
    use super::{MIGRATIONS, statements};

    #[test]
    fn a_file_is_cut_into_its_statements() {
        let sql = "-- One; two.\nCREATE TABLE a ( -- a;\n    b Int8\n);\n\nSELECT 1;\n";
        assert_eq!(
            statements(sql),
            ["CREATE TABLE a (\n    b Int8\n)", "SELECT 1"]
        );
    }

    #[test]
    fn each_statement_may_run_again() {
        let repeatable = [
            "CREATE TABLE IF NOT EXISTS ",
            "CREATE OR REPLACE VIEW ",
            "ALTER TABLE ",
        ];
        for (name, sql) in MIGRATIONS {
            let statements = statements(sql);
            assert!(!statements.is_empty(), "{name}");
            for statement in statements {
                let is_known = repeatable.iter().any(|start| statement.starts_with(start));
                assert!(is_known, "{name}: {statement}");
            }
        }
    }
}
