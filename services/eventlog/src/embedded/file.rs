//! The file of a topic: one redb database.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::RwLock;

use bytes::Bytes;
use redb::{Database, DatabaseError, ReadableDatabase, TableDefinition};

use super::blob::{Blob, Malformed};
use super::disk::{Disk, Health};
use super::identity::Identity;
use super::partition::{Extent, Oldest};
use crate::{LogError, Offset, PartitionId};

/// Blobs by partition and the offset of their last record.
const BLOBS: TableDefinition<(PartitionId, Offset), &[u8]> = TableDefinition::new("blobs");

/// Pages kept in memory. The newest blobs are cached above the store, so this is for its trees.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

type Table<'a> = redb::Table<'a, (PartitionId, Offset), &'static [u8]>;

/// Any way in which the store can fail, as text.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The store answered so.
    #[error(transparent)]
    Store(Box<redb::Error>),
    /// What the store answered makes no sense.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The store panicked, as it may over a file that something else has written to.
    #[error("the file is corrupt: {0}")]
    Panic(String),
    /// See [`Health`].
    #[error("an earlier sync failed, so what is on the disk is not known; restart the process")]
    SyncFailed,
    /// The file could not be opened again after a failure.
    #[error("the file is not open")]
    NotOpen,
}

impl Failure {
    /// Whether the disk has no room, or this user's share of it.
    fn is_full(&self) -> bool {
        let Self::Store(error) = self else {
            return false;
        };
        let redb::Error::Io(error) = &**error else {
            return false;
        };
        matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded
        )
    }
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Store(Box::new(error.into()))
    }
}

/// An open file, which is opened anew after a failure: the store answers nothing more then.
pub(super) struct LogFile {
    path: PathBuf,
    partitions: PartitionId,
    health: Health,
    database: RwLock<Option<Database>>,
}

impl LogFile {
    /// Opens the file, or makes it, and reads who it is and what it holds.
    pub(super) fn open(
        path: &Path,
        partitions: PartitionId,
        health: Health,
    ) -> Result<(Self, Identity, Vec<Extent>), LogError> {
        if !path.exists() {
            Identity::new(partitions).create_file(path)?;
        }
        let database = open_database(path, &health)?;
        let identity = Identity::read(&database, path)?;
        identity.check(path, partitions)?;
        let extents = guarded(|| read_extents(&database, partitions))
            .map_err(|failure| storage(path, &failure))?;
        let file = Self {
            path: path.to_owned(),
            partitions,
            health,
            database: RwLock::new(Some(database)),
        };
        Ok((file, identity, extents))
    }

    /// Writes blobs in one transaction, and syncs them.
    pub(super) fn write<'a>(
        &self,
        blobs: impl Iterator<Item = (PartitionId, &'a Blob)>,
    ) -> Result<(), LogError> {
        self.transact(|table| {
            for (partition, blob) in blobs {
                table.insert((partition, blob.last()), blob.bytes.as_ref())?;
            }
            Ok(())
        })
    }

