//! A database file: how it is opened, and how its errors name it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use super::database_error::DatabaseError;
use super::schema::SqliteSchema;
use crate::error::StoreError;
use crate::metrics::StoreMetrics;

/// How long a statement waits for a lock that another process holds, for example during a
/// checkpoint.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The size of the write-ahead log, in pages, at which SQLite copies it into the file. SQLite's
/// default is 1,000, which one or two of our transactions fill. The more pages one checkpoint
/// covers, the more of them are versions of the same page, of which only the last is copied.
const CHECKPOINT_PAGES: &str = "8192";

/// What distinguishes the database of bars from that of ticks.
pub(super) struct DatabaseKind {
    /// `bars` or `ticks`, also in metrics.
    pub(super) name: &'static str,
    /// The tables.
    pub(super) schema: SqliteSchema,
    /// The size of a page, in bytes.
    pub(super) page_size: u32,
    /// The number of rows that are buffered between SQLite's thread and a reader.
    pub(super) row_buffer: usize,
}

/// One database file.
pub(super) struct DatabaseFile {
    kind: &'static DatabaseKind,
    path: PathBuf,
    is_read_only: bool,
    metrics: StoreMetrics,
}

impl DatabaseFile {
    /// Opens the file, or creates it, and creates or upgrades its tables.
    pub(super) async fn open(kind: &'static DatabaseKind, path: &Path) -> Result<Self, StoreError> {
        let file = Self::new(kind, path, false);
        let options = file.writing_options().create_if_missing(true);
        file.convert_and_count_error(kind.schema.migrate(&options).await)?;
        Ok(file)
    }

    /// Opens an existing file for reading, also while another process writes to it.
    pub(super) async fn open_read_only(
        kind: &'static DatabaseKind,
        path: &Path,
    ) -> Result<Self, StoreError> {
        let file = Self::new(kind, path, true);
        file.convert_and_count_error(kind.schema.verify_version(&file.reading_options()).await)?;
        Ok(file)
    }

    fn new(kind: &'static DatabaseKind, path: &Path, is_read_only: bool) -> Self {
        Self {
            kind,
            path: path.to_owned(),
            is_read_only,
            metrics: StoreMetrics::register_metrics(kind.name),
        }
    }

    /// Opens a connection that writes.
    pub(super) async fn connect_writer(&self) -> Result<SqliteConnection, DatabaseError> {
        if self.is_read_only {
            return Err(DatabaseError::Unavailable(
                "opened for reading only".to_owned(),
            ));
        }
        Ok(self.writing_options().connect().await?)
    }

    /// Opens a connection that reads.
    pub(super) async fn connect_reader(&self) -> Result<SqliteConnection, DatabaseError> {
        Ok(self.reading_options().connect().await?)
    }

    /// Converts an error into one that names the file, and counts it.
    pub(super) fn convert_and_count_error<T>(
        &self,
        result: Result<T, DatabaseError>,
    ) -> Result<T, StoreError> {
        result.map_err(|error| {
            self.metrics.errors.increment(1);
            error.into_store_error(&self.label())
        })
    }

    /// Returns what errors call the file: its kind and path.
    pub(super) fn label(&self) -> String {
        format!("{} in {}", self.kind.name, self.path.display())
    }

    /// Returns the metrics of the store.
    pub(super) const fn metrics(&self) -> &StoreMetrics {
        &self.metrics
    }

    fn base_options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(false)
            .row_buffer_size(self.kind.row_buffer)
            .disable_statement_logging()
    }

    fn writing_options(&self) -> SqliteConnectOptions {
        self.base_options()
            .page_size(self.kind.page_size)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .pragma("journal_size_limit", "67108864")
            .pragma("cache_size", "-32768")
    }

    fn reading_options(&self) -> SqliteConnectOptions {
        self.base_options()
            .read_only(true)
            .pragma("cache_size", "-8192")
    }
}
