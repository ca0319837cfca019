//! How Kafka is reached, and how its clients are tuned.

mod security;

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

pub use self::security::{SaslMechanism, Security, SecurityProtocol};

/// The largest key and value of one record together; topics are made to take it.
pub const MAX_RECORD_BYTES: usize = 4 << 20;

/// What a record may add to its key and value on the wire.
pub(crate) const RECORD_OVERHEAD_BYTES: usize = 1 << 10;
/// How much one request asks of one partition.
const FETCH_BYTES: usize = 1_000_000;
/// So much may be read ahead in each partition, whatever the share of the whole is.
const LEAST_QUEUE_BYTES: usize = 2 * FETCH_BYTES;

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option}: expected {expected}")]
pub struct KafkaConfigError {
    /// The setting's name, such as `kafka.brokers`.
    pub option: &'static str,
    /// What it has to be.
    pub expected: String,
}

/// How Kafka is reached and used.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// `kafka.brokers`: some brokers to begin with, as `host:port` separated by commas.
    pub brokers: String,
    /// `kafka.client_id`: what the brokers call this process in their logs and quotas.
    pub client_id: String,
    /// Encryption and who we are.
    pub security: Security,
    /// `kafka.fetch_memory_bytes`: how much of a topic is read ahead, all partitions together;
    /// each of them gets an equal share, and 2 MB at least.
    pub fetch_memory_bytes: usize,
    /// `kafka.max_pending_bytes`: how many bytes of keys and values may wait to be acknowledged
    /// before appends are [`eventlog::LogError::Busy`]. A single append beyond it is taken when
    /// nothing else waits.
    pub max_pending_bytes: usize,
    /// `kafka.delivery_timeout`: after how long an append fails that no broker acknowledges.
    pub delivery_timeout: Duration,
    /// `kafka.request_timeout`: how long a question to the brokers may take.
    pub request_timeout: Duration,
    /// `kafka.statistics_interval`: how often librdkafka's figures become metrics, and how soon a
    /// client that knows no broker any more is noticed.
    pub statistics_interval: Duration,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".to_owned(),
            client_id: "candlewick".to_owned(),
            security: Security::default(),
            fetch_memory_bytes: 64 << 20,
            max_pending_bytes: 64 << 20,
            delivery_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            statistics_interval: Duration::from_secs(5),
        }
    }
}

impl KafkaConfig {
    /// Everything that is wrong with it. Files are looked for, brokers are not asked.
    #[must_use]
    pub fn errors(&self) -> Vec<KafkaConfigError> {
        let mut errors = Vec::new();
        let mut expect = |is_met: bool, option, expected: &str| {
            if !is_met {
                let expected = expected.to_owned();
                errors.push(KafkaConfigError { option, expected });
            }
        };
        expect(
            self.brokers.split(',').all(is_host_and_port),
            "kafka.brokers",
            "host:port, several separated by commas",
        );
        expect(
            !self.client_id.is_empty() && self.client_id.is_ascii(),
            "kafka.client_id",
            "a name in ASCII",
        );
        expect(
            (LEAST_QUEUE_BYTES..=1 << 40).contains(&self.fetch_memory_bytes),
            "kafka.fetch_memory_bytes",
            "2000000 bytes or more",
        );
        expect(
            (1..=1 << 30).contains(&self.max_pending_bytes),
            "kafka.max_pending_bytes",
            "1 to 1073741824 bytes",
        );
        for (time, option) in [
            (self.delivery_timeout, "kafka.delivery_timeout"),
            (self.request_timeout, "kafka.request_timeout"),
        ] {
            let range = Duration::from_secs(1)..=Duration::from_secs(900);
            expect(range.contains(&time), option, "a time from 1s to 15m");
        }
        let range = Duration::from_secs(1)..=Duration::from_secs(60);
        expect(
            range.contains(&self.statistics_interval),
            "kafka.statistics_interval",
            "a time from 1s to 1m",
        );
        self.security.check(&mut errors);
        errors
    }

