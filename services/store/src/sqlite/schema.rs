//! Versions of the tables.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection, query, query_scalar, raw_sql};

use super::database_error::DatabaseError;

/// The tables of one kind of database.
pub(super) struct SqliteSchema {
    /// Identifies files of this kind
    /// (<https://www.sqlite.org/pragma.html#pragma_application_id>).
    pub(super) application_id: i64,
    /// The oldest version that can be read or upgraded.
    pub(super) oldest_version: i64,
    /// The SQL of each version, which upgrades the tables of the version before it. The first
    /// creates the tables of the oldest version.
    pub(super) versions: &'static [&'static str],
}

impl SqliteSchema {
    /// Creates the tables, or upgrades them, in one transaction.
    pub(super) async fn migrate(
        &self,
        options: &SqliteConnectOptions,
    ) -> Result<(), DatabaseError> {
        let mut connection = options.connect().await?;
        query("BEGIN IMMEDIATE").execute(&mut connection).await?;
        let found = self.read_supported_version(&mut connection).await?;
        let missing = (self.oldest_version..)
            .zip(self.versions)
            .filter(|(version, _)| *version > found);
        for (_, sql) in missing {
            raw_sql(*sql).execute(&mut connection).await?;
        }
        if found < self.newest_version() {
            self.write_version(&mut connection).await?;
        }
        query("COMMIT").execute(&mut connection).await?;
        Ok(sqlx::Connection::close(connection).await?)
    }

    /// Fails unless the tables have the newest version.
    pub(super) async fn verify_version(
        &self,
        options: &SqliteConnectOptions,
    ) -> Result<(), DatabaseError> {
        let mut connection = options.connect().await?;
        let found = self.read_supported_version(&mut connection).await?;
        if found == self.newest_version() {
            return Ok(());
        }
        Err(DatabaseError::Unavailable(format!(
            "it has schema {found}, this version reads {}; open it for writing once",
            self.newest_version()
        )))
    }

    fn newest_version(&self) -> i64 {
        self.oldest_version - 1
            + i64::try_from(self.versions.len()).expect("there are few versions")
    }

    /// Returns the version of the file, or 0 if it is empty.
    ///
    /// Fails if another program wrote the file, or a version of this one whose tables cannot be
    /// read or upgraded.
    async fn read_supported_version(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<i64, DatabaseError> {
        let found: i64 = query_scalar("PRAGMA user_version")
            .fetch_one(&mut *connection)
            .await?;
        let application_id: i64 = query_scalar("PRAGMA application_id")
            .fetch_one(&mut *connection)
            .await?;
        let tables: i64 = query_scalar("SELECT count(*) FROM sqlite_schema")
            .fetch_one(connection)
            .await?;
        if (application_id, found, tables) == (0, 0, 0) {
            return Ok(0);
        }
        if application_id != self.application_id {
            return Err(DatabaseError::Malformed(
                "another program wrote it, or it is another kind of database".to_owned(),
            ));
        }
        match found {
            found if found < self.oldest_version => Err(DatabaseError::OlderSchema {
                found,
                oldest: self.oldest_version,
            }),
            found if found > self.newest_version() => Err(DatabaseError::NewerSchema {
                found,
                known: self.newest_version(),
            }),
            found => Ok(found),
        }
    }

    async fn write_version(&self, connection: &mut SqliteConnection) -> Result<(), DatabaseError> {
        let sql = format!(
            "PRAGMA application_id = {}; PRAGMA user_version = {};",
            self.application_id,
            self.newest_version()
        );
        // Pragmas accept no parameters. Both numbers are constants of this crate.
        raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(connection)
            .await?;
        Ok(())
    }
}
