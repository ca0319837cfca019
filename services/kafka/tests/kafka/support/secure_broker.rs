//! The broker that requires TLS and passwords.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use candlewick_kafka::{KafkaConfig, SecurityProtocol};

/// The addresses of the broker by listener, and the folder of its secrets.
pub(crate) struct SecureBroker(BTreeMap<String, String>);

impl SecureBroker {
    /// Reads the environment. Panics if it names no broker: a test that did nothing would pass.
    pub(crate) fn from_environment() -> Self {
        let Ok(address) = std::env::var("CANDLEWICK_KAFKA_SECURE") else {
            panic!(
                "this test needs a Kafka that requires TLS and passwords: set \
                 CANDLEWICK_KAFKA_SECURE to what `scripts/stack/kafka.sh secure start` prints"
            );
        };
        let pairs = address.split(',').filter_map(|pair| pair.split_once('='));
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(pairs.map(owned).collect())
    }

    /// Returns the path of a file in the folder of secrets.
    pub(crate) fn secret_path(&self, file: &str) -> PathBuf {
        PathBuf::from(&self.0["secrets"]).join(file)
    }

    /// Returns the password of the user.
    pub(crate) fn password(&self) -> String {
        let password = std::fs::read_to_string(self.secret_path("password")).unwrap();
        let password = password.trim();
        assert!(!password.is_empty());
        password.to_owned()
    }

    /// Returns a configuration for `listener` with this protocol, without certificates or a user,
    /// and with timeouts of 3 s.
    pub(crate) fn config(&self, listener: &str, protocol: &str) -> KafkaConfig {
        let mut config = KafkaConfig {
            brokers: self.0[listener].clone(),
            request_timeout: Duration::from_secs(3),
            delivery_timeout: Duration::from_secs(3),
            ..KafkaConfig::default()
        };
        config.security.protocol = protocol.parse().unwrap();
        config
    }

    /// Returns a configuration for TLS, with the certificate of the authority.
    pub(crate) fn tls_config(&self, listener: &str) -> KafkaConfig {
        let mut config = self.config(listener, "SSL");
        config.security.ca_file = Some(self.secret_path("ca.pem"));
        config
    }

    /// Returns a configuration with user and password, over TLS or not.
    pub(crate) fn sasl_config(&self, protocol: SecurityProtocol, mechanism: &str) -> KafkaConfig {
        let mut config = match protocol {
            SecurityProtocol::SaslSsl => self.tls_config("sasl_ssl"),
            _ => self.config("sasl_plaintext", "PLAINTEXT"),
        };
        config.security.protocol = protocol;
        config.security.mechanism = mechanism.parse().unwrap();
        config.security.username = Some("candlewick".to_owned());
        config.security.password_file = Some(self.secret_path("password"));
        config
    }
}
