//! What a client says of its connections, which is why nobody answers it.
//!
//! Whatever is wrong, a wrong password too, librdkafka goes on connecting, and a question that
//! waits for that ends with no more than "timed out". The reason comes apart from it, to the
//! client as a whole, and the same reason only once in 30 seconds. So the last one is kept until
//! the brokers answer something. That a broker has closed a connection is not even an error to
//! librdkafka, which only logs it; it is all that a client of another protocol gets to hear.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::statistics::{Broker, Statistics};

use super::failure;
use eventlog::LogError;

/// An error, as syslog counts; the numbers of what is less are greater.
const ERROR: i32 = 3;

/// What librdkafka said.
#[derive(Debug, Clone)]
struct Complaint {
    /// None where a broker has closed the connection.
    code: Option<Code>,
    /// Its words, with the broker's address; they hold no password.
    reason: String,
}

impl Complaint {
    /// Whether the brokers have refused who we are.
    fn is_refusal(&self) -> bool {
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

    /// Whether the brokers took a connection and closed it: librdkafka tells that as an error
    /// where it was about to send.
    fn is_closed(&self) -> bool {
        ["Send failed", "Receive failed", "Disconnected"]
            .iter()
            .any(|text| self.reason.contains(text))
    }

    /// Whether TLS failed: librdkafka mostly says so, but sometimes passes on as a lost connection
    /// what OpenSSL says.
    fn is_tls(&self) -> bool {
        self.code == Some(Code::SSL) || self.reason.contains("SSL routines")
    }

    fn error(&self, topic: &str) -> LogError {
        let reason = &self.reason;
        let reason = match self.code {
            _ if self.is_refusal() => format!(
                "the brokers do not let us in: {reason}; look at kafka.username, \
                 kafka.password_file and kafka.sasl_mechanism"
            ),
            _ if self.is_tls() => format!(
                "no TLS with the brokers: {reason}; look at kafka.ca_file, at the names in the \
                 brokers' certificates, and at kafka.certificate_file and kafka.key_file"
            ),
            code if code.is_none() || self.is_closed() => format!(
                "the brokers close the connection: {reason}; unless they are just started or stopped, \
                 kafka.security_protocol is not theirs"
            ),
            _ => format!("the brokers do not answer: {reason}"),
        };
        // A password may be changed on either side, and a certificate be renewed.
        LogError::Unavailable {
            topic: topic.to_owned(),
            reason,
        }
    }
}

/// The last complaint of a client, until the brokers answer.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    last: Mutex<Option<Complaint>>,
    /// Whether the client knew no broker of use when it was last looked at.
    is_stranded: AtomicBool,
}

impl Complaints {
    fn last(&self) -> MutexGuard<'_, Option<Complaint>> {
        self.last.lock().expect("no holder of the complaint panics")
    }

    /// Keeps what the client said.
    pub(crate) fn note(&self, error: &KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        // It follows each complaint about the last of the brokers, and says less.
        if code != Code::AllBrokersDown {
            let reason = reason.to_owned();
            *self.last() = Some(Complaint {
                code: Some(code),
                reason,
            });
        }
    }

    /// Keeps a line of the client's log, if it is why a connection was lost. What is an error
    /// comes as one.
    pub(crate) fn note_line(&self, severity: i32, facility: &str, line: &str) {
        if facility == "FAIL" && severity > ERROR {
            *self.last() = Some(Complaint {
                code: None,
                reason: line.to_owned(),
            });
        }
    }

    /// Looks which brokers the client knows.
    pub(crate) fn note_brokers(&self, statistics: &Statistics) {
        // The rest of the list is librdkafka's own.
        let brokers = || statistics.brokers.values();
        let mut configured = brokers().filter(|broker| broker.source == "configured");
        let mut learned = brokers().filter(|broker| broker.source == "learned");
        // One that was dropped stays in the list as long as somebody holds a record that it sent,
        // and may hide its successor of the same name there. It looks like one that is idle, which
        // leads its partitions all the same.
        let is_of_use = |broker: &Broker| broker.state != "INIT" || !misses_leader(statistics);
        let is_stranded = configured.next().is_none() && !learned.any(is_of_use);
        self.is_stranded.store(is_stranded, Ordering::Release);
    }

    /// Whether the client knew no broker of use; until the next look nobody else is told.
    pub(crate) fn take_stranded(&self) -> bool {
        self.is_stranded.swap(false, Ordering::AcqRel)
    }

    /// Forgets it, since the brokers have answered.
    pub(crate) fn clear(&self) {
        *self.last() = None;
    }

    /// Whether the last of them is that the brokers have refused who we are.
    pub(crate) fn is_refused(&self) -> bool {
        self.last().as_ref().is_some_and(Complaint::is_refusal)
    }

    /// The error for a question about `topic` that ended with `code`.
    pub(crate) fn explain(&self, topic: &str, code: Code) -> LogError {
        match &*self.last() {
            Some(complaint) if is_silence(code) => complaint.error(topic),
            _ => failure::of(topic, code),
        }
    }

    /// The same for what rdkafka answers.
    pub(crate) fn explain_error(&self, topic: &str, error: &KafkaError) -> LogError {
        match error.rdkafka_error_code() {
            Some(code) => self.explain(topic, code),
            None => failure::of_error(topic, error),
        }
    }
}

/// Whether some partition has no leader, as far as the client knows.
fn misses_leader(statistics: &Statistics) -> bool {
    let topics = statistics.topics.values();
    // Partition -1 is librdkafka's own.
    let mut partitions = topics.flat_map(|topic| &topic.partitions);
    partitions.any(|(number, partition)| *number >= 0 && partition.leader < 0)
}

