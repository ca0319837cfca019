//! Who a file is: its format, its topic's generation, and how many partitions it has.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, TableDefinition, TableError};

use super::file::{Failure, create_database, guarded, storage, sync_folder};
use crate::{Epoch, LogError, PartitionId};

/// The newest format that this version writes and reads. This table's own form never changes.
const FORMAT: u64 = 1;

const META: TableDefinition<&str, u128> = TableDefinition::new("meta");

/// What is written into a file when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    format: u64,
    partitions: PartitionId,
    /// The topic's generation, which a new file starts at 1.
    pub(super) epoch: Epoch,
    /// Random, so that no two files are taken for each other.
    pub(super) id: u128,
}

impl Identity {
    /// A new file's.
    pub(super) fn new(partitions: PartitionId) -> Self {
        Self {
            format: FORMAT,
            partitions,
            epoch: 1,
            id: random_id(),
        }
    }

    /// Makes the file, whole or not at all.
    ///
    /// It is made under another name and then linked, which fails where another process was
    /// quicker; so a process killed in between leaves no half of a file under this name.
    pub(super) fn create_file(&self, path: &Path) -> Result<(), LogError> {
        let draft = self.draft_path(path);
        let made = guarded(|| {
            let database = create_database(&draft)?;
            self.write(&database)
        });
        let linked = made
            .map_err(|failure| storage(path, &failure))
            .and_then(|()| link(&draft, path));
        // A draft left behind takes some space and does no harm.
        let _ = fs::remove_file(&draft);
        sync_folder(path);
        linked
    }

    fn draft_path(&self, path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{:032x}.new", self.id));
        name.into()
    }

    fn write(&self, database: &Database) -> Result<(), Failure> {
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

    /// Reads it from a file.
    pub(super) fn read(database: &Database, path: &Path) -> Result<Self, LogError> {
        let alien = || LogError::Storage {
            path: path.display().to_string(),
            reason: "it is not a log of candlewick".to_owned(),
        };
        let field = |name| {
            guarded(|| match database.begin_read()?.open_table(META) {
                Ok(meta) => Ok(meta.get(name)?.map(|value| value.value())),
                Err(TableError::TableDoesNotExist(_)) => Ok(None),
                Err(error) => Err(error.into()),
            })
            .map_err(|failure| storage(path, &failure))?
            .ok_or_else(alien)
        };
        let small = |name| u64::try_from(field(name)?).map_err(|_| alien());
        let format = small("format")?;
        if format > FORMAT {
            return Err(LogError::Newer {
                path: path.display().to_string(),
                found: format,
                known: FORMAT,
            });
        }
        Ok(Self {
            format,
            partitions: PartitionId::try_from(small("partitions")?).map_err(|_| alien())?,
            epoch: small("epoch")?,
            id: field("id")?,
        })
    }

    /// Refuses a file with another number of partitions.
    pub(super) fn check(&self, path: &Path, wanted: PartitionId) -> Result<(), LogError> {
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

fn link(draft: &Path, path: &Path) -> Result<(), LogError> {
    match fs::hard_link(draft, path) {
        Err(_) if path.exists() => Ok(()),
        // A file system without links: nobody else is likely to make the same file just now.
        Err(_) => fs::rename(draft, path).map_err(|error| LogError::Storage {
            path: path.display().to_string(),
            reason: error.to_string(),
        }),
        Ok(()) => Ok(()),
    }
}

/// 128 random bits: std seeds its hashers from the system's randomness.
fn random_id() -> u128 {
    let half = || u128::from(RandomState::new().hash_one("candlewick"));
    (half() << 64) | half()
}
