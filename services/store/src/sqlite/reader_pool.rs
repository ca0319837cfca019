//! The connections that read.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Sqlite, SqliteConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::database_error::DatabaseError;
use super::file::DatabaseFile;
use crate::error::StoreError;

/// The greatest number of connections that read at the same time.
const MAX_READERS: usize = 4;

/// A pool of connections that read, which are opened when they are needed.
pub(super) struct ReaderPool {
    file: Arc<DatabaseFile>,
    permits: Semaphore,
    idle: Mutex<Vec<SqliteConnection>>,
    /// Whether the pool has only one connection, inside a read transaction.
    is_snapshot: bool,
}

/// A connection that is borrowed from the pool. Dropping it returns it.
pub(super) struct PooledConnection<'a> {
    readers: &'a ReaderPool,
    connection: Option<SqliteConnection>,
    _permit: SemaphorePermit<'a>,
}

impl ReaderPool {
    /// Returns a pool whose reads see what is committed at that time.
    pub(super) fn new(file: Arc<DatabaseFile>) -> Self {
        Self {
            file,
            permits: Semaphore::new(MAX_READERS),
            idle: Mutex::default(),
            is_snapshot: false,
        }
    }

    /// Returns a pool with one connection, whose reads see what is committed now.
    pub(super) async fn snapshot(file: Arc<DatabaseFile>) -> Result<Self, StoreError> {
        let connection = file.convert_and_count_error(open_snapshot(&file).await)?;
        Ok(Self {
            file,
            permits: Semaphore::new(1),
            idle: Mutex::new(vec![connection]),
            is_snapshot: true,
        })
    }

    /// Returns the file.
    pub(super) const fn file(&self) -> &Arc<DatabaseFile> {
        &self.file
    }

    /// Waits for a free connection.
    pub(super) async fn acquire(&self) -> Result<PooledConnection<'_>, StoreError> {
        let permit = self.permits.acquire().await.expect("it is never closed");
        let idle = self.idle.lock().expect("no holder panics").pop();
        let connection = match idle {
            Some(connection) => Ok(connection),
            None if self.is_snapshot => Err(DatabaseError::Unavailable(
                "the snapshot ended with an earlier error".to_owned(),
            )),
            None => self.file.connect_reader().await,
        };
        Ok(PooledConnection {
            readers: self,
            connection: Some(self.file.convert_and_count_error(connection)?),
            _permit: permit,
        })
    }

    /// Runs one statement, which sees a consistent state, and converts each of its rows.
    pub(super) async fn read<T>(
        &self,
        query: Query<'_, Sqlite, SqliteArguments>,
        read_row: impl Fn(&SqliteRow) -> Result<T, DatabaseError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut connection = self.acquire().await?;
        let rows = match query.fetch_all(&mut *connection).await {
            Ok(rows) => rows,
            Err(error) => return connection.discard(error.into()),
        };
        drop(connection);
        self.file
            .convert_and_count_error(rows.iter().map(read_row).collect())
    }
}

impl PooledConnection<'_> {
    /// Closes the connection after an error instead of returning it, and converts the error.
    pub(super) fn discard<T>(mut self, error: DatabaseError) -> Result<T, StoreError> {
        self.connection = None;
        self.readers.file.convert_and_count_error(Err(error))
    }
}

impl Deref for PooledConnection<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.connection.as_ref().expect(NOT_DISCARDED)
    }
}

impl DerefMut for PooledConnection<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect(NOT_DISCARDED)
    }
}

const NOT_DISCARDED: &str = "a connection is there until it is discarded or dropped";

impl Drop for PooledConnection<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let mut idle = self.readers.idle.lock().expect("no holder panics");
            idle.push(connection);
        }
    }
}

/// Opens a connection and begins a read transaction. SQLite fixes the snapshot at the first read
/// (<https://www.sqlite.org/isolation.html>), so this function reads immediately.
async fn open_snapshot(file: &DatabaseFile) -> Result<SqliteConnection, DatabaseError> {
    let mut connection = file.connect_reader().await?;
    sqlx::query("BEGIN").execute(&mut connection).await?;
    sqlx::query("SELECT count(*) FROM meta")
        .fetch_one(&mut connection)
        .await?;
    Ok(connection)
}
