//! The connections that read.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Sqlite, SqliteConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::database_error::DatabaseError;
use super::file::DatabaseFile;
use crate::StoreError;

/// How many reads go on at once.
const READERS: usize = 4;

/// A few connections that read, opened when they are needed.
pub(super) struct ReaderPool {
    file: Arc<DatabaseFile>,
    permits: Semaphore,
    idle: Mutex<Vec<SqliteConnection>>,
    /// Whether there is but the one connection, inside a transaction.
    is_snapshot: bool,
}

/// A connection on connection. Dropped, it goes back.
pub(super) struct PooledConnection<'a> {
    readers: &'a ReaderPool,
    connection: Option<SqliteConnection>,
    _permit: SemaphorePermit<'a>,
}

impl ReaderPool {
    /// ReaderPool of what is committed when they read.
    pub(super) fn new(file: Arc<DatabaseFile>) -> Self {
        Self {
            file,
            permits: Semaphore::new(READERS),
            idle: Mutex::default(),
            is_snapshot: false,
        }
    }

    /// One reader, of what is committed now.
    pub(super) async fn snapshot(file: Arc<DatabaseFile>) -> Result<Self, StoreError> {
        let connection = file.store_result(open_snapshot(&file).await)?;
        Ok(Self {
            file,
            permits: Semaphore::new(1),
            idle: Mutex::new(vec![connection]),
            is_snapshot: true,
        })
    }

    /// The file.
    pub(super) const fn file(&self) -> &Arc<DatabaseFile> {
        &self.file
    }

    /// Waits for a connection.
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
            connection: Some(self.file.store_result(connection)?),
            _permit: permit,
        })
    }

    /// Runs one statement, which sees one moment, and reads each of its rows.
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
        self.file.store_result(rows.iter().map(read_row).collect())
    }
}

impl PooledConnection<'_> {
    /// Lets go of the connection, which is not what it was, and names the file in the error.
    pub(super) fn discard<T>(mut self, failure: DatabaseError) -> Result<T, StoreError> {
        self.connection = None;
        self.readers.file.store_result(Err(failure))
    }
}

impl Deref for PooledConnection<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.connection.as_ref().expect(ON_LOAN)
    }
}

impl DerefMut for PooledConnection<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect(ON_LOAN)
    }
}

const ON_LOAN: &str = "a connection has its connection until it ends";

impl Drop for PooledConnection<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let mut idle = self.readers.idle.lock().expect("no holder panics");
            idle.push(connection);
        }
    }
}

/// Begins a transaction; it sees the moment of its first read
/// (<https://www.sqlite.org/isolation.html>).
async fn open_snapshot(file: &DatabaseFile) -> Result<SqliteConnection, DatabaseError> {
    let mut connection = file.connect_reader().await?;
    sqlx::query("BEGIN").execute(&mut connection).await?;
    sqlx::query("SELECT count(*) FROM meta")
        .fetch_one(&mut connection)
        .await?;
    Ok(connection)
}
