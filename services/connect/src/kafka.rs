//! The connection to Kafka.

use std::path::PathBuf;

use clap::Args;
use host::ErrorCollectingConfigReader;
use kafka::{KafkaConfig, KafkaSecurity, SaslMechanism, SecurityProtocol};

use crate::help::show_defaults_in_help;

/// The settings of the section `kafka`, for every command that uses it.
///
/// A password is read from a file only: a command line and an environment can be read by others.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Kafka")]
#[command(mut_args = show_defaults_in_help(|reader| {
    Self::default().read(reader);
}))]
pub struct KafkaArgs {
    /// Some brokers to start with, separated by commas
    #[arg(long, visible_alias = "brokers", value_name = "HOST:PORT,…")]
    kafka_brokers: Option<String>,
    /// The name of this process in the logs and quotas of the brokers
    #[arg(long, value_name = "NAME")]
    kafka_client_id: Option<String>,
    /// PLAINTEXT, SSL, `SASL_PLAINTEXT` or `SASL_SSL`
    #[arg(long, value_name = "PROTOCOL")]
    kafka_security_protocol: Option<String>,
    /// PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
    #[arg(long, value_name = "MECHANISM")]
    kafka_sasl_mechanism: Option<String>,
    /// The user, with the SASL protocols
    #[arg(long, value_name = "NAME")]
    kafka_username: Option<String>,
    /// A file with the password of the user, read again if the brokers refuse it
    #[arg(long, value_name = "FILE")]
    kafka_password_file: Option<String>,
    /// A file with the certificates that sign those of the brokers; without it, the certificates
    /// of the system do
    #[arg(long, value_name = "FILE")]
    kafka_ca_file: Option<String>,
    /// A file with the certificate of this process
    #[arg(long, value_name = "FILE")]
    kafka_certificate_file: Option<String>,
    /// A file with the key of this certificate
    #[arg(long, value_name = "FILE")]
    kafka_key_file: Option<String>,
    /// How much of a topic is read ahead, all partitions together
    #[arg(long, value_name = "BYTES")]
    kafka_fetch_memory_bytes: Option<String>,
    /// How much may wait to be acknowledged before further appends are refused for a while
    #[arg(long, value_name = "BYTES")]
    kafka_max_pending_bytes: Option<String>,
    /// After how long an append fails if no broker acknowledges it
    #[arg(long, value_name = "TIME")]
    kafka_delivery_timeout: Option<String>,
    /// How long a request to the brokers may take
    #[arg(long, value_name = "TIME")]
    kafka_request_timeout: Option<String>,
    /// How often the figures of the client become metrics, and how soon a client that knows no
    /// broker is noticed
    #[arg(long, value_name = "TIME")]
    kafka_statistics_interval: Option<String>,
}

impl KafkaArgs {
    /// Reads the section `[kafka]`; errors are collected in `reader`.
    pub fn read(self, reader: &mut ErrorCollectingConfigReader) -> KafkaConfig {
        let default = KafkaConfig::default();
        let config = KafkaConfig {
            security: self.read_security(reader),
            brokers: reader.read_or("kafka.brokers", self.kafka_brokers, default.brokers),
            client_id: reader.read_or("kafka.client_id", self.kafka_client_id, default.client_id),
            fetch_memory_bytes: reader.read_or(
                "kafka.fetch_memory_bytes",
                self.kafka_fetch_memory_bytes,
                default.fetch_memory_bytes,
            ),
            max_pending_bytes: reader.read_or(
                "kafka.max_pending_bytes",
                self.kafka_max_pending_bytes,
                default.max_pending_bytes,
            ),
            delivery_timeout: reader.read_or(
                "kafka.delivery_timeout",
                self.kafka_delivery_timeout,
                default.delivery_timeout,
            ),
            request_timeout: reader.read_or(
                "kafka.request_timeout",
                self.kafka_request_timeout,
                default.request_timeout,
            ),
            statistics_interval: reader.read_or(
                "kafka.statistics_interval",
                self.kafka_statistics_interval,
                default.statistics_interval,
            ),
        };
        for error in config.errors() {
            reader.reject(error.option, &error.expected);
        }
        config
    }

    /// Reads how the connection is encrypted and how this process authenticates.
    fn read_security(&self, reader: &mut ErrorCollectingConfigReader) -> KafkaSecurity {
        let protocol = reader.parse_or(
            "kafka.security_protocol",
            self.kafka_security_protocol.clone(),
            "a protocol",
            str::parse,
            SecurityProtocol::default(),
        );
        let mechanism = reader.parse_or(
            "kafka.sasl_mechanism",
            self.kafka_sasl_mechanism.clone(),
            "a mechanism",
            str::parse,
            SaslMechanism::default(),
        );
        let username = reader.read_optional("kafka.username", self.kafka_username.clone());
        let mut file =
            |key, flag: &Option<String>| reader.read_optional::<PathBuf>(key, flag.clone());
        KafkaSecurity {
            protocol,
            mechanism,
            username,
            password_file: file("kafka.password_file", &self.kafka_password_file),
            ca_file: file("kafka.ca_file", &self.kafka_ca_file),
            certificate_file: file("kafka.certificate_file", &self.kafka_certificate_file),
            key_file: file("kafka.key_file", &self.kafka_key_file),
        }
    }
}
