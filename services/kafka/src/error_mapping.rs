//! What an error of Kafka means to the caller.

use eventlog::LogError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Returns whether the brokers, or librdkafka, know no such topic.
pub(crate) fn is_unknown_topic(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownTopicId
    )
}

/// Returns whether the requested offset may no longer exist.
pub(crate) fn is_out_of_range(code: Code) -> bool {
    matches!(
        code,
        Code::OffsetOutOfRange | Code::AutoOffsetReset | Code::LogTruncation | Code::NoOffset
    )
}

/// Returns what the brokers deny access to with this code, if they do.
const fn denied_resource(code: Code) -> Option<&'static str> {
    match code {
        Code::TopicAuthorizationFailed => Some("the topic"),
        Code::GroupAuthorizationFailed => Some("the consumer group"),
        Code::ClusterAuthorizationFailed => Some("the cluster"),
        _ => None,
    }
}

/// Returns the error of a call for `topic` that ended with `code`. It is transient if the brokers
/// may recover from it.
pub(crate) fn log_error_from_code(topic: &str, code: Code) -> LogError {
    let topic = topic.to_owned();
    if let Some(resource) = denied_resource(code) {
        let reason = format!(
            "the brokers deny access to {resource} ({code}): the user of this process lacks a \
             right; docs/rights.md lists those that it needs"
        );
        return LogError::Denied { topic, reason };
    }
    match code {
        code if is_unknown_topic(code) => LogError::Unavailable {
            reason: missing_topic_text(code),
            topic,
        },
        // A reader gets this code both if the topic is gone and if a partition has no leader.
        Code::UnknownPartition => LogError::Unavailable {
            reason:
                "the brokers have no such topic, which `candlewick topics apply` creates, or none \
                     of them leads the partition"
                    .to_owned(),
            topic,
        },
        Code::PurgeQueue | Code::PurgeInflight | Code::BrokerDestroy => LogError::Closed,
        Code::Fatal | Code::GaplessGuarantee | Code::Fenced => LogError::Refused {
            reason: format!("the producer cannot continue ({code}); restart the process"),
            topic,
        },
        Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => LogError::Refused {
            reason: format!("the brokers refuse the login ({code}); check user and password"),
            topic,
        },
        Code::MessageSizeTooLarge
        | Code::InvalidMessageSize
        | Code::MessageBatchTooLarge
        | Code::InvalidRecord
        | Code::InvalidTopic
        | Code::PolicyViolation
        | Code::UnsupportedForMessageFormat
        | Code::UnsupportedVersion
        | Code::NotImplemented
        | Code::UnsupportedCompressionType => LogError::Refused {
            reason: format!("the brokers, or librdkafka, refuse the request: {code}"),
            topic,
        },
        code => LogError::Unavailable {
            reason: format!("the brokers do not answer as expected: {code}"),
            topic,
        },
    }
}

/// Returns the code of an error of rdkafka, if it has one.
pub(crate) fn code_of_error(error: &KafkaError) -> Option<Code> {
    match error {
        // rdkafka returns no code of an error of this kind.
        KafkaError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
    }
}

/// Returns the error of a call for `topic` that ended with an error of rdkafka.
pub(crate) fn log_error_from_kafka_error(topic: &str, error: &KafkaError) -> LogError {
    match code_of_error(error) {
        Some(code) => log_error_from_code(topic, code),
        None => LogError::Refused {
            topic: topic.to_owned(),
            reason: error.to_string(),
        },
    }
}

/// Returns the text for a topic that does not exist.
pub(crate) fn missing_topic_text(code: Code) -> String {
    format!("the brokers have no such topic ({code}); `candlewick topics apply` creates it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_removed_does_not_close_the_log() {
        // The names are easily confused: only the first code is about the client as a whole.
        let error = log_error_from_code("trades", Code::BrokerDestroy);
        assert_eq!(error, LogError::Closed);
        assert!(log_error_from_code("trades", Code::DestroyBroker).is_transient());
    }

    #[test]
    fn a_missing_right_is_transient_and_names_the_resource() {
        for (code, resource) in [
            (Code::TopicAuthorizationFailed, "the topic"),
            (Code::GroupAuthorizationFailed, "the consumer group"),
            (Code::ClusterAuthorizationFailed, "the cluster"),
        ] {
            let error = log_error_from_code("trades", code);
            assert!(matches!(error, LogError::Denied { .. }), "{error:?}");
            assert!(error.is_transient(), "{error}");
            let text = error.to_string();
            assert!(
                text.contains(resource) && text.contains("docs/rights.md"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_unknown_partition_is_transient() {
        let error = log_error_from_code("trades", Code::UnknownPartition);
        assert!(error.is_transient(), "{error}");
        assert!(error.to_string().contains("topics apply"), "{error}");
    }
}
