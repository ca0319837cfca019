//! The redb database of a topic: opening it, creating it, and its errors.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{Database, DatabaseError, TableDefinition};

use super::blob::DamagedBlob;
use super::disk::{SyncFailureState, SyncFailureTrackingFile};
use crate::error::LogError;
use crate::record::{Offset, PartitionId};

/// The blobs, by partition and the offset of their last record.
pub(super) const BLOBS: TableDefinition<(PartitionId, Offset), &[u8]> =
    TableDefinition::new("blobs");

/// How many bytes of pages redb keeps in memory. The newest blobs are kept in memory apart from
/// the database, so these pages are mostly those of its trees.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// Why the database could not carry out an operation.
#[derive(Debug, thiserror::Error)]
pub(super) enum DatabaseFailure {
    /// redb returned this error.
    #[error(transparent)]
    Redb(Box<redb::Error>),
    /// Blobs of the database are not what was written.
    #[error(transparent)]
    Blob(#[from] DamagedBlob),
    /// The file has no bytes.
    #[error("the file is empty (0 bytes)")]
    Empty,
    /// The file is a database of another program, or not the whole of one of this program.
    #[error("it is not a log of candlewick")]
    NotALog,
    /// redb panicked, which it may do if another program has written to the file.
    #[error("the file is corrupt: {0}")]
    Panic(String),
    /// See [`SyncFailureState`].
    #[error("an earlier sync failed, so what is on the disk is not known; restart the process")]
    SyncFailed,
    /// The file could not be reopened after a failure.
    #[error("the file is not open")]
    NotOpen,
}

impl DatabaseFailure {
    /// Returns whether the disk is full, or the quota of this user is used up.
    fn is_full(&self) -> bool {
        let Self::Redb(error) = self else {
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

    /// Returns whether the file is not what was written, which no retry can correct.
    fn is_damage(&self) -> bool {
        match self {
            Self::Blob(_) | Self::Empty | Self::NotALog | Self::Panic(_) => true,
            Self::Redb(error) => match &**error {
                redb::Error::Corrupted(_) => true,
                redb::Error::Io(error) => matches!(
                    error.kind(),
                    ErrorKind::InvalidData | ErrorKind::UnexpectedEof
                ),
                _ => false,
            },
            Self::SyncFailed | Self::NotOpen => false,
        }
    }

    /// Returns the error of the log for a failure of the file at `path`.
    pub(super) fn to_log_error(&self, path: &Path) -> LogError {
        let (path, reason) = (path.display().to_string(), self.to_string());
        match (self.is_full(), self.is_damage()) {
            (true, _) => LogError::Full { path, reason },
            (false, true) => LogError::Damaged { path, reason },
            (false, false) => LogError::Storage { path, reason },
        }
    }
}

impl<E: Into<redb::Error>> From<E> for DatabaseFailure {
    fn from(error: E) -> Self {
        Self::Redb(Box::new(error.into()))
    }
}

/// Opens an existing file.
pub(super) fn open_database(path: &Path, disk: &SyncFailureState) -> Result<Database, LogError> {
    let open = || {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(DatabaseError::from)?;
        if file.metadata().map_err(DatabaseError::from)?.len() == 0 {
            return Err(DatabaseFailure::Empty);
        }
        let disk_file = SyncFailureTrackingFile::new(file, disk.clone())?;
        Ok(database_builder().create_with_backend(disk_file)?)
    };
    catch_panics(open).map_err(|failure| match failure {
        DatabaseFailure::Redb(error) if matches!(*error, redb::Error::DatabaseAlreadyOpen) => {
            LogError::Locked {
                path: path.display().to_string(),
            }
        }
        failure => failure.to_log_error(path),
    })
}

/// Creates a new file with an empty database.
pub(super) fn create_database(path: &Path) -> Result<Database, DatabaseFailure> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).open(path);
    let disk_file = SyncFailureTrackingFile::new(
        file.map_err(DatabaseError::from)?,
        SyncFailureState::default(),
    )?;
    let database = database_builder().create_with_backend(disk_file)?;
    let transaction = database.begin_write()?;
    transaction.open_table(BLOBS)?;
    transaction.commit()?;
    Ok(database)
}

fn database_builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Runs an operation on the database, and turns a panic into an error: the file is corrupt.
pub(super) fn catch_panics<T>(
    operation: impl FnOnce() -> Result<T, DatabaseFailure>,
) -> Result<T, DatabaseFailure> {
    catch_unwind(AssertUnwindSafe(operation)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(DatabaseFailure::Panic(
            text.unwrap_or("the database panicked").to_owned(),
        ))
    })
}

/// Makes a new name in the folder of `path` durable.
pub(super) fn sync_parent_folder(path: &Path) {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    // Not every system can sync a folder, and there is no other way where it cannot.
    let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
}