    /// What every client needs.
    fn client(&self) -> Result<ClientConfig, KafkaConfigError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            .set("allow.auto.create.topics", "false")
            // Back within seconds of a broker's death, not after 18 of them.
            .set("reconnect.backoff.ms", "100")
            .set("reconnect.backoff.max.ms", "500")
            .set("socket.keepalive.enable", "true")
            .set("topic.metadata.propagation.max.ms", "5000")
            .set(
                "statistics.interval.ms",
                milliseconds(self.statistics_interval),
            )
            .set_log_level(RDKafkaLogLevel::Info);
        self.security.apply(&mut config)?;
        Ok(config)
    }

    /// A client that reads up to `partitions` partitions of one topic, without a group. A bench
    /// reads with the same, so that it compares the work and not the tuning.
    ///
    /// # Errors
    /// [`KafkaConfigError`], where a file with a secret cannot be read.
    pub fn reader(&self, partitions: usize) -> Result<ClientConfig, KafkaConfigError> {
        let share = self.fetch_memory_bytes / partitions.max(1);
        // librdkafka bounds the queue of each partition by itself, since each has one.
        let queue_kbytes = share.max(LEAST_QUEUE_BYTES) / 1_000;
        let mut config = self.client()?;
        config
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            // After a full queue, ask again soon: the default of a second makes catching up six
            // times slower.
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.error.backoff.ms", "100")
            // A broker has one request at a time, so a partition that is added, or read from
            // elsewhere, waits for the one that found nothing yet.
            .set("fetch.wait.max.ms", "100")
            .set("queued.min.messages", "30000")
            .set("queued.max.messages.kbytes", queue_kbytes.to_string())
            .set("fetch.message.max.bytes", FETCH_BYTES.to_string())
            .set("check.crcs", "true");
        Ok(config)
    }

    /// The client that appends.
    pub(crate) fn producer(&self) -> Result<ClientConfig, KafkaConfigError> {
        let largest = MAX_RECORD_BYTES + RECORD_OVERHEAD_BYTES;
        let mut config = self.client()?;
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            // Every record names its partition; this is what other clients would compute.
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "2")
            .set("message.max.bytes", largest.to_string())
            .set("message.timeout.ms", milliseconds(self.delivery_timeout))
            // We bound what waits ourselves, before half of an append is taken.
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", "2097151");
        Ok(config)
    }

    /// A member of a consumer group.
    pub(crate) fn member(
        &self,
        group: &str,
        instance: Option<&str>,
    ) -> Result<ClientConfig, KafkaConfigError> {
        let mut config = self.client()?;
        config
            .set("group.id", group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "1500")
            // A rebalance waits so long for a member that does not answer.
            .set("max.poll.interval.ms", "45000")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "latest");
        if let Some(instance) = instance {
            config.set("group.instance.id", instance);
        }
        Ok(config)
    }

    /// A client that asks about topics and changes them.
    pub(crate) fn admin(&self) -> Result<ClientConfig, KafkaConfigError> {
        self.client()
    }
}

fn is_host_and_port(text: &str) -> bool {
    let parts = text.trim().rsplit_once(':');
    parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|n| n > 0))
}

fn milliseconds(time: Duration) -> String {
    time.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use super::{KafkaConfig, SaslMechanism, SecurityProtocol};

    fn options(config: &KafkaConfig) -> Vec<&'static str> {
        config
            .errors()
            .into_iter()
            .map(|error| error.option)
            .collect()
    }

    #[test]
    fn the_defaults_are_right() {
        assert_eq!(options(&KafkaConfig::default()), Vec::<&str>::new());
    }

    #[test]
    fn each_mistake_is_named() {
        for brokers in [
            "",
            "localhost",
            "localhost:",
            ":9092",
            "a:1,,b:2",
            "a:0",
            "a:99999",
        ] {
            let config = KafkaConfig {
                brokers: brokers.to_owned(),
                ..KafkaConfig::default()
            };
            assert_eq!(options(&config), ["kafka.brokers"], "{brokers}");
        }
        let mut config = KafkaConfig {
            client_id: String::new(),
            max_pending_bytes: 0,
            fetch_memory_bytes: 1_000,
            ..KafkaConfig::default()
        };
        config.security.protocol = SecurityProtocol::SaslSsl;
        config.security.mechanism = SaslMechanism::ScramSha512;
        config.security.ca_file = Some("/no/such/file".into());
        assert_eq!(
            options(&config),
            [
                "kafka.client_id",
                "kafka.fetch_memory_bytes",
                "kafka.max_pending_bytes",
                "kafka.username",
                "kafka.password_file",
                "kafka.ca_file"
            ]
        );
    }

    #[test]
    fn librdkafka_takes_every_client() {
        let config = KafkaConfig::default();
        for client in [
            config.reader(12),
            config.producer(),
            config.member("group", Some("one")),
            config.admin(),
        ] {
            client.unwrap().create_native_config().unwrap();
        }
    }

    #[test]
    fn what_is_read_ahead_is_bounded_for_all_partitions_together() {
        let config = KafkaConfig::default();
        let kbytes = |partitions| {
            let reader = config.reader(partitions).unwrap();
            reader.get("queued.max.messages.kbytes").unwrap().to_owned()
        };
        assert_eq!(kbytes(1), "67108");
        assert_eq!(kbytes(16), "4194");
        assert_eq!(kbytes(256), "2000", "less than two fetches would stall");
    }

    #[test]
    fn passwords_are_read_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "secret\n").unwrap();
        let mut config = KafkaConfig::default();
        config.security.protocol = "SASL_PLAINTEXT".parse().unwrap();
        config.security.mechanism = "SCRAM-SHA-256".parse().unwrap();
        config.security.username = Some("worker".to_owned());
        config.security.password_file = Some(file);
        assert_eq!(config.errors(), []);
        let client = config.producer().unwrap();
        assert_eq!(client.get("sasl.password"), Some("secret"));
        assert_eq!(client.get("sasl.mechanism"), Some("SCRAM-SHA-256"));
        assert!(!format!("{config:?}").contains("secret"));
    }
}
