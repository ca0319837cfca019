//! What librdkafka reports through callbacks: log lines, errors and statistics.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel as Level;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::statistics::Statistics;

use crate::connection_error::LastConnectionError;
use crate::metrics;

/// Writes a log line of librdkafka to the log of the process.
pub(crate) fn forward_log_line(level: Level, facility: &str, message: &str) {
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
/// except a fatal one, which the next append and `KafkaClient::check_no_fatal_producer_error`
/// return.
pub(crate) fn log_client_error(error: &KafkaError, reason: &str) {
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
    last_connection_error: LastConnectionError,
}

impl ReaderCallbacks {
    pub(crate) fn new(topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            last_connection_error: LastConnectionError::default(),
        }
    }

    /// Returns what the client reported about its connections.
    pub(crate) fn last_connection_error(&self) -> &LastConnectionError {
        &self.last_connection_error
    }
}

impl ClientContext for ReaderCallbacks {
    fn log(&self, level: Level, facility: &str, message: &str) {
        self.last_connection_error
            .record_log_line_if_connection_lost(level as i32, facility, message);
        forward_log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.last_connection_error.record_error(&error, reason);
        log_client_error(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.last_connection_error
            .record_whether_broker_is_known(&statistics);
        metrics::publish_statistics(&statistics, Some(&self.topic));
    }
}

impl ConsumerContext for ReaderCallbacks {}
