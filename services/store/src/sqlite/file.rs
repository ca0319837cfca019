//! A database file: how it is opened, and what its errors are called.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use super::database_error::DatabaseError;
use super::schema::Schema;
use crate::StoreError;
use crate::metrics::Metrics;

/// How long a statement waits for another process's lock, such as that of a checkpoint.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// At how many pages SQLite moves its write-ahead log into the file. Its own choice is 1,000, a
/// transaction or two of ours; the more are moved at once, the more of them are the same page.
const CHECKPOINT_PAGES: &str = "8192";

/// What differs between the databases.
pub(super) struct DatabaseKind {
    /// `bars` or `ticks`, as in metrics.
    pub(super) name: &'static str,
    /// The tables.
    pub(super) schema: Schema,
    /// The size of a page, in bytes.
    pub(super) page_size: u32,
    /// How many rows wait between SQLite's thread and a reader.
    pub(super) row_buffer: usize,
}

/// One database file.
pub(super) struct DatabaseFile {
    kind: &'static DatabaseKind,
    path: PathBuf,
    is_read_only: bool,
    metrics: Metrics,
}

impl DatabaseFile {
    /// Opens the file, or makes it, and brings its tables up to date.
    pub(super) async fn open(kind: &'static DatabaseKind, path: &Path) -> Result<Self, StoreError> {
        let file = Self::new(kind, path, false);
        let options = file.writing_options().create_if_missing(true);
        file.store_result(kind.schema.migrate(&options).await)?;
        Ok(file)
    }

    /// Opens a file that is there, beside the process that writes to it or without one.
    pub(super) async fn open_read_only(
        kind: &'static DatabaseKind,
        path: &Path,
    ) -> Result<Self, StoreError> {
        let file = Self::new(kind, path, true);
        file.store_result(kind.schema.verify(&file.reading_options()).await)?;
        Ok(file)
    }

    fn new(kind: &'static DatabaseKind, path: &Path, is_read_only: bool) -> Self {
        Self {
            kind,
            path: path.to_owned(),
            is_read_only,
            metrics: Metrics::new(kind.name),
        }
    }

    /// A connection that writes.
    pub(super) async fn connect_writer(&self) -> Result<SqliteConnection, DatabaseError> {
        if self.is_read_only {
            return Err(DatabaseError::Unavailable(
                "opened for reading only".to_owned(),
            ));
        }
        Ok(self.writing_options().connect().await?)
    }

    /// A connection that reads.
    pub(super) async fn connect_reader(&self) -> Result<SqliteConnection, DatabaseError> {
        Ok(self.reading_options().connect().await?)
    }

    /// Names the file in an error, and counts the error.
    pub(super) fn store_result<T>(
        &self,
        result: Result<T, DatabaseError>,
    ) -> Result<T, StoreError> {
        result.map_err(|failure| {
            self.metrics.errors.increment(1);
            failure.into_store_error(&self.name())
        })
    }

    /// What it is called in errors.
    pub(super) fn name(&self) -> String {
        format!("{} in {}", self.kind.name, self.path.display())
    }

    /// What is counted.
    pub(super) const fn metrics(&self) -> &Metrics {
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
