//! The connection that writes.

use std::sync::Arc;

use sqlx::{SqliteConnection, query};
use tokio::sync::{Mutex, MutexGuard};

use super::database_error::DatabaseError;
use super::file::DatabaseFile;
use crate::error::StoreError;

/// The only connection that writes to a file. After any error the connection is replaced by a new
/// one: if the disk is full, for example, SQLite may have rolled back by itself, which the caller
/// cannot see.
pub(super) struct SqliteWriter {
    file: Arc<DatabaseFile>,
    connection: Mutex<Option<SqliteConnection>>,
}

/// A transaction that holds the write lock. Dropping it rolls it back.
pub(super) struct WriteTransaction<'a> {
    file: &'a DatabaseFile,
    slot: MutexGuard<'a, Option<SqliteConnection>>,
    /// The connection, taken out of `slot`; only a successful end puts it back.
    connection: SqliteConnection,
}

impl SqliteWriter {
    pub(super) fn new(file: Arc<DatabaseFile>) -> Self {
        Self {
            file,
            connection: Mutex::new(None),
        }
    }

    /// Waits for the connection and begins a transaction.
    pub(super) async fn begin(&self) -> Result<WriteTransaction<'_>, StoreError> {
        let (slot, connection) = self.take_connection().await?;
        self.begin_on_connection(slot, connection).await
    }

    async fn begin_on_connection<'a>(
        &'a self,
        slot: MutexGuard<'a, Option<SqliteConnection>>,
        mut connection: SqliteConnection,
    ) -> Result<WriteTransaction<'a>, StoreError> {
        execute(&self.file, &mut connection, "BEGIN IMMEDIATE").await?;
        Ok(WriteTransaction {
            file: &self.file,
            slot,
            connection,
        })
    }

    /// Waits until all transactions that were committed so far survive a loss of power.
    ///
    /// With `synchronous=NORMAL` a commit writes to the write-ahead log and does not sync it
    /// (<https://www.sqlite.org/wal.html#performance_considerations>). A checkpoint would sync it,
    /// but does nothing while a reader, perhaps of another process, needs the old pages of the
    /// file. With `synchronous=FULL` a commit syncs the log after it is written
    /// (<https://www.sqlite.org/pragma.html#pragma_synchronous>), and the log is one file. So one
    /// small transaction with that setting makes all transactions before it durable: those in the
    /// log by its own sync, and those that a checkpoint has copied into the database because a
    /// checkpoint syncs the database before the log is used again
    /// (<https://www.sqlite.org/wal.html#checkpointing>).
    pub(super) async fn sync(&self) -> Result<(), StoreError> {
        let (slot, mut connection) = self.take_connection().await?;
        execute(&self.file, &mut connection, "PRAGMA synchronous = FULL").await?;
        let mut transaction = self.begin_on_connection(slot, connection).await?;
        let counted = query(
            "INSERT INTO meta (key, value) VALUES ('sync_count', '1') \
             ON CONFLICT (key) DO UPDATE SET value = CAST(value + 1 AS TEXT)",
        );
        let counted = counted.execute(transaction.connection()).await;
        self.file
            .convert_and_count_error(counted.map_err(DatabaseError::from))?;
        let mut slot = transaction.commit_and_keep_lock().await?;
        if let Some(mut connection) = slot.take() {
            execute(&self.file, &mut connection, "PRAGMA synchronous = NORMAL").await?;
            *slot = Some(connection);
        }
        Ok(())
    }

    async fn take_connection(
        &self,
    ) -> Result<(MutexGuard<'_, Option<SqliteConnection>>, SqliteConnection), StoreError> {
        let mut slot = self.connection.lock().await;
        let connection = match slot.take() {
            Some(connection) => connection,
            None => self
                .file
                .convert_and_count_error(self.file.connect_writer().await)?,
        };
        Ok((slot, connection))
    }
}

impl<'a> WriteTransaction<'a> {
    /// Returns the connection, for statements of this transaction.
    pub(super) const fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Converts an error into one that names the file, and counts it.
    pub(super) fn convert_and_count_error<T>(
        &self,
        result: Result<T, DatabaseError>,
    ) -> Result<T, StoreError> {
        self.file.convert_and_count_error(result)
    }

    /// Commits. After an error it is unknown whether the transaction was committed.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.commit_and_keep_lock().await.map(drop)
    }

    /// Rolls back.
    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        self.finish("ROLLBACK").await.map(drop)
    }

    async fn commit_and_keep_lock(
        self,
    ) -> Result<MutexGuard<'a, Option<SqliteConnection>>, StoreError> {
        self.finish("COMMIT").await
    }

    async fn finish(
        mut self,
        sql: &'static str,
    ) -> Result<MutexGuard<'a, Option<SqliteConnection>>, StoreError> {
        execute(self.file, &mut self.connection, sql).await?;
        *self.slot = Some(self.connection);
        Ok(self.slot)
    }
}

async fn execute(
    file: &DatabaseFile,
    connection: &mut SqliteConnection,
    sql: &'static str,
) -> Result<(), StoreError> {
    let done = query(sql).execute(connection).await;
    file.convert_and_count_error(done.map(drop).map_err(DatabaseError::from))
}
