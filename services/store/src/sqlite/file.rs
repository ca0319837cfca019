//! A database file: how it is opened, and what its errors are called.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use super::failure::Failure;
use super::schema::Schema;
use crate::StoreError;
use crate::metrics::Metrics;

/// How long a statement waits for another process's lock, such as that of a checkpoint.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// At how many pages SQLite moves its write-ahead log into the file. Its own choice is 1,000, a
/// transaction or two of ours; the more are moved at once, the more of them are the same page.
const CHECKPOINT_PAGES: &str = "8192";

/// What differs between the databases.
pub(super) struct Kind {
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
    kind: &'static Kind,
    path: PathBuf,
    read_only: bool,
    metrics: Metrics,
}

impl DatabaseFile {
    /// Opens the file, or makes it, and brings its tables up to date.
    pub(super) async fn open(kind: &'static Kind, path: &Path) -> Result<Self, StoreError> {
        let file = Self::new(kind, path, false);
        let options = file.options().create_if_missing(true);
        file.check(kind.schema.migrate(&options).await)?;
        Ok(file)
    }

    /// Opens a file that is there, beside the process that writes to it or without one.
    pub(super) async fn open_read_only(
        kind: &'static Kind,
        path: &Path,
    ) -> Result<Self, StoreError> {
        let file = Self::new(kind, path, true);
        file.check(kind.schema.verify(&file.reading_options()).await)?;
        Ok(file)
    }

    fn new(kind: &'static Kind, path: &Path, read_only: bool) -> Self {
        Self {
            kind,
            path: path.to_owned(),
            read_only,
            metrics: Metrics::new(kind.name),
        }
    }

    /// A connection that writes.
    pub(super) async fn connect_writer(&self) -> Result<SqliteConnection, Failure> {
        if self.read_only {
            return Err(Failure::Unavailable("opened for reading only".to_owned()));
        }
        Ok(self.options().connect().await?)
    }

    /// A connection that reads.
    pub(super) async fn connect_reader(&self) -> Result<SqliteConnection, Failure> {
        Ok(self.reading_options().connect().await?)
    }

    /// Names the file in an error, and counts the error.
    pub(super) fn check<T>(&self, result: Result<T, Failure>) -> Result<T, StoreError> {
        result.map_err(|failure| {
            self.metrics.errors.increment(1);
            failure.into_store_error(&self.label())
        })
    }

    /// What it is called in errors.
    pub(super) fn label(&self) -> String {
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

    fn options(&self) -> SqliteConnectOptions {
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
