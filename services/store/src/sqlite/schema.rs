//! Versions of the tables.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection, query, query_scalar, raw_sql};

use super::failure::Failure;

/// The tables of one kind of database, and how they came to be.
pub(super) struct Schema {
    /// Says whose file it is (<https://www.sqlite.org/pragma.html#pragma_application_id>).
    pub(super) application_id: i64,
    /// SQL that makes each version out of the one before; the first makes version 1.
    pub(super) versions: &'static [&'static str],
}

impl Schema {
    /// Makes the tables, or brings them up to date, in one transaction.
    pub(super) async fn migrate(&self, options: &SqliteConnectOptions) -> Result<(), Failure> {
        let mut connection = options.connect().await?;
        query("BEGIN IMMEDIATE").execute(&mut connection).await?;
        let found = self.version(&mut connection).await?;
        let done = usize::try_from(found).map_err(|_| Failure::malformed("schema", found))?;
        for sql in self.versions.iter().skip(done) {
            raw_sql(*sql).execute(&mut connection).await?;
        }
        if found < self.known() {
            self.stamp(&mut connection).await?;
        }
        query("COMMIT").execute(&mut connection).await?;
        Ok(sqlx::Connection::close(connection).await?)
    }

    /// Checks that the tables are those known here.
    pub(super) async fn verify(&self, options: &SqliteConnectOptions) -> Result<(), Failure> {
        let mut connection = options.connect().await?;
        let found = self.version(&mut connection).await?;
        if found == self.known() {
            return Ok(());
        }
        Err(Failure::Unavailable(format!(
            "it has schema {found}, this version reads {}; let it be opened for writing once",
            self.known()
        )))
    }

    fn known(&self) -> i64 {
        i64::try_from(self.versions.len()).expect("there are few versions")
    }

    /// The version of the file; 0 where it is empty.
    async fn version(&self, connection: &mut SqliteConnection) -> Result<i64, Failure> {
        let found: i64 = query_scalar("PRAGMA user_version")
            .fetch_one(&mut *connection)
            .await?;
        let owner: i64 = query_scalar("PRAGMA application_id")
            .fetch_one(&mut *connection)
            .await?;
        let tables: i64 = query_scalar("SELECT count(*) FROM sqlite_schema")
            .fetch_one(connection)
            .await?;
        if owner != self.application_id && (owner, found, tables) != (0, 0, 0) {
            return Err(Failure::Malformed(
                "it was written by something else".to_owned(),
            ));
        }
        if found > self.known() {
            return Err(Failure::Newer {
                found,
                known: self.known(),
            });
        }
        Ok(found)
    }

    async fn stamp(&self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        let sql = format!(
            "PRAGMA application_id = {}; PRAGMA user_version = {};",
            self.application_id,
            self.known()
        );
        // Pragmas take no parameters; these are our own numbers.
        raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(connection)
            .await?;
        Ok(())
    }
}
