//! The one connection that writes.

use std::sync::Arc;

use sqlx::{SqliteConnection, query};
use tokio::sync::{Mutex, MutexGuard};

use super::failure::Failure;
use super::file::DatabaseFile;
use crate::StoreError;

/// The one connection that writes to a file. Whatever goes wrong, it is opened anew: after a
/// full disk SQLite may have rolled back on its own, which the connection's user cannot see.
pub(super) struct Writer {
    file: Arc<DatabaseFile>,
    connection: Mutex<Option<SqliteConnection>>,
}

/// A transaction that has the write lock. Dropped, it is rolled back.
pub(super) struct WriteTransaction<'a> {
    file: &'a DatabaseFile,
    home: MutexGuard<'a, Option<SqliteConnection>>,
    /// Taken from home, and put back only by a clean end.
    connection: SqliteConnection,
}

impl Writer {
    pub(super) fn new(file: Arc<DatabaseFile>) -> Self {
        Self {
            file,
            connection: Mutex::new(None),
        }
    }

    /// Waits for its turn and begins.
    pub(super) async fn begin(&self) -> Result<WriteTransaction<'_>, StoreError> {
        let (home, connection) = self.take().await?;
        self.begin_on(home, connection).await
    }

    async fn begin_on<'a>(
        &'a self,
        home: MutexGuard<'a, Option<SqliteConnection>>,
        mut connection: SqliteConnection,
    ) -> Result<WriteTransaction<'a>, StoreError> {
        run(&self.file, &mut connection, "BEGIN IMMEDIATE").await?;
        Ok(WriteTransaction {
            file: &self.file,
            home,
            connection,
        })
    }

    /// Makes every transaction that was committed so far survive a loss of power.
    ///
    /// With `synchronous=NORMAL` a commit writes to the write-ahead log and does not sync it
    /// (<https://www.sqlite.org/wal.html#performance_considerations>). A checkpoint would, yet
    /// it does nothing at all where a reader, perhaps of another process, still needs what the
    /// file holds. With `synchronous=FULL` a commit syncs the log after it is written
    /// (<https://www.sqlite.org/pragma.html#pragma_synchronous>), and the log is one file: so
    /// one small transaction of that sort makes all before it durable, those in the log by its
    /// own sync, and those that a checkpoint has moved because it syncs the database before
    /// the log is used again (<https://www.sqlite.org/wal.html#checkpointing>).
    pub(super) async fn sync(&self) -> Result<(), StoreError> {
        let (home, mut connection) = self.take().await?;
        run(&self.file, &mut connection, "PRAGMA synchronous = FULL").await?;
        let mut transaction = self.begin_on(home, connection).await?;
        let counted = query(
            "INSERT INTO meta (key, value) VALUES ('sync_count', '1') \
             ON CONFLICT (key) DO UPDATE SET value = CAST(value + 1 AS TEXT)",
        );
        let counted = counted.execute(transaction.connection()).await;
        self.file.check(counted.map_err(Failure::from))?;
        let mut home = transaction.commit_apart().await?;
        if let Some(mut connection) = home.take() {
            run(&self.file, &mut connection, "PRAGMA synchronous = NORMAL").await?;
            *home = Some(connection);
        }
        Ok(())
    }

    async fn take(
        &self,
    ) -> Result<(MutexGuard<'_, Option<SqliteConnection>>, SqliteConnection), StoreError> {
        let mut home = self.connection.lock().await;
        let connection = match home.take() {
            Some(connection) => connection,
            None => self.file.check(self.file.connect_writer().await)?,
        };
        Ok((home, connection))
    }
}

impl<'a> WriteTransaction<'a> {
    /// The connection, for statements of this transaction.
    pub(super) const fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Names the file in an error, and counts the error.
    pub(super) fn check<T>(&self, result: Result<T, Failure>) -> Result<T, StoreError> {
        self.file.check(result)
    }

    /// Ends it, taken. After an error it may be taken or not.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.commit_apart().await.map(drop)
    }

    /// Ends it, undone.
    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        self.end("ROLLBACK").await.map(drop)
    }

    async fn commit_apart(self) -> Result<MutexGuard<'a, Option<SqliteConnection>>, StoreError> {
        self.end("COMMIT").await
    }

    async fn end(
        mut self,
        sql: &'static str,
    ) -> Result<MutexGuard<'a, Option<SqliteConnection>>, StoreError> {
        run(self.file, &mut self.connection, sql).await?;
        *self.home = Some(self.connection);
        Ok(self.home)
    }
}

async fn run(
    file: &DatabaseFile,
    connection: &mut SqliteConnection,
    sql: &'static str,
) -> Result<(), StoreError> {
    let done = query(sql).execute(connection).await;
    file.check(done.map(drop).map_err(Failure::from))
}
