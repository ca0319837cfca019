//! Checking whether a topic is still the generation that was opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eventlog::LogError;
use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::sync::Mutex;

use crate::error_mapping;
use crate::rights::TopicRight;
use crate::topic::KafkaTopic;

/// Why the topic is not known to be the generation that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EpochCheckError {
    /// The topic was recreated.
    Recreated,
    /// The request to the brokers ended with this code.
    Code(Code),
}

impl EpochCheckError {
    /// Returns whether, as far as the brokers know, the topic that was opened no longer exists.
    pub(crate) fn is_topic_gone(self) -> bool {
        match self {
            Self::Recreated => true,
            Self::Code(code) => error_mapping::is_unknown_topic(code),
        }
    }

    /// Returns the error of the log. An unknown topic is transient: a broker that has just started
    /// may not know the topic yet.
    pub(crate) fn to_log_error(self, topic: &KafkaTopic) -> LogError {
        match self {
            Self::Recreated => LogError::Recreated {
                topic: topic.name().to_owned(),
            },
            Self::Code(code) => topic
                .kafka()
                .last_connection_error()
                .explain_code(topic.name(), code),
        }
    }
}

/// Compares the identity of a topic with the one on the brokers, with one request for all callers
/// that wait at the same time.
///
/// Of the callers that come while a request is under way, the first makes the next request, for all
/// of them. A request that was sent before a caller came does not count for that caller, because
/// the records that the caller has fetched may be newer than the answer.
pub(crate) struct EpochChecker {
    /// How many callers there have been.
    callers: AtomicU64,
    latest: Mutex<LatestEpochCheck>,
}

/// The rights that the brokers have granted on the topic; `None` if they have no authorizer.
pub(crate) type AuthorizerRights = Option<Arc<[TopicRight]>>;

/// The result of the newest request.
struct LatestEpochCheck {
    /// The answer counts for this many of the callers, the earliest ones.
    covered_callers: u64,
    result: Result<AuthorizerRights, EpochCheckError>,
}

impl EpochChecker {
    pub(crate) fn new() -> Self {
        Self {
            callers: AtomicU64::new(0),
            latest: Mutex::new(LatestEpochCheck {
                covered_callers: 0,
                result: Ok(None),
            }),
        }
    }

    /// Returns the rights on the topic, or an error if the topic was recreated or the brokers do
    /// not answer.
    pub(crate) async fn check(
        &self,
        topic: &KafkaTopic,
    ) -> Result<AuthorizerRights, EpochCheckError> {
        let caller = self.callers.fetch_add(1, Ordering::SeqCst) + 1;
        let mut latest = self.latest.lock().await;
        if latest.covered_callers >= caller {
            return latest.result.clone();
        }
        // All callers up to this one came before the request is sent.
        let covered_callers = self.callers.load(Ordering::SeqCst);
        let result = compare_topic_ids(topic).await;
        *latest = LatestEpochCheck {
            covered_callers,
            result: result.clone(),
        };
        result
    }
}

/// Requests the id of the topic from the brokers, and compares it with the id that was opened. The
/// same answer says which rights are granted.
async fn compare_topic_ids(topic: &KafkaTopic) -> Result<AuthorizerRights, EpochCheckError> {
    let description = topic.kafka().describe_topic(topic.name()).await;
    let description = description.map_err(EpochCheckError::Code)?;
    match description.id == topic.id() {
        true => Ok(description.rights.map(Arc::from)),
        false => Err(EpochCheckError::Recreated),
    }
}
