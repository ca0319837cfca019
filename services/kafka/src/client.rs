//! What librdkafka says on its own account: its log lines, its errors, its figures.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel as Level;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::statistics::Statistics;

use super::complaint::Complaints;
use super::metrics;

/// Writes a line of librdkafka's log.
pub(crate) fn log(level: Level, facility: &str, message: &str) {
    match level {
        Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        // Every lost connection is a warning, and it comes back by itself.
        Level::Warning | Level::Notice => {
            tracing::warn!(target: "librdkafka", facility, "{message}");
        }
        Level::Info | Level::Debug => {
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
    }
}

/// Writes an error of the client as a whole. librdkafka goes on by itself after each of them but
/// a fatal one, which the next append reports, and whoever asks `Kafka::check_producer`.
pub(crate) fn error(error: &KafkaError, reason: &str) {
    match error.rdkafka_error_code() {
        Some(Code::Fatal | Code::Authentication | Code::SSL) => {
            tracing::error!(%error, "Kafka: {reason}");
        }
        _ => tracing::warn!(%error, "Kafka: {reason}"),
    }
}

/// What the client that reads one topic calls.
pub(crate) struct ReaderContext {
    /// The topic.
    pub(crate) topic: String,
    /// Why nobody answers it.
    pub(crate) complaints: Complaints,
}

impl ClientContext for ReaderContext {
    fn log(&self, level: Level, facility: &str, message: &str) {
        self.complaints.note_line(level as i32, facility, message);
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.complaints.note(&error, reason);
        self::error(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.complaints.note_brokers(&statistics);
        metrics::publish(&statistics, Some(&self.topic));
    }
}

impl ConsumerContext for ReaderContext {}
