//! The file of a topic: one redb database.

use std::path::{Path, PathBuf};
use std::sync::RwLock;

use bytes::Bytes;
use redb::{Database, ReadableDatabase};

use super::blob::{DamagedBlob, RecordBlob};
use super::database::{BLOBS, DatabaseFailure, catch_panics, open_database};
use super::disk::SyncFailureState;
use super::identity::FileIdentity;
use super::partition::{OldestRecordBlob, PartitionExtent};
use crate::error::LogError;
use crate::record::{Offset, PartitionId};

type BlobTable<'a> = redb::Table<'a, (PartitionId, Offset), &'static [u8]>;

/// An open file. It is reopened after a failure, because redb refuses every call from then on.
pub(super) struct TopicDatabaseFile {
    path: PathBuf,
    partitions: PartitionId,
    disk: SyncFailureState,
    database: RwLock<Option<Database>>,
}

impl TopicDatabaseFile {
    /// Opens the file, or creates it. Returns the file, its identity, and what each partition
    /// holds.
    pub(super) fn open(
        path: &Path,
        partitions: PartitionId,
        disk: SyncFailureState,
    ) -> Result<(Self, FileIdentity, Vec<PartitionExtent>), LogError> {
        if !path.exists() {
            FileIdentity::new(partitions).create_file(path)?;
        }
        let database = open_database(path, &disk)?;
        let identity = FileIdentity::read(&database, path)?;
        identity.check_partition_count(path, partitions)?;
        let extents = catch_panics(|| read_extents(&database, partitions))
            .map_err(|failure| failure.to_log_error(path))?;
        let file = Self {
            path: path.to_owned(),
            partitions,
            disk,
            database: RwLock::new(Some(database)),
        };
        Ok((file, identity, extents))
    }

    /// Writes blobs in one transaction, and syncs it.
    pub(super) fn write<'a>(
        &self,
        blobs: impl Iterator<Item = (PartitionId, &'a RecordBlob)>,
    ) -> Result<(), LogError> {
        self.write_transaction(|table| {
            for (partition, blob) in blobs {
                table.insert((partition, blob.last_offset()), blob.bytes.as_ref())?;
            }
            Ok(())
        })
    }

    /// Runs `change` on the blobs in one transaction, and syncs it. Either all changes are made or
    /// none.
    pub(super) fn write_transaction<T>(
        &self,
        change: impl FnOnce(&mut BlobTable<'_>) -> Result<T, DatabaseFailure>,
    ) -> Result<T, LogError> {
        self.with_database(|database| {
            // The default durability of a transaction is to sync at once.
            let transaction = database.begin_write()?;
            let done = change(&mut transaction.open_table(BLOBS)?)?;
            transaction.commit()?;
            Ok(done)
        })
    }

    /// Reads blobs of about `target_bytes`, starting at the blob that holds `offset`: at least one
    /// if there is one. The first blob begins after `offset` if retention has just dropped the one
    /// that held it.
    pub(super) fn read_blobs_from(
        &self,
        partition: PartitionId,
        offset: Offset,
        target_bytes: usize,
    ) -> Result<Vec<RecordBlob>, LogError> {
        self.with_database(|database| {
            let table = database.begin_read()?.open_table(BLOBS)?;
            let mut blobs: Vec<RecordBlob> = Vec::new();
            let mut read_bytes = 0;
            for entry in table.range((partition, offset)..=(partition, Offset::MAX))? {
                let (key, value) = entry?;
                let blob = parse_blob(key.value(), value.value())?;
                if let Some(previous) = blobs.last().filter(|one| one.end != blob.first) {
                    let offset = previous.end;
                    return Err(DamagedBlob::Missing { partition, offset }.into());
                }
                // The first blob may hold records below the offset, so it does not count.
                if blob.first > offset {
                    read_bytes += blob.bytes.len();
                }
                blobs.push(blob);
                if read_bytes >= target_bytes {
                    break;
                }
            }
            Ok(blobs)
        })
    }

    /// Reopens the file and returns what each partition holds now. A failed commit is in it
    /// completely or not at all.
    pub(super) fn reopen(&self) -> Result<Vec<PartitionExtent>, LogError> {
        let mut database = self
            .database
            .write()
            .expect("no writer of the handle panics");
        // The old handle is dropped first, because it holds the lock of the file.
        drop(database.take());
        if self.disk.has_failed_sync() {
            return Err(DatabaseFailure::SyncFailed.to_log_error(&self.path));
        }
        let reopened = open_database(&self.path, &self.disk)?;
        let extents = catch_panics(|| read_extents(&reopened, self.partitions))
            .map_err(|failure| failure.to_log_error(&self.path))?;
        *database = Some(reopened);
        Ok(extents)
    }

    /// Returns the error after which nothing is written until the process is restarted, or `None`
    /// if there was no such error.
    pub(super) fn permanent_failure(&self) -> Option<LogError> {
        let has_failed = self.disk.has_failed_sync();
        has_failed.then(|| DatabaseFailure::SyncFailed.to_log_error(&self.path))
    }

    /// Closes the file.
    pub(super) fn close(&self) {
        let mut handle = self.database.write();
        let database = handle.as_mut().expect("no writer of the handle panics");
        let database = database.take();
        // It writes what it knows of free pages, and panics if a damaged file told it nonsense.
        let closed = catch_panics(|| {
            drop(database);
            Ok(())
        });
        if let Err(failure) = closed {
            let error = failure.to_log_error(&self.path);
            tracing::error!(%error, "the file was not closed well");
        }
    }

    /// Returns the error for blobs that are not what was written.
    pub(super) fn damaged_blob_error(&self, damaged: DamagedBlob) -> LogError {
        DatabaseFailure::from(damaged).to_log_error(&self.path)
    }

    /// Runs `operation` on the database, if the file is open.
    fn with_database<T>(
        &self,
        operation: impl FnOnce(&Database) -> Result<T, DatabaseFailure>,
    ) -> Result<T, LogError> {
        let database = self
            .database
            .read()
            .expect("no writer of the handle panics");
        let result = match database.as_ref() {
            Some(database) => catch_panics(|| operation(database)),
            None if self.disk.has_failed_sync() => Err(DatabaseFailure::SyncFailed),
            None => Err(DatabaseFailure::NotOpen),
        };
        result.map_err(|failure| failure.to_log_error(&self.path))
    }
}

/// Reads the first and the last blob of each partition.
fn read_extents(
    database: &Database,
    partitions: PartitionId,
) -> Result<Vec<PartitionExtent>, DatabaseFailure> {
    let table = database.begin_read()?.open_table(BLOBS)?;
    let extent = |partition| {
        let mut blobs = table.range((partition, 0)..=(partition, Offset::MAX))?;
        let Some(oldest) = blobs.next().transpose()? else {
            return Ok(PartitionExtent::default());
        };
        let oldest = parse_blob(oldest.0.value(), oldest.1.value())?;
        let newest = match blobs.next_back().transpose()? {
            Some(newest) => parse_blob(newest.0.value(), newest.1.value())?,
            None => oldest.clone(),
        };
        Ok(PartitionExtent {
            oldest: Some(OldestRecordBlob::from(&oldest)),
            end: newest.end,
            last_append_ns: Some(newest.append_time_ns),
            total_bytes: newest.total_bytes,
        })
    };
    (0..partitions).map(extent).collect()
}

fn parse_blob(
    (partition, last_offset): (PartitionId, Offset),
    value: &[u8],
) -> Result<RecordBlob, DamagedBlob> {
    RecordBlob::parse(partition, last_offset, Bytes::copy_from_slice(value))
}