    /// Does something to the blobs in one transaction, all or nothing, and syncs it.
    pub(super) fn transact<T>(
        &self,
        change: impl FnOnce(&mut Table<'_>) -> Result<T, Failure>,
    ) -> Result<T, LogError> {
        self.with_database(|database| {
            // Its durability is immediate unless it is told otherwise.
            let transaction = database.begin_write()?;
            let done = change(&mut transaction.open_table(BLOBS)?)?;
            transaction.commit()?;
            Ok(done)
        })
    }

    /// Reads blobs from the one that holds `offset` on: about `max_bytes`, at least one if there
    /// is one. A blob may lie wholly after `offset` where retention has just passed it.
    pub(super) fn read(
        &self,
        partition: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<Vec<Blob>, LogError> {
        self.with_database(|database| {
            let table = database.begin_read()?.open_table(BLOBS)?;
            let mut blobs = Vec::new();
            let mut read_bytes = 0;
            for entry in table.range((partition, offset)..=(partition, Offset::MAX))? {
                let (key, value) = entry?;
                let blob = parse(key.value().1, value.value())?;
                // Of the first one some may be below the offset: it does not count.
                if blob.first > offset {
                    read_bytes += blob.bytes.len();
                }
                blobs.push(blob);
                if read_bytes >= max_bytes {
                    break;
                }
            }
            Ok(blobs)
        })
    }

    /// Opens the file anew and reads what it holds now: of a commit that failed, all or nothing.
    pub(super) fn reopen(&self) -> Result<Vec<Extent>, LogError> {
        let mut database = self
            .database
            .write()
            .expect("no writer of the handle panics");
        // It is let go of first: it holds the lock.
        drop(database.take());
        if self.health.sync_failed() {
            return Err(storage(&self.path, &Failure::SyncFailed));
        }
        let reopened = open_database(&self.path, &self.health)?;
        let extents = guarded(|| read_extents(&reopened, self.partitions))
            .map_err(|failure| storage(&self.path, &failure))?;
        *database = Some(reopened);
        Ok(extents)
    }

    /// Whether nothing more will be written before a restart, and why.
    pub(super) fn failed_for_good(&self) -> Option<LogError> {
        let has_failed = self.health.sync_failed();
        has_failed.then(|| storage(&self.path, &Failure::SyncFailed))
    }

    /// Lets go of the file.
    pub(super) fn close(&self) {
        drop(
            self.database
                .write()
                .expect("no writer of the handle panics")
                .take(),
        );
    }

    /// The error for a blob that cannot be read.
    pub(super) fn malformed(&self, malformed: Malformed) -> LogError {
        storage(&self.path, &malformed.into())
    }

    fn with_database<T>(
        &self,
        action: impl FnOnce(&Database) -> Result<T, Failure>,
    ) -> Result<T, LogError> {
        let database = self
            .database
            .read()
            .expect("no writer of the handle panics");
        let result = match database.as_ref() {
            Some(database) => guarded(|| action(database)),
            None if self.health.sync_failed() => Err(Failure::SyncFailed),
            None => Err(Failure::NotOpen),
        };
        result.map_err(|failure| storage(&self.path, &failure))
    }
}

/// Opens an existing file.
fn open_database(path: &Path, health: &Health) -> Result<Database, LogError> {
    let open = || {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(DatabaseError::from)?;
        if file.metadata().map_err(DatabaseError::from)?.len() == 0 {
            return Err(Malformed.into());
        }
        let disk = Disk::new(file, health.clone())?;
        Ok(builder().create_with_backend(disk)?)
    };
    guarded(open).map_err(|failure| match failure {
        Failure::Store(error) if matches!(*error, redb::Error::DatabaseAlreadyOpen) => {
            LogError::Locked {
                path: path.display().to_string(),
            }
        }
        failure => storage(path, &failure),
    })
}

/// Makes an empty database in a new file.
pub(super) fn create_database(path: &Path) -> Result<Database, Failure> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).open(path);
    let disk = Disk::new(file.map_err(DatabaseError::from)?, Health::default())?;
    let database = builder().create_with_backend(disk)?;
    let transaction = database.begin_write()?;
    transaction.open_table(BLOBS)?;
    transaction.commit()?;
    Ok(database)
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn read_extents(database: &Database, partitions: PartitionId) -> Result<Vec<Extent>, Failure> {
    let table = database.begin_read()?.open_table(BLOBS)?;
    let extent = |partition| {
        let mut blobs = table.range((partition, 0)..=(partition, Offset::MAX))?;
        let Some(oldest) = blobs.next().transpose()? else {
            return Ok(Extent::default());
        };
        let oldest = parse(oldest.0.value().1, oldest.1.value())?;
        let newest = match blobs.next_back().transpose()? {
            Some(newest) => parse(newest.0.value().1, newest.1.value())?,
            None => oldest.clone(),
        };
        Ok(Extent {
            oldest: Some(Oldest::from(&oldest)),
            end: newest.end,
            last_append_ns: Some(newest.append_time_ns),
            total_bytes: newest.total_bytes,
        })
    };
    (0..partitions).map(extent).collect()
}

fn parse(last: Offset, value: &[u8]) -> Result<Blob, Malformed> {
    Blob::parse(last, Bytes::copy_from_slice(value))
}

/// Runs something over the store, taking a panic for a corrupt file.
pub(super) fn guarded<T>(action: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure::Panic(
            text.unwrap_or("the store panicked").to_owned(),
        ))
    })
}

/// The error that names the file.
pub(super) fn storage(path: &Path, failure: &Failure) -> LogError {
    let (path, reason) = (path.display().to_string(), failure.to_string());
    match failure.is_full() {
        true => LogError::Full { path, reason },
        false => LogError::Storage { path, reason },
    }
}

/// Makes a new name in a folder durable.
pub(super) fn sync_folder(path: &Path) {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    // Not every system can sync a folder; where it cannot, there is nothing else to do.
    let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
}
