//! The broker that asks for TLS and passwords.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use candlewick_kafka::{KafkaConfig, SecurityProtocol};

/// Where it is, by each way in, and what is needed to come in.
pub(crate) struct Secure(BTreeMap<String, String>);

impl Secure {
    /// Fails where none is named: a test that did nothing would pass.
    pub(crate) fn named() -> Self {
        let Ok(address) = std::env::var("CANDLEWICK_KAFKA_SECURE") else {
            panic!(
                "this test needs a Kafka that asks for TLS and passwords: set \
                 CANDLEWICK_KAFKA_SECURE to what `scripts/stack/kafka.sh secure start` prints"
            );
        };
        let pairs = address.split(',').filter_map(|pair| pair.split_once('='));
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(pairs.map(owned).collect())
    }

    /// A file of the folder of secrets.
    pub(crate) fn secret(&self, file: &str) -> PathBuf {
        PathBuf::from(&self.0["secrets"]).join(file)
    }

    /// The password of the user.
    pub(crate) fn password(&self) -> String {
        let password = std::fs::read_to_string(self.secret("password")).unwrap();
        let password = password.trim();
        assert!(!password.is_empty());
        password.to_owned()
    }

    /// How a client comes in by `way`, without certificates or a user, and asks for 3 s.
    pub(crate) fn way(&self, way: &str, protocol: &str) -> KafkaConfig {
        let mut config = KafkaConfig {
            brokers: self.0[way].clone(),
            request_timeout: Duration::from_secs(3),
            delivery_timeout: Duration::from_secs(3),
            ..KafkaConfig::default()
        };
        config.security.protocol = protocol.parse().unwrap();
        config
    }

    /// The same with the certificate of the authority.
    pub(crate) fn tls(&self, way: &str) -> KafkaConfig {
        let mut config = self.way(way, "SSL");
        config.security.ca_file = Some(self.secret("ca.pem"));
        config
    }

    /// With user and password, over TLS or not.
    pub(crate) fn sasl(&self, protocol: SecurityProtocol, mechanism: &str) -> KafkaConfig {
        let mut config = match protocol {
            SecurityProtocol::SaslSsl => self.tls("sasl_ssl"),
            _ => self.way("sasl_plaintext", "PLAINTEXT"),
        };
        config.security.protocol = protocol;
        config.security.mechanism = mechanism.parse().unwrap();
        config.security.username = Some("candlewick".to_owned());
        config.security.password_file = Some(self.secret("password"));
        config
    }
}
