//! What an error of Kafka means to the caller.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use eventlog::LogError;

/// Whether the brokers, or librdkafka, know no such topic.
pub(crate) fn is_unknown_topic(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownTopicId
    )
}

/// Whether the offset that was read may no longer be there.
pub(crate) fn is_out_of_range(code: Code) -> bool {
    matches!(
        code,
        Code::OffsetOutOfRange | Code::AutoOffsetReset | Code::LogTruncation | Code::NoOffset
    )
}

/// The error for `topic`. Whatever the brokers can get over by themselves is transient.
pub(crate) fn of(topic: &str, code: Code) -> LogError {
    let topic = topic.to_owned();
    match code {
        code if is_unknown_topic(code) => LogError::Unavailable {
            reason: missing(code),
            topic,
        },
        // So does a reader hear both that the topic is gone and that nobody leads a partition.
        Code::UnknownPartition => LogError::Unavailable {
            reason:
                "the brokers have no such topic, which `candlewick topics apply` makes, or none \
                     of them leads the partition"
                    .to_owned(),
            topic,
        },
        Code::PurgeQueue | Code::PurgeInflight | Code::BrokerDestroy => LogError::Closed,
        Code::Fatal | Code::GaplessGuarantee | Code::Fenced => LogError::Refused {
            reason: format!("the producer cannot go on ({code}); start the process again"),
            topic,
        },
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism => LogError::Refused {
            reason: format!("the brokers do not let us ({code}); look at the user and its ACLs"),
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
            reason: format!("the brokers, or their client, refuse it: {code}"),
            topic,
        },
        code => LogError::Unavailable {
            reason: format!("the brokers do not answer as they should: {code}"),
            topic,
        },
    }
}

/// The same for what rdkafka answers.
pub(crate) fn of_error(topic: &str, error: &KafkaError) -> LogError {
    match error.rdkafka_error_code() {
        Some(code) => of(topic, code),
        None => LogError::Refused {
            topic: topic.to_owned(),
            reason: error.to_string(),
        },
    }
}

/// What to say where there is no such topic.
pub(crate) fn missing(code: Code) -> String {
    format!("the brokers have no such topic ({code}); `candlewick topics apply` makes it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_goes_is_not_the_end_of_the_log() {
        // librdkafka's names are easily taken for each other: only the first is the whole client.
        assert_eq!(of("trades", Code::BrokerDestroy), LogError::Closed);
        assert!(of("trades", Code::DestroyBroker).is_transient());
    }

    #[test]
    fn a_partition_that_nobody_knows_comes_again() {
        let error = of("trades", Code::UnknownPartition);
        assert!(error.is_transient(), "{error}");
        assert!(error.to_string().contains("topics apply"), "{error}");
    }
}
