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
    pub async fn open<C: Clock>(
        path: &Path,
        options: DataFolderOptions,
        clock: C,
    ) -> Result<Self, DataFolderError> {
        let (trades, dead_letters) = Self::open_logs(path, options, clock)?;
        let bars = SqliteBarStore::open(path.join(BARS_FILE)).await?;
        bars.bind_log(&trades.id(), trades.partitions()).await?;
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
    /// As for [`DataFolder::open`].
    pub fn open_logs<C: Clock>(
        path: &Path,
        options: DataFolderOptions,
        clock: C,
    ) -> Result<(EmbeddedLog, EmbeddedLog), DataFolderError> {
        std::fs::create_dir_all(path).map_err(|source| DataFolderError::Unusable {
            path: path.to_owned(),
            source,
        })?;
        let open = |file: &str, topic: &str, partitions: u32, clock: C| {
            let options = EmbeddedOptions {
                topic: topic.to_owned(),
                partitions,
                retention: options.retention,
                max_pending_bytes: options.max_pending_bytes,
            };
            EmbeddedLog::open(path.join(file), options, clock)
        };
        let open_trades = |partitions| {
            let clock = clock.clone();
            open(TRADES_FILE, schemas::TRADES, partitions, clock)
        };
        let trades = match open_trades(options.partitions) {
            Err(LogError::Partitions { found, .. }) => open_trades(found),
            opened => opened,
        }?;
        let partitions = trades.partitions();
        let dead_letters = open(DEAD_LETTERS_FILE, schemas::DEAD_LETTERS, partitions, clock)?;
        Ok((trades, dead_letters))
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
