//! Bars and the state of the fold in SQLite.

mod amendments;
mod commit;
mod expire;
mod load;
mod reader;
mod row;
#[cfg(test)]
mod tests;
mod topics;

use std::path::Path;
use std::sync::Arc;

pub use reader::SqliteBarReader;

use super::file::{DatabaseFile, Kind};
use super::log_id;
use super::readers::Readers;
use super::schema::Schema;
use super::writer::Writer;
use crate::metrics::CommitTimer;
use crate::{BarStore, CommitOutcome, PartitionState, StoreError, Transaction};

static KIND: Kind = Kind {
    name: "bars",
    schema: Schema {
        application_id: 0x4357_4201,
        versions: &[include_str!("../../migrations/sqlite/bars_3.sql")],
    },
    page_size: 4096,
    row_buffer: 256,
};

/// Bars and the state of the fold in one SQLite file.
///
/// A commit does not wait for the disk: after a loss of power the file holds the state as of
/// some earlier commit, from which the log replays. [`BarStore::sync`] waits.
#[derive(Clone)]
pub struct SqliteBarStore {
    reader: SqliteBarReader,
    writer: Arc<Writer>,
}

impl SqliteBarStore {
    /// Opens the file, or makes it; its folder must be there.
    ///
    /// # Errors
    /// [`StoreError`], where it cannot be read or written, is no such file, or is newer.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        DatabaseFile::open(&KIND, path.as_ref()).await.map(Self::of)
    }

    /// Opens a file that is there, which another process may be writing to. What would write
    /// to it fails.
    ///
    /// # Errors
    /// [`StoreError`], where it cannot be read, is no such file, or is of another version.
    pub async fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let file = DatabaseFile::open_read_only(&KIND, path.as_ref()).await;
        file.map(Self::of)
    }

    fn of(file: DatabaseFile) -> Self {
        let file = Arc::new(file);
        Self {
            reader: SqliteBarReader::new(Readers::new(Arc::clone(&file))),
            writer: Arc::new(Writer::new(file)),
        }
    }

    fn file(&self) -> &Arc<DatabaseFile> {
        self.reader.readers().file()
    }

    /// Ties the file to the log that it is folded from, which has so many partitions: the first
    /// call stores the log's id.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], where it was folded from another log.
    pub async fn bind_log(&self, log_id: &str, partitions: u32) -> Result<(), StoreError> {
        log_id::bind(&self.writer, log_id, Some(partitions)).await
    }

    /// How many partitions the log has that the file was last tied to. Whoever reads beside the
    /// owner cannot ask the log, which is the owner's alone.
    ///
    /// # Errors
    /// [`StoreError`], where the file cannot be read.
    pub async fn log_partitions(&self) -> Result<Option<u32>, StoreError> {
        log_id::partitions(self.reader.readers()).await
    }
}

impl BarStore for SqliteBarStore {
    type Reader = SqliteBarReader;
    type Snapshot = SqliteBarReader;

    fn reader(&self) -> &SqliteBarReader {
        &self.reader
    }

    async fn load_partition(
        &self,
        partition: u32,
        epoch: u64,
    ) -> Result<PartitionState, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let state = load::load(transaction.connection(), partition, epoch).await;
        let state = transaction.check(state)?;
        transaction.commit().await?;
        Ok(state)
    }

    async fn register_topic(&self, topic: &str, topic_id: &str) -> Result<u64, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let adopted = topics::adopt(transaction.connection(), topic, topic_id).await;
        let adopted = transaction.check(adopted)?;
        transaction.commit().await?;
        match adopted {
            topics::Adopted::Current(epoch) => Ok(epoch),
            topics::Adopted::Superseded => Err(StoreError::TopicSuperseded {
                store: self.file().label(),
                topic: topic.to_owned(),
                topic_id: topic_id.to_owned(),
            }),
        }
    }

    async fn commit(&self, transaction: &Transaction) -> Result<CommitOutcome, StoreError> {
        let started = CommitTimer::start();
        let mut writing = self.writer.begin().await?;
        let outcome = commit::write(writing.connection(), transaction).await;
        let outcome = writing.check(outcome)?;
        match outcome {
            CommitOutcome::Conflict => writing.rollback().await?,
            CommitOutcome::Committed => {
                writing.commit().await?;
                let metrics = self.file().metrics();
                commit::count(metrics, transaction);
                metrics.commit_seconds.record(started.elapsed());
            }
        }
        Ok(outcome)
    }

    async fn snapshot(&self) -> Result<SqliteBarReader, StoreError> {
        let readers = Readers::pinned(Arc::clone(self.file())).await?;
        Ok(SqliteBarReader::new(readers))
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.writer.sync().await
    }

    async fn delete_expired(
        &self,
        bars_before_ns: i64,
        ids_before_ns: i64,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let gone = expire::expire(transaction.connection(), bars_before_ns, ids_before_ns).await;
        let gone = transaction.check(gone)?;
        transaction.commit().await?;
        Ok(gone)
    }
}
