//! The connections to the server.
//!
//! They are not in sqlx's pool: a connection is reused only after its last user has reported
//! success. A user that fails or is cancelled, at any point, drops its connection. The server then
//! rolls back its transaction, and no state of the session can reach the next user.

use std::sync::{Arc, Mutex};

use sqlx::{ConnectOptions, PgConnection, query};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config::TimescaleConfig;
use super::database_error::DatabaseError;
use crate::StoreError;
use crate::metrics::StoreMetrics;

/// The database server, with the label that errors name it by.
pub(super) struct TimescaleServer {
    config: TimescaleConfig,
    label: String,
    metrics: StoreMetrics,
}

impl TimescaleServer {
    pub(super) fn new(config: TimescaleConfig) -> Self {
        Self {
            label: config.label(),
            config,
            metrics: StoreMetrics::register_metrics("bars"),
        }
    }

    pub(super) const fn config(&self) -> &TimescaleConfig {
        &self.config
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) const fn metrics(&self) -> &StoreMetrics {
        &self.metrics
    }

    /// Opens a new connection.
    pub(super) async fn connect(&self) -> Result<PgConnection, DatabaseError> {
        Ok(self.config.connect_options()?.connect().await?)
    }

    /// Converts an error into one that names the database, and counts it.
    pub(super) fn convert_and_count_error<T>(
        &self,
        result: Result<T, DatabaseError>,
    ) -> Result<T, StoreError> {
        result.map_err(|error| {
            self.metrics.errors.increment(1);
            error.into_store_error(&self.label)
        })
    }
}

/// A connection, and the state of its session.
pub(super) struct TimescaleConnection {
    pub(super) session: PgConnection,
    /// Whether the temporary table for staged bars exists.
    pub(super) has_staging_table: bool,
}

/// A bounded number of connections, opened when they are needed.
pub(super) struct ConnectionPool {
    server: Arc<TimescaleServer>,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<TimescaleConnection>>,
}

impl ConnectionPool {
    pub(super) fn new(server: Arc<TimescaleServer>, max_connections: usize) -> Self {
        Self {
            server,
            permits: Arc::new(Semaphore::new(max_connections.max(1))),
            idle: Mutex::default(),
        }
    }

    pub(super) const fn server(&self) -> &Arc<TimescaleServer> {
        &self.server
    }

    /// Waits until a connection is free, and opens one if none is idle.
    pub(super) async fn acquire(self: &Arc<Self>) -> Result<CloseOnDropConnection, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let idle = self.idle.lock().expect("no holder panics").pop();
        let connection = match idle {
            Some(connection) => connection,
            None => TimescaleConnection {
                session: self
                    .server
                    .convert_and_count_error(self.server.connect().await)?,
                has_staging_table: false,
            },
        };
        Ok(CloseOnDropConnection {
            pool: Arc::clone(self),
            connection,
            _permit: permit,
        })
    }
}

/// How a transaction without an error ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum TransactionEnding {
    Commit,
    /// What it wrote is undone, because another owner of the partition has written before it.
    Rollback,
}

/// A connection in use. Dropping it closes the connection.
pub(super) struct CloseOnDropConnection {
    pool: Arc<ConnectionPool>,
    pub(super) connection: TimescaleConnection,
    _permit: OwnedSemaphorePermit,
}

impl CloseOnDropConnection {
    /// Returns the session, to run statements.
    pub(super) const fn session(&mut self) -> &mut PgConnection {
        &mut self.connection.session
    }

    /// Converts an error into one that names the database, and counts it.
    pub(super) fn convert_and_count_error<T>(
        &self,
        result: Result<T, DatabaseError>,
    ) -> Result<T, StoreError> {
        self.pool.server.convert_and_count_error(result)
    }

    /// Begins a transaction. Dropping the connection rolls it back.
    pub(super) async fn begin(mut self) -> Result<Self, StoreError> {
        match query("BEGIN").execute(self.session()).await {
            Ok(_) => Ok(self),
            Err(error) => self.return_to_pool_if_ok(Err(error.into())),
        }
    }

    /// Ends a transaction as `ending` says if `outcome` is a success, and rolls it back otherwise.
    /// Releases the connection.
    pub(super) async fn end_transaction<T>(
        mut self,
        outcome: Result<T, DatabaseError>,
        ending: TransactionEnding,
    ) -> Result<T, StoreError> {
        let sql = match ending {
            TransactionEnding::Commit => "COMMIT",
            TransactionEnding::Rollback => "ROLLBACK",
        };
        let outcome = match outcome {
            Ok(value) => query(sql)
                .execute(self.session())
                .await
                .map(|_| value)
                .map_err(DatabaseError::from),
            Err(error) => Err(error),
        };
        self.return_to_pool_if_ok(outcome)
    }

    /// Returns the connection to the pool if `result` is a success, and closes it otherwise. An
    /// error is converted into one that names the database.
    ///
    /// If the error suggests that the server has ended its connections, idle ones are closed too.
    pub(super) fn return_to_pool_if_ok<T>(
        self,
        result: Result<T, DatabaseError>,
    ) -> Result<T, StoreError> {
        let Self {
            pool, connection, ..
        } = self;
        let mut idle = pool.idle.lock().expect("no holder panics");
        match &result {
            Ok(_) => idle.push(connection),
            Err(error) if error.is_lost_connection() => idle.clear(),
            Err(_) => {}
        }
        drop(idle);
        pool.server.convert_and_count_error(result)
    }
}
