//! How a command reaches Kafka.

use std::path::PathBuf;

use clap::Args;
use host::Layers;
use kafka::{KafkaConfig, SaslMechanism, SecurityProtocol};

/// The settings of the section `kafka`, for every command that uses it.
///
/// A password comes from a file only: a command line and an environment can be read by others.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaArgs {
    /// Some brokers to begin with, comma-separated [default: 127.0.0.1:9092]
    #[arg(long, visible_alias = "brokers", value_name = "HOST:PORT,…")]
    kafka_brokers: Option<String>,
    /// What the brokers call this process in logs and quotas [default: candlewick]
    #[arg(long, value_name = "NAME")]
    kafka_client_id: Option<String>,
    /// PLAINTEXT, SSL, `SASL_PLAINTEXT` or `SASL_SSL` [default: PLAINTEXT]
    #[arg(long, value_name = "PROTOCOL")]
    kafka_security_protocol: Option<String>,
    /// PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 [default: PLAIN]
    #[arg(long, value_name = "MECHANISM")]
    kafka_sasl_mechanism: Option<String>,
    /// The user, with the SASL protocols
    #[arg(long, value_name = "NAME")]
    kafka_username: Option<String>,
    /// A file with the user's password, read again where the brokers refuse it
    #[arg(long, value_name = "FILE")]
    kafka_password_file: Option<String>,
    /// A file with the certificates that brokers' are checked against [default: the system's]
    #[arg(long, value_name = "FILE")]
    kafka_ca_file: Option<String>,
    /// A file with our own certificate
    #[arg(long, value_name = "FILE")]
    kafka_certificate_file: Option<String>,
    /// A file with the key of our certificate
    #[arg(long, value_name = "FILE")]
    kafka_key_file: Option<String>,
    /// How much of a topic is read ahead, all partitions together [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    kafka_fetch_memory_bytes: Option<String>,
    /// How much may wait to be acknowledged before appends are refused for a while [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    kafka_max_pending_bytes: Option<String>,
    /// After how long an append fails that no broker acknowledges [default: 30s]
    #[arg(long, value_name = "TIME")]
    kafka_delivery_timeout: Option<String>,
    /// How long a question to the brokers may take [default: 10s]
    #[arg(long, value_name = "TIME")]
    kafka_request_timeout: Option<String>,
    /// How often the client's figures become metrics, and one that knows no broker is noticed
    /// [default: 5s]
    #[arg(long, value_name = "TIME")]
    kafka_statistics_interval: Option<String>,
}

impl KafkaArgs {
    /// Reads every layer; what is wrong is noted in `layers`.
    pub fn read(self, layers: &mut Layers) -> KafkaConfig {
        let mut config = KafkaConfig::default();
        let brokers = layers.optional::<String>("kafka.brokers", self.kafka_brokers);
        config.brokers = brokers.unwrap_or(config.brokers);
        let client_id = layers.optional::<String>("kafka.client_id", self.kafka_client_id);
        config.client_id = client_id.unwrap_or(config.client_id);
        let security = &mut config.security;
        security.protocol = layers
            .parse_with(
                "kafka.security_protocol",
                self.kafka_security_protocol,
                "a protocol",
                str::parse::<SecurityProtocol>,
            )
            .unwrap_or_default();
        security.mechanism = layers
            .parse_with(
                "kafka.sasl_mechanism",
                self.kafka_sasl_mechanism,
                "a mechanism",
                str::parse::<SaslMechanism>,
            )
            .unwrap_or_default();
        security.username = layers.optional("kafka.username", self.kafka_username);
        let mut file = |key, flag| layers.optional::<PathBuf>(key, flag);
        security.password_file = file("kafka.password_file", self.kafka_password_file);
        security.ca_file = file("kafka.ca_file", self.kafka_ca_file);
        security.certificate_file = file("kafka.certificate_file", self.kafka_certificate_file);
        security.key_file = file("kafka.key_file", self.kafka_key_file);
        config.fetch_memory_bytes = layers.take(
            "kafka.fetch_memory_bytes",
            self.kafka_fetch_memory_bytes,
            config.fetch_memory_bytes,
        );
        config.max_pending_bytes = layers.take(
            "kafka.max_pending_bytes",
            self.kafka_max_pending_bytes,
            config.max_pending_bytes,
        );
        for (key, flag, time) in [
            (
                "kafka.delivery_timeout",
                self.kafka_delivery_timeout,
                &mut config.delivery_timeout,
            ),
            (
                "kafka.request_timeout",
                self.kafka_request_timeout,
                &mut config.request_timeout,
            ),
            (
                "kafka.statistics_interval",
                self.kafka_statistics_interval,
                &mut config.statistics_interval,
            ),
        ] {
            *time = layers.take(key, flag, *time);
        }
        for error in config.errors() {
            layers.reject(error.option, &error.expected);
        }
        config
    }
}
