//! A data folder: the log, the bars and the ticks of one process.

use std::path::{Path, PathBuf};

use clock::Clock;
use eventlog::{EmbeddedLog, EmbeddedOptions, Log, LogError, RetentionLimits};
use store::{SqliteBarStore, SqliteTickStore, StoreError};

// The files of a data folder.
const TRADES_FILE: &str = "trades.redb";
const DEAD_LETTERS_FILE: &str = "dead-letters.redb";
const BARS_FILE: &str = "bars.sqlite";
const TICKS_FILE: &str = "ticks.sqlite";

/// How a data folder is opened.
#[derive(Debug, Clone, Copy)]
pub struct DataFolderOptions {
    /// The number of partitions of a new folder; an existing folder keeps its number.
    pub partitions: u32,
    /// How long, and how much, the log keeps of the records that are folded and archived durably.
    pub retention: RetentionLimits,
    /// The number of bytes that may wait to be written to the log.
    pub max_pending_bytes: usize,
}

impl Default for DataFolderOptions {
    fn default() -> Self {
        Self {
            partitions: 4,
            retention: RetentionLimits {
                max_age_ns: market::DAY_NS,
                max_bytes: 4 << 30,
            },
            max_pending_bytes: 64 << 20,
        }
    }
}

/// Why a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// The folder cannot be created or written.
    #[error("the data folder {path} cannot be used")]
    Unusable {
        /// The path of the folder.
        path: PathBuf,
        /// The error of the file system.
        source: std::io::Error,
    },
    /// The file of its dead letters is not what was written.
    #[error(
        "{path}: {reason}; it holds dead letters alone: restore it from a backup, or move it away, \
         and the process begins a new one"
    )]
    DeadLettersDamaged {
        /// The path of the file.
        path: String,
        /// What is damaged.
        reason: String,
    },
    /// The log in it cannot be opened.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A store in it cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The log, the bars and the ticks of one process, open.
#[derive(Clone)]
pub struct DataFolder {
    /// The topic `trades`.
    pub trades: EmbeddedLog,
    /// The topic `dead-letters`.
    pub dead_letters: EmbeddedLog,
    /// Bars and the state of the fold.
    pub bars: SqliteBarStore,
    /// Ticks.
    pub ticks: SqliteTickStore,
}

impl DataFolder {
    /// Opens a folder, and creates it if it does not exist. While it is open, no other process can
    /// open it.
    ///
    /// # Errors
    /// [`DataFolderError`], if it is in use, damaged, of a newer version, or cannot be written.
    pub async fn open_or_create<C: Clock>(
        path: &Path,
        options: DataFolderOptions,
        clock: C,
    ) -> Result<Self, DataFolderError> {
        let (trades, dead_letters) = Self::open_or_create_logs(path, options, clock)?;
        let bars = SqliteBarStore::open(path.join(BARS_FILE)).await?;
        bars.bind_log(&trades.id(), trades.partition_count())
            .await?;
        let ticks = SqliteTickStore::open(path.join(TICKS_FILE)).await?;
        ticks.bind_log(&trades.id()).await?;
        Ok(Self {
            trades,
            dead_letters,
            bars,
            ticks,
        })
    }

    /// Returns whether there is a data folder at a path.
    #[must_use]
    pub fn exists(path: &Path) -> bool {
        path.join(TRADES_FILE).is_file()
    }

    /// Opens only the topics `trades` and `dead-letters` of a folder, and creates them if they do
    /// not exist.
    ///
    /// # Errors
    /// As for [`DataFolder::open_or_create`].
    pub fn open_or_create_logs<C: Clock>(
        path: &Path,
        options: DataFolderOptions,
        clock: C,
    ) -> Result<(EmbeddedLog, EmbeddedLog), DataFolderError> {
        std::fs::create_dir_all(path).map_err(|source| DataFolderError::Unusable {
            path: path.to_owned(),
            source,
        })?;
        let trades = Self::open_or_create_trades(path, options, clock.clone())?;
        let options = DataFolderOptions {
            partitions: trades.partition_count(),
            ..options
        };
        let file = path.join(DEAD_LETTERS_FILE);
        let dead_letters = open_topic(&file, schemas::DEAD_LETTERS, options, clock);
        let dead_letters = dead_letters.map_err(|error| match error {
            LogError::Damaged { path, reason } => {
                DataFolderError::DeadLettersDamaged { path, reason }
            }
            error => error.into(),
        })?;
        Ok((trades, dead_letters))
    }

    /// Opens only the topic `trades` of a folder, and creates it if it does not exist. The folder
    /// exists.
    ///
    /// # Errors
    /// [`LogError`], if it is in use, damaged or of another version.
    pub fn open_or_create_trades<C: Clock>(
        path: &Path,
        options: DataFolderOptions,
        clock: C,
    ) -> Result<EmbeddedLog, LogError> {
        let file = path.join(TRADES_FILE);
        match open_topic(&file, schemas::TRADES, options, clock.clone()) {
            Err(LogError::Partitions { found, .. }) => {
                let partitions = found;
                let options = DataFolderOptions {
                    partitions,
                    ..options
                };
                open_topic(&file, schemas::TRADES, options, clock)
            }
            opened => opened,
        }
    }

    /// Opens the stores of a folder for reading. Another process may have the folder open.
    ///
    /// # Errors
    /// [`StoreError`], if there are none or they cannot be read.
    pub async fn open_stores_read_only(
        path: &Path,
    ) -> Result<(SqliteBarStore, SqliteTickStore), StoreError> {
        let bars = SqliteBarStore::open_read_only(path.join(BARS_FILE)).await?;
        let ticks = SqliteTickStore::open_read_only(path.join(TICKS_FILE)).await?;
        Ok((bars, ticks))
    }

    /// Writes everything that was appended to the logs, and releases the folder.
    pub fn close(&self) {
        self.trades.close();
        self.dead_letters.close();
    }
}

fn open_topic<C: Clock>(
    file: &Path,
    topic: &str,
    options: DataFolderOptions,
    clock: C,
) -> Result<EmbeddedLog, LogError> {
    let options = EmbeddedOptions {
        topic: topic.to_owned(),
        partitions: options.partitions,
        retention: options.retention,
        max_pending_bytes: options.max_pending_bytes,
    };
    EmbeddedLog::open(file, options, clock)
}
