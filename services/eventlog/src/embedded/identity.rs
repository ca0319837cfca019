//! The identity of a file: its format, the generation of its topic, and its number of partitions.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, TableDefinition, TableError};

use super::database::{DatabaseFailure, catch_panics, create_database, sync_parent_folder};
use crate::error::LogError;
use crate::record::{Epoch, PartitionId};

/// The format that this version reads and writes. The form of the table `meta` never changes.
///
/// Since format 2 each blob has a checksum.
const FORMAT: u64 = 2;

const META: TableDefinition<&str, u128> = TableDefinition::new("meta");

/// What is written into a file when it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    format: u64,
    partitions: PartitionId,
    /// The generation of the topic. It is 1 in a new file.
    pub(super) epoch: Epoch,
    /// A random number that distinguishes this file from every other.
    pub(super) id: u128,
}

impl FileIdentity {
    /// Returns the identity of a new file.
    pub(super) fn new(partitions: PartitionId) -> Self {
        Self {
            format: FORMAT,
            partitions,
            epoch: 1,
            id: random_id(),
        }
    }

    /// Creates the file, completely or not at all.
    ///
    /// It is created under another name and then linked, which fails if another process was
    /// quicker. So a process that is killed in between leaves no incomplete file under this name.
    pub(super) fn create_file(&self, path: &Path) -> Result<(), LogError> {
        let draft = self.draft_path(path);
        let created = catch_panics(|| {
            let database = create_database(&draft)?;
            self.write(&database)
        });
        let linked = created
            .map_err(|failure| failure.to_log_error(path))
            .and_then(|()| link_if_absent(&draft, path));
        // A draft that is left behind takes some space and does no harm.
        let _ = fs::remove_file(&draft);
        sync_parent_folder(path);
        linked
    }

    fn draft_path(&self, path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{:032x}.new", self.id));
        name.into()
    }

    fn write(&self, database: &Database) -> Result<(), DatabaseFailure> {
        let transaction = database.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert("format", u128::from(self.format))?;
            meta.insert("partitions", u128::from(self.partitions))?;
            meta.insert("epoch", u128::from(self.epoch))?;
            meta.insert("id", self.id)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Reads the identity of a file.
    pub(super) fn read(database: &Database, path: &Path) -> Result<Self, LogError> {
        let not_a_log = || DatabaseFailure::NotALog.to_log_error(path);
        let read_field = |name| {
            catch_panics(|| match database.begin_read()?.open_table(META) {
                Ok(meta) => Ok(meta.get(name)?.map(|value| value.value())),
                Err(TableError::TableDoesNotExist(_)) => Ok(None),
                Err(error) => Err(error.into()),
            })
            .map_err(|failure| failure.to_log_error(path))?
            .ok_or_else(not_a_log)
        };
        let read_u64 = |name| u64::try_from(read_field(name)?).map_err(|_| not_a_log());
        let format = read_u64("format")?;
        if format > FORMAT {
            return Err(LogError::Newer {
                path: path.display().to_string(),
                found: format,
                known: FORMAT,
            });
        }
        if format < FORMAT {
            return Err(LogError::Older {
                path: path.display().to_string(),
                found: format,
                known: FORMAT,
            });
        }
        Ok(Self {
            format,
            partitions: PartitionId::try_from(read_u64("partitions")?).map_err(|_| not_a_log())?,
            epoch: read_u64("epoch")?,
            id: read_field("id")?,
        })
    }

    /// Returns an error if the file's number of partitions is not `wanted`.
    pub(super) fn check_partition_count(
        &self,
        path: &Path,
        wanted: PartitionId,
    ) -> Result<(), LogError> {
        if self.partitions == wanted {
            return Ok(());
        }
        Err(LogError::Partitions {
            path: path.display().to_string(),
            found: self.partitions,
            wanted,
        })
    }
}

/// Gives the draft the name `path`, unless another process has created a file there meanwhile.
fn link_if_absent(draft: &Path, path: &Path) -> Result<(), LogError> {
    match fs::hard_link(draft, path) {
        Err(_) if path.exists() => Ok(()),
        // The file system has no links. Another process is unlikely to create the same file now.
        Err(_) => fs::rename(draft, path).map_err(|error| LogError::Storage {
            path: path.display().to_string(),
            reason: error.to_string(),
        }),
        Ok(()) => Ok(()),
    }
}

/// Returns 128 random bits: the standard library seeds its hashers from the operating system.
fn random_id() -> u128 {
    let half = || u128::from(RandomState::new().hash_one("candlewick"));
    (half() << 64) | half()
}
