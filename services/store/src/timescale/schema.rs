//! Creating and upgrading the tables, and checking their version.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{PgConnection, SqlSafeStr, query, query_scalar};

use super::database_error::DatabaseError;
use super::edition::TimescaleEdition;

/// The SQL of each version, which upgrades the tables of the version before it. The first creates
/// the tables of version [`OLDEST`].
const VERSIONS: [&str; 1] = [include_str!("../../migrations/timescale/bars_5.sql")];

/// The oldest schema that can be read or upgraded.
const OLDEST: i64 = 5;

/// The length of a chunk of `bars`: see decision 11.
const CHUNK_INTERVAL: &str = "7 days";

/// How long after its creation a chunk is compressed: its own length plus the 48 hours in which
/// most late trades arrive. The event time does not count: by it, a tape would be old at once.
const COMPRESS_AFTER: &str = "9 days";

/// Lets one process at a time migrate. sqlx's migrator takes a lock of its own, but the hypertable
/// and its compression are set up after it.
const LOCK: &str = "SELECT pg_advisory_lock(4851902847)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(4851902847)";

/// The result of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimescaleMigrationResult {
    /// The version of the tables before; 0 if there were none.
    pub found: u32,
    /// The version of the tables now.
    pub now: u32,
    /// The edition that the server offers.
    pub edition: TimescaleEdition,
}

/// Creates or upgrades the tables, then sets up what the edition offers.
pub(super) async fn migrate(
    session: &mut PgConnection,
) -> Result<TimescaleMigrationResult, DatabaseError> {
    // Waiting for the lock is one statement, which may take long.
    query("SET statement_timeout = 0")
        .execute(&mut *session)
        .await?;
    query("SET lock_timeout = 0").execute(&mut *session).await?;
    query("SET idle_in_transaction_session_timeout = 0")
        .execute(&mut *session)
        .await?;
    verify_encoding(session).await?;
    // If anything fails, the session ends, which releases the lock.
    query(LOCK).execute(&mut *session).await?;
    let before = installed_version(session).await?;
    refuse_unsupported_version(before)?;
    // Before any table is created, so that the migration is whole or refused.
    create_extension_if_available(session).await?;
    migrator()
        .run(&mut *session)
        .await
        .map_err(convert_migrate_error)?;
    query("BEGIN").execute(&mut *session).await?;
    let edition = create_hypertable_if_available(session).await?;
    query("COMMIT").execute(&mut *session).await?;
    if edition == TimescaleEdition::Community {
        enable_compression(session).await;
    }
    let now = installed_version(session).await?;
    query(UNLOCK).execute(session).await?;
    let version = |version: i64| {
        u32::try_from(version).map_err(|_| DatabaseError::malformed_value("schema", version))
    };
    Ok(TimescaleMigrationResult {
        found: version(before)?,
        now: version(now)?,
        edition,
    })
}

/// Returns the version of the tables; 0 if there are none.
async fn installed_version(session: &mut PgConnection) -> Result<i64, DatabaseError> {
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

/// Fails unless the tables have the newest version.
pub(super) async fn verify_version(session: &mut PgConnection) -> Result<(), DatabaseError> {
    let found = installed_version(session).await?;
    refuse_unsupported_version(found)?;
    if found < newest_version() {
        return Err(DatabaseError::Unavailable(format!(
            "it has schema {found}, this version needs {}: run `candlewick migrate`",
            newest_version()
        )));
    }
    if TimescaleEdition::detect(session).await? == TimescaleEdition::PostgresOnly {
        return Ok(());
    }
    let is_hypertable: bool = query_scalar(
        "SELECT EXISTS (SELECT 1 FROM timescaledb_information.hypertables \
         WHERE hypertable_schema = current_schema() AND hypertable_name = 'bars')",
    )
    .fetch_one(session)
    .await?;
    if is_hypertable {
        return Ok(());
    }
    Err(DatabaseError::Unavailable(
        "its migration was not completed, and bars is no hypertable: run `candlewick migrate`"
            .to_owned(),
    ))
}

/// Returns what identifies the database and the schema with the tables; `None` if the user may not
/// read the identifier that PostgreSQL gave its data folder.
pub(super) async fn database_id(
    session: &mut PgConnection,
) -> Result<Option<String>, DatabaseError> {
    let sql = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')";
    let may_read: bool = query_scalar(sql).fetch_one(&mut *session).await?;
    if !may_read {
        return Ok(None);
    }
    let id = "SELECT system_identifier::text || '/' || d.oid || '/' || current_schema() \
         FROM pg_control_system(), pg_database AS d WHERE d.datname = current_database()";
    Ok(Some(query_scalar(id).fetch_one(session).await?))
}

/// Fails if the tables are newer than this version, or too old to be upgraded.
fn refuse_unsupported_version(found: i64) -> Result<(), DatabaseError> {
    match found {
        0 => Ok(()),
        found if found < OLDEST => Err(DatabaseError::OlderSchema {
            found,
            oldest: OLDEST,
        }),
        found if found > newest_version() => Err(DatabaseError::NewerSchema {
            found,
            known: newest_version(),
        }),
        _ => Ok(()),
    }
}

/// Returns the newest version.
fn newest_version() -> i64 {
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

fn convert_migrate_error(error: MigrateError) -> DatabaseError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        MigrateError::VersionMissing(found) => DatabaseError::NewerSchema {
            found,
            known: newest_version(),
        },
        other => DatabaseError::Corrupt(other.to_string()),
    }
}

