//! How a TimescaleDB is reached.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::failure::Failure;

/// How a TimescaleDB is reached, and how long it may take. `Debug` shows no password.
#[derive(Clone)]
pub struct TimescaleConfig {
    /// `postgres://user@host:port/database`; `?sslmode=verify-full` asks for TLS.
    pub url: String,
    /// A file that holds the password; it is read for every connection, so it may be rotated.
    pub password_file: Option<PathBuf>,
    /// The certificate, in PEM, of who signed the server's. With it, TLS is verified in full
    /// unless the URL says otherwise.
    pub root_cert: Option<PathBuf>,
    /// At most so many connections that read, and as many that write.
    pub max_connections: usize,
    /// At most so many snapshots at once, each on a connection of its own.
    pub max_snapshots: usize,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// How long a statement may wait for another transaction; longer than `idle_timeout`, so
    /// that a transaction whose process is frozen ends before the one that waits for it.
    pub lock_timeout: Duration,
    /// How long a transaction that writes may do nothing before the server ends it.
    pub idle_timeout: Duration,
    /// How long a snapshot may do nothing, and on PostgreSQL 17 how long it may last in all.
    pub snapshot_timeout: Duration,
    /// How much longer than asked for closed bars are kept in a hypertable, so that they go
    /// with their chunk: more than its length and the lateness of what it holds.
    pub chunk_slack: Duration,
}

impl TimescaleConfig {
    /// A database by its URL, the rest as is usual.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password_file: None,
            root_cert: None,
            max_connections: 8,
            max_snapshots: 2,
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(5),
            snapshot_timeout: Duration::from_secs(600),
            chunk_slack: Duration::from_hours(9 * 24),
        }
    }

    /// What it is called in errors: where it is, and nothing secret.
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

    /// The options of a connection, with the password as it is now.
    pub(super) fn options(&self) -> Result<PgConnectOptions, Failure> {
        // What sqlx says of a URL may hold a part of it, and so of a password.
        let options = PgConnectOptions::from_str(&self.url).map_err(|_| {
            Failure::Unavailable(
                "the URL of TimescaleDB is not of the form postgres://user@host:port/database"
                    .to_owned(),
            )
        })?;
        let mut options = options
            .application_name("candlewick")
            .options([
                ("statement_timeout", millis(self.statement_timeout)),
                ("lock_timeout", millis(self.lock_timeout)),
                (
                    "idle_in_transaction_session_timeout",
                    millis(self.idle_timeout),
                ),
                // A server sees within a second that its client is gone, even in a statement.
                ("client_connection_check_interval", "1000".to_owned()),
            ])
            .options([
                // A plan that knows the times leaves out the chunks that do not hold them.
                ("plan_cache_mode", "force_custom_plan"),
                ("jit", "off"),
                ("client_min_messages", "warning"),
                // By default a correction of many compressed bars would fail, for ever.
                (
                    "timescaledb.max_tuples_decompressed_per_dml_transaction",
                    "0",
                ),
            ])
            .disable_statement_logging();
        if let Some(path) = &self.root_cert {
            // Where it is missing, sqlx says so without its name.
            std::fs::File::open(path).map_err(|error| {
                Failure::Unavailable(format!("the certificates in {}: {error}", path.display()))
            })?;
            options = options.ssl_root_cert(path);
            if matches!(options.get_ssl_mode(), PgSslMode::Prefer) {
                options = options.ssl_mode(PgSslMode::VerifyFull);
            }
        }
        if let Some(path) = &self.password_file {
            let password = std::fs::read_to_string(path).map_err(|error| {
                Failure::Unavailable(format!("the password in {}: {error}", path.display()))
            })?;
            options = options.password(password.trim_end_matches(['\r', '\n']));
        }
        Ok(options)
    }
}

/// A duration as PostgreSQL's settings take it.
pub(super) fn millis(duration: Duration) -> String {
    // 0 would mean no limit.
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
            if let Err(failure) = config.options() {
                shown += &failure.at(&config.label()).to_string();
            }
            assert!(!shown.contains("hidden"), "{shown}");
        }
        let config = TimescaleConfig::new("postgres://me:hidden@host:5433/bars");
        assert_eq!(config.label(), "bars in bars at host:5433");
    }

    #[test]
    fn a_password_is_read_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let mut config = TimescaleConfig::new("postgres://me@host/bars");
        config.password_file = Some(path.clone());
        let error = config.options().unwrap_err().at("bars");
        assert!(error.is_transient() && error.to_string().contains("password"));
        for password in ["first", "second"] {
            std::fs::write(&path, format!("{password}\n")).unwrap();
            let shown = format!("{:?}", config.options().unwrap());
            assert!(shown.contains(&format!("{password:?}")), "{shown}");
        }
    }

    #[test]
    fn a_root_certificate_asks_for_verified_tls() {
        let mut config = TimescaleConfig::new("postgres://me@host/bars");
        let mode = |config: &TimescaleConfig| config.options().unwrap().get_ssl_mode();
        assert!(matches!(mode(&config), PgSslMode::Prefer));
        // It is read when a connection is made.
        let file = tempfile::NamedTempFile::new().unwrap();
        config.root_cert = Some(file.path().to_owned());
        assert!(matches!(mode(&config), PgSslMode::VerifyFull));
        config.url += "?sslmode=verify-ca";
        assert!(matches!(mode(&config), PgSslMode::VerifyCa));
    }
}
