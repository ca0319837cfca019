//! How a server is reached.

use std::path::PathBuf;
use std::time::Duration;

use ::clickhouse::{Client, Compression};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::StoreError;
use crate::password::password;

/// How a ClickHouse server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickHouseConfig {
    /// The address of its HTTP interface: `http://host:8123`, or `https://host:8443`, which is
    /// checked against the roots of the web. Without user and password.
    pub url: String,
    /// The user.
    pub user: String,
    /// A file that holds the user's password; none for a user without.
    pub password_file: Option<PathBuf>,
    /// The database that holds the tables.
    pub database: String,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a piece of an insert may take to be sent.
    pub send_timeout: Duration,
    /// How long an answer may take, until its last row.
    pub receive_timeout: Duration,
}

impl Default for ClickHouseConfig {
    /// `http://127.0.0.1:8123`, user `default` without a password, database `candlewick`; 3 s
    /// to connect, 10 s to send, 30 s to answer.
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

/// Below the 10 s after which a server closes an idle connection (`keep_alive_timeout`).
const IDLE_CONNECTION: Duration = Duration::from_secs(5);

impl ClickHouseConfig {
    /// What the store is called in errors and logs. It holds no secret.
    pub(super) fn name(&self) -> String {
        format!("ClickHouse {} at {}", self.database, self.url)
    }

    /// A client of the server; nothing is sent yet.
    pub(super) fn client(&self) -> Result<Client, StoreError> {
        let authority = self.url.split_once("://");
        let host = match authority {
            Some(("http" | "https", rest)) => rest.split('/').next().unwrap_or_default(),
            _ => {
                return Err(Self::unusable(
                    "its URL starts neither with http:// nor https://",
                ));
            }
        };
        if host.contains('@') {
            // The URL is left out: it may hold a password.
            return Err(Self::unusable(
                "its URL names a user; give user and password file apart",
            ));
        }
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_keepalive(Some(Duration::from_secs(60)));
        connector.set_connect_timeout(Some(self.connect_timeout));
        let ring = rustls::crypto::ring::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(ring)
            .map_err(|error| Self::unusable(&format!("TLS: {error}")))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let http = HttpClient::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .build(connector);
        let mut client = Client::with_http_client(http)
            .with_url(&self.url)
            .with_user(&self.user)
            .with_database(&self.database)
            .with_compression(Compression::Lz4);
        if let Some(path) = &self.password_file {
            client = client.with_password(password(path)?);
        }
        Ok(client)
    }

    fn unusable(reason: &str) -> StoreError {
        StoreError::Unavailable {
            store: "ClickHouse".to_owned(),
            reason: reason.to_owned(),
        }
    }
}