async fn verify_encoding(session: &mut PgConnection) -> Result<(), DatabaseError> {
    let encoding: String = query_scalar("SHOW server_encoding")
        .fetch_one(session)
        .await?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(DatabaseError::Unavailable(format!(
        "its encoding is {encoding}; create it with ENCODING 'UTF8'"
    )))
}

/// Creates the extension if the server has TimescaleDB, and checks that its functions are found.
async fn create_extension_if_available(session: &mut PgConnection) -> Result<(), DatabaseError> {
    // CREATE EXTENSION ends the session if the server has not loaded the library.
    let is_loaded: bool = query_scalar(
        "SELECT EXISTS (SELECT 1 FROM pg_settings WHERE name = 'timescaledb.disable_load') \
         AND EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb')",
    )
    .fetch_one(&mut *session)
    .await?;
    if is_loaded && TimescaleEdition::detect(session).await? == TimescaleEdition::PostgresOnly {
        query("CREATE EXTENSION IF NOT EXISTS timescaledb")
            .execute(&mut *session)
            .await?;
    }
    if TimescaleEdition::detect(session).await? == TimescaleEdition::PostgresOnly {
        return Ok(());
    }
    let (schema, path): (String, String) = sqlx::query_as(
        "SELECT n.nspname, current_setting('search_path') FROM pg_extension AS e \
         JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb'",
    )
    .fetch_one(&mut *session)
    .await?;
    let is_found: bool = query_scalar(
        "SELECT EXISTS (SELECT 1 FROM pg_proc WHERE proname = 'create_hypertable' \
             AND pg_function_is_visible(oid))",
    )
    .fetch_one(session)
    .await?;
    if is_found {
        return Ok(());
    }
    Err(DatabaseError::Unavailable(format!(
        "the functions of TimescaleDB are in the schema {schema}, which the search path {path} \
         does not have: add it, for instance with ALTER ROLE … SET search_path = {path}, {schema}"
    )))
}

/// Makes `bars` a hypertable if the server has TimescaleDB. An existing table is converted.
async fn create_hypertable_if_available(
    session: &mut PgConnection,
) -> Result<TimescaleEdition, DatabaseError> {
    let edition = TimescaleEdition::detect(session).await?;
    if edition != TimescaleEdition::PostgresOnly {
        let sql = "SELECT create_hypertable('bars', by_range('start', $1::text::interval), \
             if_not_exists => TRUE, migrate_data => TRUE, create_default_indexes => FALSE)";
        query(sql).bind(CHUNK_INTERVAL).fetch_all(session).await?;
    }
    Ok(edition)
}

/// Enables the compression of old chunks. A failure is logged and ignored: bars are correct without
/// compression.
async fn enable_compression(session: &mut PgConnection) {
    let enable = "ALTER TABLE bars SET (timescaledb.compress, \
         timescaledb.compress_segmentby = 'venue, symbol, interval_s', \
         timescaledb.compress_orderby = 'start')";
    let add_policy = "SELECT add_compression_policy('bars', \
         compress_created_before => $1::text::interval, if_not_exists => TRUE)";
    let is_enabled: Result<bool, _> = query_scalar(
        "SELECT compression_enabled FROM timescaledb_information.hypertables \
         WHERE hypertable_schema = current_schema() AND hypertable_name = 'bars'",
    )
    .fetch_one(&mut *session)
    .await;
    let enabled = async {
        if !is_enabled? {
            query(enable).execute(&mut *session).await?;
        }
        query(add_policy)
            .bind(COMPRESS_AFTER)
            .fetch_all(&mut *session)
            .await
    };
    if let Err(error) = enabled.await {
        tracing::warn!(%error, "old bars will not be compressed");
    }
}
