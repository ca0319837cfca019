//! What librdkafka reports through callbacks: log lines, errors and statistics.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel as Level;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::statistics::Statistics;

use crate::client_error::ClientErrors;
use crate::metrics;

/// Writes a log line of librdkafka to the log of the process.
pub(crate) fn write_log_line(level: Level, facility: &str, message: &str) {
    match level {
        Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        // Every lost connection is a warning, and librdkafka restores it.
        Level::Warning | Level::Notice => {
            tracing::warn!(target: "librdkafka", facility, "{message}");
        }
        Level::Info | Level::Debug => {
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
    }
}

/// Writes an error of a client to the log of the process. librdkafka recovers from all of them
/// except a fatal one, which the next append and `Kafka::check_producer` return.
pub(crate) fn write_client_error(error: &KafkaError, reason: &str) {
    match error.rdkafka_error_code() {
        Some(Code::Fatal | Code::Authentication | Code::SSL) => {
            tracing::error!(%error, "Kafka: {reason}");
        }
        _ => tracing::warn!(%error, "Kafka: {reason}"),
    }
}

/// The callbacks of the client that reads one topic.
pub(crate) struct ReaderCallbacks {
    topic: String,
    client_errors: ClientErrors,
}

impl ReaderCallbacks {
    pub(crate) fn new(topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            client_errors: ClientErrors::default(),
        }
    }

    /// Returns what the client reported about its connections.
    pub(crate) fn client_errors(&self) -> &ClientErrors {
        &self.client_errors
    }
}

impl ClientContext for ReaderCallbacks {
    fn log(&self, level: Level, facility: &str, message: &str) {
        self.client_errors
            .record_log_line(level as i32, facility, message);
        write_log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.client_errors.record_error(&error, reason);
        write_client_error(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.client_errors.record_brokers(&statistics);
        metrics::publish_statistics(&statistics, Some(&self.topic));
    }
}

impl ConsumerContext for ReaderCallbacks {}
