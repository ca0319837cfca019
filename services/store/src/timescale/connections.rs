//! The connections to the server.
//!
//! They are plain ones, not sqlx's pool: a connection is used again only after its last user
//! has said that all went well. Whoever is cancelled or fails, at any point, drops it; the
//! server then ends its transaction, and no state of it can reach the next user.

use std::sync::{Arc, Mutex};

use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config::TimescaleConfig;
use super::failure::Failure;
use crate::StoreError;
use crate::metrics::Metrics;

/// The server, and what it is called in errors.
pub(super) struct Server {
    config: TimescaleConfig,
    label: String,
    metrics: Metrics,
}

impl Server {
    pub(super) fn new(config: TimescaleConfig) -> Self {
        Self {
            label: config.label(),
            config,
            metrics: Metrics::new("bars"),
        }
    }

    pub(super) const fn config(&self) -> &TimescaleConfig {
        &self.config
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<PgConnection, Failure> {
        Ok(self.config.options()?.connect().await?)
    }

    /// Names the database in an error, and counts the error.
    pub(super) fn check<T>(&self, result: Result<T, Failure>) -> Result<T, StoreError> {
        result.map_err(|failure| {
            self.metrics.errors.increment(1);
            failure.at(&self.label)
        })
    }
}

/// A connection, and what is known of its session.
pub(super) struct Connection {
    pub(super) session: PgConnection,
    /// Whether the table that bars are staged in was made.
    pub(super) has_staging: bool,
}

/// At most so many connections, opened when they are needed.
pub(super) struct Connections {
    server: Arc<Server>,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Connections {
    pub(super) fn new(server: Arc<Server>, count: usize) -> Self {
        Self {
            server,
            permits: Arc::new(Semaphore::new(count.max(1))),
            idle: Mutex::default(),
        }
    }

    pub(super) const fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Waits for a connection.
    pub(super) async fn lend(self: &Arc<Self>) -> Result<Loan, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.expect("it is never closed");
        let idle = self.idle.lock().expect("no holder panics").pop();
        let connection = match idle {
            Some(connection) => connection,
            None => Connection {
                session: self.server.check(self.server.connect().await)?,
                has_staging: false,
            },
        };
        Ok(Loan {
            home: Arc::clone(self),
            connection,
            _permit: permit,
        })
    }
}

/// A connection on loan. Dropped, it is closed.
pub(super) struct Loan {
    home: Arc<Connections>,
    pub(super) connection: Connection,
    _permit: OwnedSemaphorePermit,
}

impl Loan {
    /// The session, for statements.
    pub(super) const fn session(&mut self) -> &mut PgConnection {
        &mut self.connection.session
    }

    /// Gives the connection back after all went well; otherwise closes it, and names the
    /// database in the error.
    pub(super) fn end<T>(self, result: Result<T, Failure>) -> Result<T, StoreError> {
        let Self {
            home, connection, ..
        } = self;
        let mut idle = home.idle.lock().expect("no holder panics");
        match &result {
            Ok(_) => idle.push(connection),
            Err(failure) if failure.is_lost_connection() => idle.clear(),
            Err(_) => {}
        }
        drop(idle);
        home.server.check(result)
    }
}