/// Whether it means that no broker answered, and not what a broker answered.
fn is_silence(code: Code) -> bool {
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
mod tests {
    use rdkafka::statistics::{Partition, Topic};

    use super::{Broker, Code, Complaints, ERROR, KafkaError, Statistics};

    const INFORMATION: i32 = 6;

    fn noted(code: Code) -> Complaints {
        let complaints = Complaints::default();
        complaints.note(&KafkaError::Global(code), "broker 1 said so");
        complaints
    }

    #[test]
    fn a_question_that_nobody_answered_has_the_reason() {
        for code in [Code::OperationTimedOut, Code::MessageTimedOut] {
            for (complaint, setting) in [
                (Code::Authentication, "kafka.password_file"),
                (Code::SSL, "kafka.ca_file"),
                (Code::BrokerTransportFailure, "do not answer"),
            ] {
                let complaints = noted(complaint);
                let is_refused = complaint == Code::Authentication;
                assert_eq!(complaints.is_refused(), is_refused, "{complaint}");
                let error = complaints.explain("trades", code);
                assert!(error.is_transient(), "{error}");
                let text = error.to_string();
                assert!(text.contains("broker 1 said so"), "{text}");
                assert!(text.contains(setting), "{text}");
            }
        }
    }

    #[test]
    fn a_lost_connection_is_only_logged() {
        let complaints = Complaints::default();
        complaints.note_line(INFORMATION, "FAIL", "broker 1 has closed it");
        complaints.note_line(INFORMATION, "GETSUBSCRIPTIONS", "something else");
        // It is told as an error too.
        complaints.note_line(ERROR, "FAIL", "SSL handshake failed");
        let error = complaints.explain("trades", Code::OperationTimedOut);
        let text = error.to_string();
        assert!(text.contains("broker 1 has closed it"), "{text}");
        assert!(text.contains("kafka.security_protocol"), "{text}");
    }

    #[test]
    fn a_connection_that_is_closed_while_we_send_is_no_silence() {
        let complaints = Complaints::default();
        let reason = "127.0.0.1:9093/bootstrap: Send failed: Broken pipe (after 0ms in state UP)";
        complaints.note(&KafkaError::Global(Code::BrokerTransportFailure), reason);
        let error = complaints.explain("trades", Code::OperationTimedOut);
        let text = error.to_string();
        assert!(text.contains("kafka.security_protocol"), "{text}");
    }

    #[test]
    fn what_openssl_says_is_about_tls_whatever_it_is_told_as() {
        let complaints = Complaints::default();
        let reason = "ssl://127.0.0.1:9093/bootstrap: error:0A000086:SSL routines::certificate verify \
                      failed (after 3ms in state SSL_HANDSHAKE)";
        complaints.note(&KafkaError::Global(Code::BrokerTransportFailure), reason);
        let error = complaints.explain("trades", Code::OperationTimedOut);
        assert!(error.to_string().contains("kafka.ca_file"), "{error}");
    }

    #[test]
    fn what_the_brokers_answer_speaks_for_itself() {
        let complaints = noted(Code::Authentication);
        let error = complaints.explain("trades", Code::UnknownTopicOrPartition);
        assert!(error.to_string().contains("no such topic"), "{error}");
    }

    fn client(brokers: &[(&str, &str)], leader: i32) -> Complaints {
        let brokers = (0..).zip(brokers).map(|(number, (source, state))| {
            let broker = Broker {
                source: (*source).to_owned(),
                state: (*state).to_owned(),
                ..Broker::default()
            };
            (format!("broker {number}"), broker)
        });
        let partition = |leader| Partition {
            leader,
            ..Partition::default()
        };
        let topic = Topic {
            partitions: [(-1, partition(-1)), (0, partition(leader))].into(),
            ..Topic::default()
        };
        let complaints = Complaints::default();
        complaints.note_brokers(&Statistics {
            brokers: brokers.collect(),
            topics: [("trades".to_owned(), topic)].into(),
            ..Statistics::default()
        });
        complaints
    }

    #[test]
    fn a_client_with_none_but_dropped_brokers_is_stranded() {
        for (brokers, leader) in [
            (&[][..], 1),
            (&[("internal", "UP"), ("logical", "UP")], 1),
            (&[("learned", "INIT"), ("learned", "INIT")], -1),
        ] {
            let complaints = client(brokers, leader);
            assert!(complaints.take_stranded(), "{brokers:?}");
            assert!(!complaints.take_stranded(), "one begins anew");
        }
        for (brokers, leader) in [
            (&[("configured", "INIT")][..], -1),
            (&[("learned", "INIT"), ("learned", "DOWN")], -1),
            (&[("learned", "TRY_CONNECT")], -1),
            // It is idle.
            (&[("learned", "INIT")], 1),
        ] {
            assert!(!client(brokers, leader).take_stranded(), "{brokers:?}");
        }
    }

    #[test]
    fn a_complaint_holds_until_the_brokers_answer() {
        let complaints = noted(Code::SSL);
        let all = KafkaError::Global(Code::AllBrokersDown);
        complaints.note(&all, "1/1 brokers are down");
        let text = |complaints: &Complaints| complaints.explain_error("trades", &all).to_string();
        assert!(text(&complaints).contains("said so"));
        complaints.clear();
        assert!(!text(&complaints).contains("said so"));
    }
}
