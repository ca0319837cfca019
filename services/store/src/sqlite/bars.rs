//! The store of bars and of the state of the fold in SQLite.

mod amendments;
mod commit;
mod excluded_ranges;
mod id_sets;
mod load;
mod reader;
mod retention;
mod row;
#[cfg(test)]
mod tests;
mod topics;

use std::path::Path;
use std::sync::Arc;

pub use reader::SqliteBarReader;

use super::file::{DatabaseFile, DatabaseKind};
use super::log_id;
use super::reader_pool::ReaderPool;
use super::schema::SqliteSchema;
use super::writer::SqliteWriter;
use crate::bar_store::{BarStore, CommitOutcome};
use crate::error::StoreError;
use crate::metrics::CommitStopwatch;
use crate::state::{PartitionState, PartitionTransaction};
use crate::topic_generation::TopicGeneration;

static KIND: DatabaseKind = DatabaseKind {
    name: "bars",
    schema: SqliteSchema {
        application_id: 0x4357_4201,
        oldest_version: 6,
        versions: &[include_str!("../../migrations/sqlite/bars_6.sql")],
    },
    page_size: 4096,
    row_buffer: 256,
};

/// Bars and the state of the fold in one SQLite file.
///
/// A commit does not wait for the disk: after a loss of power the file may hold the state of an
/// earlier commit, from which the records of the log are folded again. [`BarStore::sync`] waits for
/// the disk.
#[derive(Clone)]
pub struct SqliteBarStore {
    reader: SqliteBarReader,
    writer: Arc<SqliteWriter>,
}

impl SqliteBarStore {
    /// Opens the file, or creates it in a folder that exists.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be read or written, is not a file of this kind, or has the
    /// schema of another version.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        DatabaseFile::open(&KIND, path.as_ref())
            .await
            .map(Self::from_file)
    }

    /// Opens an existing file for reading, while another process may write to it. Calls that write
    /// fail.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be read, is not a file of this kind, or has the schema of
    /// another version.
    pub async fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let file = DatabaseFile::open_read_only(&KIND, path.as_ref()).await;
        file.map(Self::from_file)
    }

    fn from_file(file: DatabaseFile) -> Self {
        let file = Arc::new(file);
        Self {
            reader: SqliteBarReader::new(ReaderPool::new(Arc::clone(&file))),
            writer: Arc::new(SqliteWriter::new(file)),
        }
    }

    fn file(&self) -> &Arc<DatabaseFile> {
        self.reader.readers().file()
    }

    /// Binds the file to the log that it is folded from, and stores the log's number of partitions.
    /// The first call stores the id of the log; later calls compare it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the bars were folded from another log.
    pub async fn bind_log(&self, log_id: &str, partitions: u32) -> Result<(), StoreError> {
        log_id::bind_log(&self.writer, log_id, Some(partitions)).await
    }

    /// Returns the number of partitions that the last [`SqliteBarStore::bind_log`] stored, for a
    /// process that cannot open the log because the owner of the data folder has it open.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be read.
    pub async fn log_partition_count(&self) -> Result<Option<u32>, StoreError> {
        log_id::read_partition_count(self.reader.readers()).await
    }
}

impl BarStore for SqliteBarStore {
    type Reader = SqliteBarReader;
    type Snapshot = SqliteBarReader;

    fn reader(&self) -> &SqliteBarReader {
        &self.reader
    }

    async fn load_or_create_partition(
        &self,
        partition: u32,
        epoch: u64,
    ) -> Result<PartitionState, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let state =
            load::load_or_create_partition(transaction.connection(), partition, epoch).await;
        let state = transaction.convert_and_count_error(state)?;
        transaction.commit().await?;
        Ok(state)
    }

    async fn register_topic(&self, generation: &TopicGeneration) -> Result<u64, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let store = self.file().label();
        let registered = topics::register_topic(transaction.connection(), generation, &store).await;
        let registered = transaction.convert_and_count_error(registered)?;
        transaction.commit().await?;
        // The ends of an epoch must not change once a reader has seen them.
        self.writer.sync().await?;
        registered
    }

    async fn commit(
        &self,
        transaction: &PartitionTransaction,
    ) -> Result<CommitOutcome, StoreError> {
        let timer = CommitStopwatch::start();
        let mut write_transaction = self.writer.begin().await?;
        let outcome =
            commit::write_transaction_without_commit(write_transaction.connection(), transaction)
                .await;
        let outcome = write_transaction.convert_and_count_error(outcome)?;
        match outcome {
            CommitOutcome::Conflict => write_transaction.rollback().await?,
            CommitOutcome::Committed => {
                write_transaction.commit().await?;
                let metrics = self.file().metrics();
                metrics.count_transaction_rows(transaction);
                metrics.commit_seconds.record(timer.elapsed());
            }
        }
        Ok(outcome)
    }

    async fn dry_run_commit(
        &self,
        transaction: &PartitionTransaction,
    ) -> Result<CommitOutcome, StoreError> {
        let mut write_transaction = self.writer.begin().await?;
        let outcome =
            commit::write_transaction_without_commit(write_transaction.connection(), transaction)
                .await;
        let outcome = write_transaction.convert_and_count_error(outcome)?;
        write_transaction.rollback().await?;
        Ok(outcome)
    }

    async fn snapshot(&self) -> Result<SqliteBarReader, StoreError> {
        let readers = ReaderPool::snapshot(Arc::clone(self.file())).await?;
        Ok(SqliteBarReader::new(readers))
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.writer.sync().await
    }

    async fn delete_expired_batch(
        &self,
        bars_before_ns: i64,
        ids_before_ns: i64,
        excluded_amendments_before_ns: i64,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let deleted = retention::delete_expired_batch(
            transaction.connection(),
            bars_before_ns,
            ids_before_ns,
            excluded_amendments_before_ns,
        )
        .await;
        let deleted = transaction.convert_and_count_error(deleted)?;
        transaction.commit().await?;
        Ok(deleted)
    }
}
