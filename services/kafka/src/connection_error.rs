//! What a client reports about its connections, which explains why no broker answers the client.
//!
//! librdkafka keeps connecting after every error, even if the password is wrong, and a request that
//! waits meanwhile fails with no more than "timed out". The client reports the reason separately,
//! and the same reason at most once in 30 seconds. So the last reason is kept until the brokers
//! answer a request. If a broker closes a connection, librdkafka reports no error and only writes a
//! log line; a client that uses the wrong security protocol gets no other report.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use eventlog::LogError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::statistics::{Broker, Statistics};

use crate::error_mapping;

/// The severity of an error in syslog. Less severe lines have greater numbers.
const SYSLOG_ERROR: i32 = 3;

/// Why a client lost a connection or cannot make one.
#[derive(Debug, Clone)]
struct ConnectionError {
    /// `None` if a broker has closed the connection.
    code: Option<Code>,
    /// The text of librdkafka, with the address of the broker. It contains no password.
    reason: String,
}

impl ConnectionError {
    /// Returns whether the brokers have refused the user or the password.
    fn is_authentication_refusal(&self) -> bool {
        matches!(
            self.code,
            Some(
                Code::Authentication
                    | Code::SaslAuthenticationFailed
                    | Code::UnsupportedSASLMechanism
                    | Code::IllegalSASLState
            )
        )
    }

    /// Returns whether a broker accepted a connection and closed it. librdkafka reports that as an
    /// error if it was about to send.
    fn is_connection_closed(&self) -> bool {
        self.code.is_none()
            || ["Send failed", "Receive failed", "Disconnected"]
                .iter()
                .any(|text| self.reason.contains(text))
    }

    /// Returns whether TLS failed. librdkafka mostly has a code for it, but sometimes reports the
    /// text of OpenSSL as a lost connection.
    fn is_tls_failure(&self) -> bool {
        self.code == Some(Code::SSL) || self.reason.contains("SSL routines")
    }

    /// Returns the error for a request about `topic`. It is transient: a password may be changed
    /// on either side, and a certificate may be renewed.
    fn to_log_error(&self, topic: &str) -> LogError {
        let reason = &self.reason;
        let reason = if self.is_authentication_refusal() {
            format!(
                "the brokers refuse the login: {reason}; check kafka.username, \
                 kafka.password_file and kafka.sasl_mechanism"
            )
        } else if self.is_tls_failure() {
            format!(
                "TLS with the brokers fails: {reason}; check kafka.ca_file, the names in the \
                 certificates of the brokers, and kafka.certificate_file and kafka.key_file"
            )
        } else if self.is_connection_closed() {
            format!(
                "the brokers close the connection: {reason}; unless they are just starting or \
                 stopping, kafka.security_protocol is not theirs"
            )
        } else {
            format!("the brokers do not answer: {reason}")
        };
        LogError::Unavailable {
            topic: topic.to_owned(),
            reason,
        }
    }
}

/// The last error of a client's connections, kept until the brokers answer.
#[derive(Debug, Default)]
pub(crate) struct LastConnectionError {
    last: Mutex<Option<ConnectionError>>,
    /// Whether the last statistics named no broker that the client could use.
    has_no_broker: AtomicBool,
}

impl LastConnectionError {
    fn lock_last(&self) -> MutexGuard<'_, Option<ConnectionError>> {
        self.last.lock().expect("no holder of the error panics")
    }

    /// Keeps an error that the client reported.
    pub(crate) fn record_error(&self, error: &KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        // This code follows the error of the last broker, and says less than that error.
        if code != Code::AllBrokersDown {
            let reason = reason.to_owned();
            *self.lock_last() = Some(ConnectionError {
                code: Some(code),
                reason,
            });
        }
    }

    /// Keeps a log line of the client if it explains a lost connection. More severe lines are also
    /// reported as errors.
    pub(crate) fn record_log_line_if_connection_lost(
        &self,
        severity: i32,
        facility: &str,
        line: &str,
    ) {
        if facility == "FAIL" && severity > SYSLOG_ERROR {
            *self.lock_last() = Some(ConnectionError {
                code: None,
                reason: line.to_owned(),
            });
        }
    }

    /// Records whether the client knows a broker that it can use.
    pub(crate) fn record_whether_broker_is_known(&self, statistics: &Statistics) {
        // Brokers of other sources are internal to librdkafka.
        let brokers = || statistics.brokers.values();
        let mut configured = brokers().filter(|broker| broker.source == "configured");
        let mut learned = brokers().filter(|broker| broker.source == "learned");
        // A dropped broker stays in the list while a record that it sent is still held, and may
        // hide its successor of the same name. It looks like an idle broker, but an idle broker
        // still leads its partitions.
        let is_usable =
            |broker: &Broker| broker.state != "INIT" || !has_leaderless_partition(statistics);
        let has_no_broker = configured.next().is_none() && !learned.any(is_usable);
        self.has_no_broker.store(has_no_broker, Ordering::Release);
    }

    /// Returns whether the last statistics named no usable broker, and resets that, so that only
    /// one caller restores the brokers.
    pub(crate) fn read_and_reset_no_broker_flag(&self) -> bool {
        self.has_no_broker.swap(false, Ordering::AcqRel)
    }

    /// Forgets the last error, because the brokers have answered.
    pub(crate) fn clear(&self) {
        *self.lock_last() = None;
    }

    /// Returns whether the last error is that the brokers refused the user or the password.
    pub(crate) fn is_authentication_refused(&self) -> bool {
        self.lock_last()
            .as_ref()
            .is_some_and(ConnectionError::is_authentication_refusal)
    }

    /// Returns the error for a request about `topic` that ended with `code`: the last error of the
    /// connections if no broker answered, otherwise what `code` means.
    pub(crate) fn explain_code(&self, topic: &str, code: Code) -> LogError {
        match &*self.lock_last() {
            Some(error) if is_unanswered(code) => error.to_log_error(topic),
            _ => error_mapping::log_error_from_code(topic, code),
        }
    }

    /// Does what [`Self::explain_code`] does, for an error of rdkafka.
    pub(crate) fn explain_error(&self, topic: &str, error: &KafkaError) -> LogError {
        match error_mapping::code_of_error(error) {
            Some(code) => self.explain_code(topic, code),
            None => error_mapping::log_error_from_kafka_error(topic, error),
        }
    }
}

/// Returns whether the client knows of a partition without a leader.
fn has_leaderless_partition(statistics: &Statistics) -> bool {
    let topics = statistics.topics.values();
    // Partition -1 is internal to librdkafka.
    let mut partitions = topics.flat_map(|topic| &topic.partitions);
    partitions.any(|(number, partition)| *number >= 0 && partition.leader < 0)
}

/// Returns whether an error of a request means that no broker answered.
pub(crate) fn is_unanswered_request(error: &KafkaError) -> bool {
    error_mapping::code_of_error(error).is_some_and(is_unanswered)
}

/// Returns whether `code` means that no broker answered.
fn is_unanswered(code: Code) -> bool {
    matches!(
        code,
        Code::OperationTimedOut
            | Code::MessageTimedOut
            | Code::TimedOutQueue
            | Code::RequestTimedOut
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::Authentication
            | Code::SSL
    )
}

#[cfg(test)]
mod tests;
