//! Tests of a server that requires TLS and a password, and of the errors if they are wrong.

use std::path::PathBuf;

use candlewick_store::{
    BarReader, StoreError, TimescaleBarStore, TimescaleConfig, TimescaleEdition,
};

/// The server: the URL of its database, and the folder with its certificate and password.
struct SecureServer {
    url: String,
    secrets: PathBuf,
}

impl SecureServer {
    #[expect(clippy::panic, reason = "without a server these tests prove nothing")]
    fn from_environment() -> Self {
        let address = std::env::var("CANDLEWICK_TIMESCALEDB_SECURE").unwrap_or_else(|_| {
            panic!(
                "CANDLEWICK_TIMESCALEDB_SECURE is not set. These tests need a TimescaleDB that \
                 asks for TLS and a password: set it to what \
                 `scripts/stack/timescaledb.sh secure start` prints"
            )
        });
        let (url, secrets) = address.split_once(",secrets=").unwrap();
        Self {
            url: url.strip_prefix("url=").unwrap().to_owned(),
            secrets: secrets.into(),
        }
    }

    fn password(&self) -> String {
        let password = std::fs::read_to_string(self.secrets.join("password")).unwrap();
        let password = password.trim();
        assert!(!password.is_empty());
        password.to_owned()
    }

    /// Returns a configuration that the server accepts.
    fn config(&self) -> TimescaleConfig {
        let mut config = TimescaleConfig::new(&self.url);
        config.root_cert = Some(self.secrets.join("ca.pem"));
        config.password_file = Some(self.secrets.join("password"));
        config
    }

    /// Asserts that a configuration is refused without naming the password, and returns the error.
    async fn open_error(&self, config: TimescaleConfig, password: &str) -> String {
        let shown = format!("{config:?}");
        let error = TimescaleBarStore::open(config).await.err().unwrap();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        let shown = format!("{shown} {error} {error:?}");
        assert!(!shown.contains(password), "{shown}");
        error.to_string()
    }
}

#[tokio::test]
async fn a_client_with_tls_and_the_password_is_accepted() {
    let secure = SecureServer::from_environment();
    let migrated = TimescaleBarStore::migrate(secure.config()).await.unwrap();
    assert_ne!(migrated.edition, TimescaleEdition::PostgresOnly);
    let mut explicit = secure.config();
    explicit.url += "?sslmode=verify-full";
    let mut by_name = secure.config();
    by_name.url = by_name.url.replace("127.0.0.1", "localhost");
    for config in [secure.config(), explicit, by_name] {
        let store = TimescaleBarStore::open(config).await.unwrap();
        assert_eq!(store.partition_progress().await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let secure = SecureServer::from_environment();
    let password = secure.password();
    let mut config = secure.config();
    config.root_cert = Some(secure.secrets.join("stranger.pem"));
    let error = secure.open_error(config, &password).await;
    assert!(error.contains("certificate"), "{error}");
    // Without a file, the root certificates of the web are used.
    let mut config = secure.config();
    config.root_cert = None;
    config.url += "?sslmode=verify-full";
    let error = secure.open_error(config, &password).await;
    assert!(error.contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_missing_certificate_file_is_named() {
    let secure = SecureServer::from_environment();
    let mut config = secure.config();
    config.root_cert = Some(secure.secrets.join("missing.pem"));
    let error = secure.open_error(config, &secure.password()).await;
    assert!(error.contains("missing.pem"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_and_no_tls_are_refused_by_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("password");
    std::fs::write(&wrong, "swordfish\n").unwrap();
    let secure = SecureServer::from_environment();
    let mut config = secure.config();
    config.password_file = Some(wrong);
    let error = secure.open_error(config, "swordfish").await;
    assert!(error.contains("check the user and the password"), "{error}");
    let mut config = secure.config();
    config.root_cert = None;
    config.url += "?sslmode=disable";
    let error = secure.open_error(config, &secure.password()).await;
    assert!(error.contains("no encryption"), "{error}");
}
