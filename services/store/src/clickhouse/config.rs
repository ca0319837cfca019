//! The configuration of the connection to ClickHouse.

use std::path::PathBuf;
use std::time::Duration;

use ::clickhouse::{Client, Compression};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::StoreError;
use crate::password::read_password;

/// The address of a ClickHouse server, with its timeouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickHouseConfig {
    /// The address of its HTTP interface: `http://host:8123`, or `https://host:8443`, whose
    /// certificate is checked against the root certificates of the web. It contains neither user
    /// nor password.
    pub url: String,
    /// The name of the user.
    pub user: String,
    /// A file that contains the password; `None` if the user has none.
    pub password_file: Option<PathBuf>,
    /// The database that contains the tables.
    pub database: String,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long sending a piece of an insert may take.
    pub send_timeout: Duration,
    /// How long a response may take, until its last row.
    pub receive_timeout: Duration,
}

impl Default for ClickHouseConfig {
    /// `http://127.0.0.1:8123`, user `default` without a password, database `candlewick`; 3 s
    /// to connect, 10 s to send, 30 s to respond.
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8123".to_owned(),
            user: "default".to_owned(),
            password_file: None,
            database: "candlewick".to_owned(),
            connect_timeout: Duration::from_secs(3),
            send_timeout: Duration::from_secs(10),
            receive_timeout: Duration::from_secs(30),
        }
    }
}

/// How long an idle connection is kept. It is less than the 10 s after which a server closes one
/// (`keep_alive_timeout`).
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

impl ClickHouseConfig {
    /// Returns the label of the store in errors and logs. It contains no secret.
    pub(super) fn label(&self) -> String {
        format!("ClickHouse {} at {}", self.database, self.url)
    }

    /// Returns a client of the server. Nothing is sent yet.
    pub(super) fn build_client(&self) -> Result<Client, StoreError> {
        let host = match self.url.split_once("://") {
            Some(("http" | "https", rest)) => rest.split('/').next().unwrap_or_default(),
            _ => {
                return Err(Self::invalid_config_error(
                    "its URL starts with neither http:// nor https://",
                ));
            }
        };
        if host.contains('@') {
            // The error leaves out the URL, which may contain a password.
            return Err(Self::invalid_config_error(
                "its URL names a user; give the user and the password file separately",
            ));
        }
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_keepalive(Some(Duration::from_secs(60)));
        connector.set_connect_timeout(Some(self.connect_timeout));
        let provider = rustls::crypto::ring::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|error| Self::invalid_config_error(&format!("TLS: {error}")))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let http = HttpClient::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        let mut client = Client::with_http_client(http)
            .with_url(&self.url)
            .with_user(&self.user)
            .with_database(&self.database)
            .with_compression(Compression::Lz4);
        if let Some(path) = &self.password_file {
            client = client.with_password(read_password(path)?);
        }
        Ok(client)
    }

    fn invalid_config_error(reason: &str) -> StoreError {
        StoreError::Unavailable {
            store: "ClickHouse".to_owned(),
            reason: reason.to_owned(),
        }
    }
}
