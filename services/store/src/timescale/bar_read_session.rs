//! A connection on which bars are read with several statements.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, query, raw_sql};
use tokio::sync::MutexGuard;

use super::connections::{CloseOnDropConnection, TransactionEnding};
use super::database_error::DatabaseError;
use crate::StoreError;

/// Begins a transaction whose statements all see the moment of the first one.
pub(super) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A rollback to a savepoint releases the locks that were taken since.
pub(super) const SET_SAVEPOINT: &str = "SAVEPOINT chunk_locks";
pub(super) const RELEASE_LOCKS: &str =
    "ROLLBACK TO SAVEPOINT chunk_locks; RELEASE SAVEPOINT chunk_locks";

/// A connection on which bars are read with several statements. Dropping it closes the connection.
pub(super) struct BarReadSession<'a> {
    connection: CloseOnDropConnection,
    /// Where the connection of a snapshot is returned to; `None` if it is of a pool.
    snapshot: Option<MutexGuard<'a, Option<CloseOnDropConnection>>>,
    is_in_transaction: bool,
}

impl<'a> BarReadSession<'a> {
    /// Returns a session on a connection of a pool, outside of a transaction.
    pub(super) const fn of_pool(connection: CloseOnDropConnection) -> Self {
        Self {
            connection,
            snapshot: None,
            is_in_transaction: false,
        }
    }

    /// Returns a session on the connection of a snapshot, which is inside a transaction.
    pub(super) const fn of_snapshot(
        connection: CloseOnDropConnection,
        snapshot: MutexGuard<'a, Option<CloseOnDropConnection>>,
    ) -> Self {
        Self {
            connection,
            snapshot: Some(snapshot),
            is_in_transaction: true,
        }
    }

    /// Returns the session, to run statements that read no bars.
    pub(super) const fn session(&mut self) -> &mut PgConnection {
        self.connection.session()
    }

    /// Makes all statements from now on see one moment. Returns `false` if they did already.
    pub(super) async fn begin_snapshot_unless_begun(&mut self) -> Result<bool, DatabaseError> {
        if self.is_in_transaction {
            return Ok(false);
        }
        query(BEGIN_SNAPSHOT).execute(self.session()).await?;
        self.is_in_transaction = true;
        Ok(true)
    }

    /// Runs a statement that reads bars. Its locks of chunks are released before this returns, even
    /// inside a transaction.
    pub(super) async fn fetch_bars(
        &mut self,
        statement: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, DatabaseError> {
        if !self.is_in_transaction {
            return Ok(statement.fetch_all(self.session()).await?);
        }
        query(SET_SAVEPOINT).execute(self.session()).await?;
        let rows = statement.fetch_all(self.session()).await?;
        raw_sql(RELEASE_LOCKS).execute(self.session()).await?;
        Ok(rows)
    }

    /// Ends the session. The connection is reused if `result` is a success. An error is converted
    /// into one that names the database.
    pub(super) async fn end<T>(self, result: Result<T, DatabaseError>) -> Result<T, StoreError> {
        match self.snapshot {
            Some(mut snapshot) => {
                let value = self.connection.convert_and_count_error(result)?;
                *snapshot = Some(self.connection);
                Ok(value)
            }
            None if self.is_in_transaction => {
                let ending = TransactionEnding::Commit;
                self.connection.end_transaction(result, ending).await
            }
            None => self.connection.return_to_pool_if_ok(result),
        }
    }
}
