//! Where the topics are.

use clap::Args;
use eventlog::{KafkaConfig, SaslMechanism, Security, SecurityProtocol};
use host::Layers;

use super::url::Brokers;

/// The flags of Kafka.
#[derive(Debug, Default, Args)]
pub(crate) struct KafkaArgs {
    /// Some brokers of Kafka to begin with, as host:port separated by commas
    #[arg(long, value_name = "BROKERS")]
    pub(crate) brokers: Option<String>,
    /// PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL [default: PLAINTEXT]
    #[arg(long, value_name = "PROTOCOL")]
    pub(crate) kafka_security: Option<String>,
    /// How the password is proved: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 [default: PLAIN]
    #[arg(long, value_name = "MECHANISM")]
    pub(crate) kafka_mechanism: Option<String>,
    /// The user, with the SASL protocols
    #[arg(long, value_name = "NAME")]
    pub(crate) kafka_username: Option<String>,
    /// A file with the user's password
    #[arg(long, value_name = "FILE")]
    pub(crate) kafka_password_file: Option<String>,
    /// The certificates that the brokers' are checked against, in PEM [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub(crate) kafka_ca: Option<String>,
    /// Our own certificate, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) kafka_certificate: Option<String>,
    /// The key of our certificate, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) kafka_key: Option<String>,
}

/// The key of the brokers, which stands alone so that its flag is short.
pub(super) const BROKERS: &str = "brokers";

impl KafkaArgs {
    /// The configuration of a process that the brokers know as `client_id`; none, with the
    /// reason noted, where there are no brokers.
    pub(crate) fn read(self, layers: &mut Layers, client_id: &str) -> Option<KafkaConfig> {
        let brokers: Option<Brokers> = layers.require(BROKERS, self.brokers);
        let protocol = layers.parse_with(
            "kafka.security",
            self.kafka_security,
            "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
            |text| text.parse::<SecurityProtocol>().map_err(|_| ""),
        );
        let mechanism = layers.parse_with(
            "kafka.mechanism",
            self.kafka_mechanism,
            "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
            |text| text.parse::<SaslMechanism>().map_err(|_| ""),
        );
        let security = Security {
            protocol: protocol.unwrap_or_default(),
            mechanism: mechanism.unwrap_or_default(),
            username: layers.optional("kafka.username", self.kafka_username),
            password_file: layers.optional("kafka.password_file", self.kafka_password_file),
            ca_file: layers.optional("kafka.ca", self.kafka_ca),
            certificate_file: layers.optional("kafka.certificate", self.kafka_certificate),
            key_file: layers.optional("kafka.key", self.kafka_key),
        };
        let config = KafkaConfig {
            brokers: brokers?.0,
            client_id: client_id.to_owned(),
            security,
            ..KafkaConfig::default()
        };
        for error in config.errors() {
            layers.reject(key_of(error.option), &error.expected);
        }
        Some(config)
    }
}

/// Our key of an option of [`KafkaConfig`].
fn key_of(option: &str) -> &str {
    match option {
        "kafka.brokers" => BROKERS,
        "kafka.security_protocol" => "kafka.security",
        "kafka.sasl_mechanism" => "kafka.mechanism",
        "kafka.ca_file" => "kafka.ca",
        "kafka.certificate_file" => "kafka.certificate",
        "kafka.key_file" => "kafka.key",
        same => same,
    }
}
