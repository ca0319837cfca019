//! How Kafka is reached, and how its clients are configured.

mod error;
mod security;
#[cfg(test)]
mod tests;

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

pub use self::error::KafkaConfigError;
pub use self::security::{KafkaSecurity, SaslMechanism, SecurityProtocol};

/// How many bytes the key and value of one record may have together. Topics are created so that
/// they accept such records.
pub const MAX_RECORD_BYTES: usize = 4 << 20;

/// How many bytes a record may have on the wire in addition to its key and value.
const RECORD_OVERHEAD_BYTES: usize = 1 << 10;
/// How many bytes one request fetches of one partition at most.
const FETCH_BYTES: usize = 1_000_000;
/// The least number of bytes that may be read ahead in a partition, even if its share of the
/// whole is smaller.
const MIN_QUEUE_BYTES: usize = 2 * FETCH_BYTES;

/// How Kafka is reached and used.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// `kafka.brokers`: the brokers to connect to first, as `host:port` separated by commas.
    pub brokers: String,
    /// `kafka.client_id`: the name of this process in the logs and quotas of the brokers.
    pub client_id: String,
    /// Encryption and authentication.
    pub security: KafkaSecurity,
    /// `kafka.fetch_memory_bytes`: how many bytes of a topic may be read ahead, in all partitions
    /// together. Each partition gets an equal share, and 2 MB at least.
    pub fetch_memory_bytes: usize,
    /// `kafka.max_pending_bytes`: how many bytes of keys and values may wait to be acknowledged
    /// before appends fail with [`eventlog::LogError::Busy`]. A single append beyond this is
    /// accepted if nothing else waits.
    pub max_pending_bytes: usize,
    /// `kafka.delivery_timeout`: after what time an append fails that no broker acknowledges.
    pub delivery_timeout: Duration,
    /// `kafka.request_timeout`: how long other requests to the brokers may take.
    pub request_timeout: Duration,
    /// `kafka.statistics_interval`: how often the statistics of librdkafka are published as
    /// metrics, and how soon a client that no longer knows a broker is noticed.
    pub statistics_interval: Duration,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".to_owned(),
            client_id: "candlewick".to_owned(),
            security: KafkaSecurity::default(),
            fetch_memory_bytes: 64 << 20,
            max_pending_bytes: 64 << 20,
            delivery_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            statistics_interval: Duration::from_secs(5),
        }
    }
}

impl KafkaConfig {
    /// Returns every error of the configuration. Reads the files, and makes no request to brokers.
    #[must_use]
    pub fn errors(&self) -> Vec<KafkaConfigError> {
        let mut errors = Vec::new();
        let mut require = |is_met: bool, option, expected: &str| {
            if !is_met {
                let expected = expected.to_owned();
                errors.push(KafkaConfigError { option, expected });
            }
        };
        require(
            self.brokers.split(',').all(is_host_and_port),
            "kafka.brokers",
            "host:port, several separated by commas",
        );
        require(
            !self.client_id.is_empty() && self.client_id.is_ascii(),
            "kafka.client_id",
            "a name in ASCII",
        );
        require(
            (MIN_QUEUE_BYTES..=1 << 40).contains(&self.fetch_memory_bytes),
            "kafka.fetch_memory_bytes",
            "2000000 bytes or more",
        );
        require(
            (1..=1 << 30).contains(&self.max_pending_bytes),
            "kafka.max_pending_bytes",
            "1 to 1073741824 bytes",
        );
        for (time, option) in [
            (self.delivery_timeout, "kafka.delivery_timeout"),
            (self.request_timeout, "kafka.request_timeout"),
        ] {
            let range = Duration::from_secs(1)..=Duration::from_secs(900);
            require(range.contains(&time), option, "a time from 1s to 15m");
        }
        let range = Duration::from_secs(1)..=Duration::from_secs(60);
        require(
            range.contains(&self.statistics_interval),
            "kafka.statistics_interval",
            "a time from 1s to 1m",
        );
        self.security.add_errors(&mut errors);
        errors
    }

    /// Returns the settings that every client has.
    fn base_client_config(&self) -> Result<ClientConfig, KafkaConfigError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            .set("allow.auto.create.topics", "false")
            // Reconnect within seconds after a broker has failed, not after 18 s.
            .set("reconnect.backoff.ms", "100")
            .set("reconnect.backoff.max.ms", "500")
            .set("socket.keepalive.enable", "true")
            .set("topic.metadata.propagation.max.ms", "5000")
            .set(
                "statistics.interval.ms",
                milliseconds_text(self.statistics_interval),
            )
            .set_log_level(RDKafkaLogLevel::Info);
        self.security.add_settings(&mut config)?;
        Ok(config)
    }

    /// Returns the settings of a client that reads up to `partitions` partitions of one topic,
    /// without a group. Benchmarks use the same settings for other readers, so that they compare
    /// the readers and not the settings.
    ///
    /// # Errors
    /// [`KafkaConfigError`] if a file with a secret cannot be read.
    pub fn reader_client_config(
        &self,
        partitions: usize,
    ) -> Result<ClientConfig, KafkaConfigError> {
        let share_bytes = self.fetch_memory_bytes / partitions.max(1);
        // Each partition has a queue, and librdkafka bounds each queue separately.
        let queue_kbytes = share_bytes.max(MIN_QUEUE_BYTES) / 1_000;
        let mut config = self.base_client_config()?;
        config
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            // Fetch again soon after the queue was full: with the default of a second, catching up
            // takes six times as long.
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.error.backoff.ms", "100")
            // A broker gets one fetch request at a time. A partition that is added, or read from
            // another offset, waits until a request that has found nothing yet ends.
            .set("fetch.wait.max.ms", "100")
            .set("queued.min.messages", "30000")
            .set("queued.max.messages.kbytes", queue_kbytes.to_string())
            .set("fetch.message.max.bytes", FETCH_BYTES.to_string())
            .set("check.crcs", "true");
        Ok(config)
    }

    /// Returns the settings of the client that appends.
    pub(crate) fn producer_client_config(&self) -> Result<ClientConfig, KafkaConfigError> {
        let max_message_bytes = MAX_RECORD_BYTES + RECORD_OVERHEAD_BYTES;
        let mut config = self.base_client_config()?;
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            // Every append names its partition, so this is not used. It is what makes other clients
            // compute the same partitions.
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "2")
            .set("message.max.bytes", max_message_bytes.to_string())
            .set(
                "message.timeout.ms",
                milliseconds_text(self.delivery_timeout),
            )
            // The pending bytes are bounded before an append is enqueued, so that no part of an
            // append is refused.
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", "2097151");
        Ok(config)
    }

    /// Returns the settings of a member of a consumer group.
    pub(crate) fn member_client_config(
        &self,
        group: &str,
        instance: Option<&str>,
    ) -> Result<ClientConfig, KafkaConfigError> {
        let mut config = self.base_client_config()?;
        config
            .set("group.id", group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "1500")
            // How long a rebalance waits for a member that does not answer.
            .set("max.poll.interval.ms", "45000")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "latest");
        if let Some(instance) = instance {
            config.set("group.instance.id", instance);
        }
        Ok(config)
    }

    /// Returns the settings of a client that describes and changes topics.
    pub(crate) fn admin_client_config(&self) -> Result<ClientConfig, KafkaConfigError> {
        self.base_client_config()
    }
}

/// Returns whether `text` is `host:port`.
fn is_host_and_port(text: &str) -> bool {
    let parts = text.trim().rsplit_once(':');
    parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|n| n > 0))
}

fn milliseconds_text(time: Duration) -> String {
    time.as_millis().to_string()
}
