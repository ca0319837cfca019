//! A server that asks for TLS and a password, and what is said where that fails.

use std::path::PathBuf;

use candlewick_store::{
    BarReader, StoreError, TimescaleBarStore, TimescaleConfig, TimescaleEdition,
};

/// Where its database is, and the folder of what is needed to come in.
struct Secure {
    url: String,
    secrets: PathBuf,
}

impl Secure {
    #[expect(clippy::panic, reason = "without a server these tests prove nothing")]
    fn named() -> Self {
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

    /// As a process is set up that is let in.
    fn config(&self) -> TimescaleConfig {
        let mut config = TimescaleConfig::new(&self.url);
        config.root_cert = Some(self.secrets.join("ca.pem"));
        config.password_file = Some(self.secrets.join("password"));
        config
    }

    /// What is said, without the password.
    async fn fails(&self, config: TimescaleConfig, password: &str) -> String {
        let shown = format!("{config:?}");
        let error = TimescaleBarStore::open(config).await.err().unwrap();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        let shown = format!("{shown} {error} {error:?}");
        assert!(!shown.contains(password), "{shown}");
        error.to_string()
    }
}

#[tokio::test]
async fn who_asks_for_tls_and_a_password_is_served() {
    let secure = Secure::named();
    let migrated = TimescaleBarStore::migrate(secure.config()).await.unwrap();
    assert_ne!(migrated.edition, TimescaleEdition::Plain);
    let mut spelt_out = secure.config();
    spelt_out.url += "?sslmode=verify-full";
    let mut by_name = secure.config();
    by_name.url = by_name.url.replace("127.0.0.1", "localhost");
    for config in [secure.config(), spelt_out, by_name] {
        let store = TimescaleBarStore::open(config).await.unwrap();
        assert_eq!(store.partition_progress().await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_known_has_signed_is_refused() {
    let secure = Secure::named();
    let password = secure.password();
    let mut config = secure.config();
    config.root_cert = Some(secure.secrets.join("stranger.pem"));
    let said = secure.fails(config, &password).await;
    assert!(said.contains("certificate"), "{said}");
    // Without a file of ours, the authorities of the web are asked.
    let mut config = secure.config();
    config.root_cert = None;
    config.url += "?sslmode=verify-full";
    let said = secure.fails(config, &password).await;
    assert!(said.contains("certificate"), "{said}");
}

#[tokio::test]
async fn a_file_of_certificates_that_is_missing_is_named() {
    let secure = Secure::named();
    let mut config = secure.config();
    config.root_cert = Some(secure.secrets.join("missing.pem"));
    let said = secure.fails(config, &secure.password()).await;
    assert!(said.contains("missing.pem"), "{said}");
}

#[tokio::test]
async fn a_wrong_password_and_no_tls_are_refused_by_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("password");
    std::fs::write(&wrong, "swordfish\n").unwrap();
    let secure = Secure::named();
    let mut config = secure.config();
    config.password_file = Some(wrong);
    let said = secure.fails(config, "swordfish").await;
    assert!(said.contains("check the user and the password"), "{said}");
    let mut config = secure.config();
    config.root_cert = None;
    config.url += "?sslmode=disable";
    let said = secure.fails(config, &secure.password()).await;
    assert!(said.contains("no encryption"), "{said}");
}
