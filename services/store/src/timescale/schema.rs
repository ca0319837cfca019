//! The tables: how they come to be, and whether they are those known here.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{PgConnection, SqlSafeStr, query, query_scalar};

use super::edition::TimescaleEdition;
use super::failure::Failure;

/// The SQL of each version, which upgrades the tables of the version before it. The first creates
/// the tables of version [`OLDEST`].
const VERSIONS: [&str; 1] = [include_str!("../../migrations/timescale/bars_2.sql")];

/// The oldest schema that can be read or upgraded.
const OLDEST: i64 = 2;

/// How long a chunk of `bars` is: see decision 11.
const CHUNK: &str = "7 days";

/// A chunk is compressed so long after it was made: its own length and the 48 hours in which
/// most late trades come. Not after its event time, by which a tape is old at once.
const COMPRESS_AFTER: &str = "9 days";

/// Of those who migrate at once, one goes on: the migrator has a lock of its own, but hypertables
/// and compression come after it.
const LOCK: &str = "SELECT pg_advisory_lock(4851902847)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(4851902847)";

/// What a migration has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimescaleMigration {
    /// The version that was found; 0 where there were no tables.
    pub found: u32,
    /// The version that is there now.
    pub now: u32,
    /// What the server offers.
    pub edition: TimescaleEdition,
}

/// Makes the tables, or brings them up to date; then gives them what the edition offers.
pub(super) async fn migrate(session: &mut PgConnection) -> Result<TimescaleMigration, Failure> {
    // The lock is waited for in one statement.
    query("SET statement_timeout = 0")
        .execute(&mut *session)
        .await?;
    query("SET lock_timeout = 0").execute(&mut *session).await?;
    query("SET idle_in_transaction_session_timeout = 0")
        .execute(&mut *session)
        .await?;
    verify_encoding(session).await?;
    // Where anything fails, the session ends, and the lock with it.
    query(LOCK).execute(&mut *session).await?;
    let before = found(session).await?;
    refuse_other_versions(before)?;
    migrator().run(&mut *session).await.map_err(of_migrator)?;
    query("BEGIN").execute(&mut *session).await?;
    let edition = prepare(session).await?;
    query("COMMIT").execute(&mut *session).await?;
    if edition == TimescaleEdition::Community {
        compress(session).await;
    }
    let now = found(session).await?;
    query(UNLOCK).execute(session).await?;
    let version =
        |version: i64| u32::try_from(version).map_err(|_| Failure::malformed("schema", version));
    Ok(TimescaleMigration {
        found: version(before)?,
        now: version(now)?,
        edition,
    })
}

/// The version of the tables; 0 where there are none.
async fn found(session: &mut PgConnection) -> Result<i64, Failure> {
    let table: Option<String> = query_scalar("SELECT to_regclass('_sqlx_migrations')::text")
        .fetch_one(&mut *session)
        .await?;
    if table.is_none() {
        return Ok(0);
    }
    let newest = query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success");
    let newest: Option<i64> = newest.fetch_one(session).await?;
    Ok(newest.unwrap_or(0))
}

/// Checks that the tables are those known here.
pub(super) async fn verify(session: &mut PgConnection) -> Result<(), Failure> {
    let found = found(session).await?;
    refuse_other_versions(found)?;
    if found < known() {
        return Err(Failure::Unavailable(format!(
            "it has schema {found}, this version needs {}: run `candlewick migrate`",
            known()
        )));
    }
    Ok(())
}

/// Fails if the tables are newer than this version, or too old to be upgraded.
fn refuse_other_versions(found: i64) -> Result<(), Failure> {
    match found {
        0 => Ok(()),
        found if found < OLDEST => Err(Failure::Older {
            found,
            oldest: OLDEST,
        }),
        found if found > known() => Err(Failure::Newer {
            found,
            known: known(),
        }),
        _ => Ok(()),
    }
}

fn known() -> i64 {
    OLDEST - 1 + i64::try_from(VERSIONS.len()).expect("there are few versions")
}

fn migrator() -> Migrator {
    let migrations = VERSIONS.iter().zip(OLDEST..).map(|(sql, version)| {
        let name = format!("bars {version}");
        let kind = MigrationType::Simple;
        Migration::new(version, name.into(), kind, (*sql).into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

fn of_migrator(error: MigrateError) -> Failure {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        MigrateError::VersionMissing(found) => Failure::Newer {
            found,
            known: known(),
        },
        other => Failure::Malformed(other.to_string()),
    }
}

async fn verify_encoding(session: &mut PgConnection) -> Result<(), Failure> {
    let encoding: String = query_scalar("SHOW server_encoding")
        .fetch_one(session)
        .await?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(Failure::Unavailable(format!(
        "its encoding is {encoding}; create it with ENCODING 'UTF8'"
    )))
}

/// Makes `bars` a hypertable where the server can; also one that was a table before.
async fn prepare(session: &mut PgConnection) -> Result<TimescaleEdition, Failure> {
    // Where the server has not loaded the library, this statement would end the session.
    let is_loaded: bool = query_scalar(
        "SELECT EXISTS (SELECT 1 FROM pg_settings WHERE name = 'timescaledb.disable_load') \
         AND EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb')",
    )
    .fetch_one(&mut *session)
    .await?;
    if is_loaded && TimescaleEdition::find(session).await? == TimescaleEdition::Plain {
        query("CREATE EXTENSION IF NOT EXISTS timescaledb")
            .execute(&mut *session)
            .await?;
    }
    let edition = TimescaleEdition::find(session).await?;
    if edition != TimescaleEdition::Plain {
        let sql = "SELECT create_hypertable('bars', by_range('start', $1::text::interval), \
             if_not_exists => TRUE, migrate_data => TRUE, create_default_indexes => FALSE)";
        query(sql).bind(CHUNK).fetch_all(session).await?;
    }
    Ok(edition)
}

/// Compresses old chunks from now on. What goes wrong is told and no reason to stop: bars are
/// as right without.
async fn compress(session: &mut PgConnection) {
    let set = "ALTER TABLE bars SET (timescaledb.compress, \
         timescaledb.compress_segmentby = 'venue, symbol, interval_s', \
         timescaledb.compress_orderby = 'start')";
    let policy = "SELECT add_compression_policy('bars', \
         compress_created_before => $1::text::interval, if_not_exists => TRUE)";
    let is_set: Result<bool, _> = query_scalar(
        "SELECT compression_enabled FROM timescaledb_information.hypertables \
         WHERE hypertable_schema = current_schema() AND hypertable_name = 'bars'",
    )
    .fetch_one(&mut *session)
    .await;
    let done = async {
        if !is_set? {
            query(set).execute(&mut *session).await?;
        }
        query(policy)
            .bind(COMPRESS_AFTER)
            .fetch_all(&mut *session)
            .await
    };
    if let Err(error) = done.await {
        tracing::warn!(%error, "old bars will not be compressed");
    }
}
