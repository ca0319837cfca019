//! The configuration of the connection to TimescaleDB.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::database_error::DatabaseError;

/// The address of a TimescaleDB server, with limits and timeouts. `Debug` shows no password.
#[derive(Clone)]
pub struct TimescaleConfig {
    /// `postgres://user@host:port/database`; `?sslmode=verify-full` requires TLS.
    pub url: String,
    /// A file that contains the password. It is read for every connection, so the password may be
    /// rotated.
    pub password_file: Option<PathBuf>,
    /// A PEM file with the certificate of the authority that signed the server's. If it is set, TLS
    /// is verified in full unless the URL says otherwise.
    pub root_cert: Option<PathBuf>,
    /// The greatest number of connections that read, and of those that write.
    pub max_connections: usize,
    /// The greatest number of snapshots at a time, each on a connection of its own.
    pub max_snapshots: usize,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// How long a statement may wait for another transaction. It is longer than `idle_timeout`, so
    /// that the transaction of a frozen process ends before the one that waits for it, and shorter
    /// than the usual limit of a call, so that the server names the lock.
    pub lock_timeout: Duration,
    /// How long a transaction that writes may be idle before the server ends it.
    pub idle_timeout: Duration,
    /// How long a snapshot may be idle. On PostgreSQL 17 also how long it may last in total.
    pub snapshot_timeout: Duration,
    /// How much longer than requested a hypertable keeps closed bars, so that they can be dropped
    /// with their chunk: more than the length of a chunk plus the lateness of its bars.
    pub chunk_slack: Duration,
    /// How many chunks one statement reads and one commit writes at most; at least 1. Each lock of
    /// a chunk or of its index takes a place in a table that all sessions of the server share.
    pub max_chunks: u32,
}

impl TimescaleConfig {
    /// Returns the configuration for a URL, with the default limits and timeouts.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password_file: None,
            root_cert: None,
            max_connections: 8,
            max_snapshots: 2,
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(7),
            idle_timeout: Duration::from_secs(5),
            snapshot_timeout: Duration::from_secs(600),
            chunk_slack: Duration::from_hours(9 * 24),
            max_chunks: 64,
        }
    }

    /// Returns how many chunks one statement reads and one commit writes at most.
    pub(super) const fn max_chunks(&self) -> u32 {
        match self.max_chunks {
            0 => 1,
            max_chunks => max_chunks,
        }
    }

    /// Returns the label that errors name the database by: its address, and nothing secret.
    pub(super) fn label(&self) -> String {
        match PgConnectOptions::from_str(&self.url) {
            Ok(options) => format!(
                "bars in {} at {}:{}",
                options.get_database().unwrap_or(options.get_username()),
                options.get_host(),
                options.get_port()
            ),
            Err(_) => "bars".to_owned(),
        }
    }

    /// Returns the options of a new connection, with the current password.
    pub(super) fn connect_options(&self) -> Result<PgConnectOptions, DatabaseError> {
        // An error of sqlx may contain a part of the URL, and so of a password.
        let options = PgConnectOptions::from_str(&self.url).map_err(|_| {
            DatabaseError::Unavailable(
                "the URL of TimescaleDB is not of the form postgres://user@host:port/database"
                    .to_owned(),
            )
        })?;
        let mut options = options
            .application_name("candlewick")
            .options([
                (
                    "statement_timeout",
                    milliseconds_text(self.statement_timeout),
                ),
                ("lock_timeout", milliseconds_text(self.lock_timeout)),
                (
                    "idle_in_transaction_session_timeout",
                    milliseconds_text(self.idle_timeout),
                ),
                // The server notices within a second that its client is gone, even during a
                // statement.
                ("client_connection_check_interval", "1000".to_owned()),
            ])
            .options([
                // A plan for the actual times leaves out the chunks that do not contain them.
                ("plan_cache_mode", "force_custom_plan"),
                ("jit", "off"),
                ("client_min_messages", "warning"),
                // With the default limit, correcting many compressed bars would never succeed.
                (
                    "timescaledb.max_tuples_decompressed_per_dml_transaction",
                    "0",
                ),
            ])
            .disable_statement_logging();
        if let Some(path) = &self.root_cert {
            // If the file is missing, sqlx's error does not name it.
            std::fs::File::open(path).map_err(|error| {
                DatabaseError::Unavailable(format!(
                    "the certificates in {}: {error}",
                    path.display()
                ))
            })?;
            options = options.ssl_root_cert(path);
            if matches!(options.get_ssl_mode(), PgSslMode::Prefer) {
                options = options.ssl_mode(PgSslMode::VerifyFull);
            }
        }
        if let Some(path) = &self.password_file {
            let password = std::fs::read_to_string(path).map_err(|error| {
                DatabaseError::Unavailable(format!("the password in {}: {error}", path.display()))
            })?;
            options = options.password(password.trim_end_matches(['\r', '\n']));
        }
        Ok(options)
    }
}

/// Formats a duration as the settings of PostgreSQL accept it.
pub(super) fn milliseconds_text(duration: Duration) -> String {
    // Zero would mean no limit.
    duration.as_millis().max(1).to_string()
}

impl fmt::Debug for TimescaleConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TimescaleConfig")
            .field("database", &self.label())
            .field("password_file", &self.password_file)
            .field("root_cert", &self.root_cert)
            .field("max_connections", &self.max_connections)
            .field("max_snapshots", &self.max_snapshots)
            .field("statement_timeout", &self.statement_timeout)
            .field("lock_timeout", &self.lock_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("snapshot_timeout", &self.snapshot_timeout)
            .field("chunk_slack", &self.chunk_slack)
            .field("max_chunks", &self.max_chunks)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for url in [
            "postgres://me:hidden@host:5433/bars",
            "postgres://me:hidden@host:port/bars",
            "postgres://me:hidden@host/bars?sslmode=hidden",
        ] {
            let config = TimescaleConfig::new(url);
            let mut shown = format!("{config:?} {}", config.label());
            if let Err(error) = config.connect_options() {
                shown += &error.into_store_error(&config.label()).to_string();
            }
            assert!(!shown.contains("hidden"), "{shown}");
        }
        let config = TimescaleConfig::new("postgres://me:hidden@host:5433/bars");
        assert_eq!(config.label(), "bars in bars at host:5433");
    }

    #[test]
    fn the_password_file_is_read_for_each_connection() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let mut config = TimescaleConfig::new("postgres://me@host/bars");
        config.password_file = Some(path.clone());
        let error = config
            .connect_options()
            .unwrap_err()
            .into_store_error("bars");
        assert!(error.is_transient() && error.to_string().contains("password"));
        for password in ["first", "second"] {
            std::fs::write(&path, format!("{password}\n")).unwrap();
            let shown = format!("{:?}", config.connect_options().unwrap());
            assert!(shown.contains(&format!("{password:?}")), "{shown}");
        }
    }

    #[test]
    fn a_root_certificate_asks_for_verified_tls() {
        let mut config = TimescaleConfig::new("postgres://me@host/bars");
        let mode = |config: &TimescaleConfig| config.connect_options().unwrap().get_ssl_mode();
        assert!(matches!(mode(&config), PgSslMode::Prefer));
        // Its content is read only when a connection is opened.
        let file = tempfile::NamedTempFile::new().unwrap();
        config.root_cert = Some(file.path().to_owned());
        assert!(matches!(mode(&config), PgSslMode::VerifyFull));
        config.url += "?sslmode=verify-ca";
        assert!(matches!(mode(&config), PgSslMode::VerifyCa));
    }
}
