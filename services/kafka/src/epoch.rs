//! Asking whether a topic is still the one that was opened.

use std::sync::atomic::{AtomicU64, Ordering};

use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::sync::Mutex;

use super::{KafkaTopic, failure};
use eventlog::LogError;

/// Why the topic is not known to be the one that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It is another.
    Recreated,
    /// The brokers said this.
    Code(Code),
}

impl Doubt {
    /// Whether the topic that was opened is gone, as far as the brokers know.
    pub(crate) fn is_gone(self) -> bool {
        match self {
            Self::Recreated => true,
            Self::Code(code) => failure::is_unknown_topic(code),
        }
    }

    /// The error for it. A topic that is gone may be a broker that has just started and does not
    /// know it yet.
    pub(crate) fn error(self, topic: &KafkaTopic) -> LogError {
        match self {
            Self::Recreated => LogError::Recreated {
                topic: topic.name().to_owned(),
            },
            Self::Code(code) => topic.kafka().complaints().explain(topic.name(), code),
        }
    }
}

/// Asks for all who want to know at once: of those who come while a question is under way, the
/// first asks again, for all of them. A question that was put before somebody came does not
/// answer him, since what he has fetched may be newer than the answer.
pub(crate) struct EpochCheck {
    /// How many have come.
    came: AtomicU64,
    latest: Mutex<Latest>,
}

struct Latest {
    /// The answer holds for so many of those who came.
    answered: u64,
    outcome: Result<(), Doubt>,
}

impl EpochCheck {
    pub(crate) fn new() -> Self {
        Self {
            came: AtomicU64::new(0),
            latest: Mutex::new(Latest {
                answered: 0,
                outcome: Ok(()),
            }),
        }
    }

    /// Fails where the topic is another by now, or cannot be asked about.
    pub(crate) async fn ask(&self, topic: &KafkaTopic) -> Result<(), Doubt> {
        let mine = self.came.fetch_add(1, Ordering::SeqCst) + 1;
        let mut latest = self.latest.lock().await;
        if latest.answered >= mine {
            return latest.outcome;
        }
        // Everyone up to here came before the question.
        let answered = self.came.load(Ordering::SeqCst);
        let outcome = compare(topic).await;
        *latest = Latest { answered, outcome };
        outcome
    }
}

async fn compare(topic: &KafkaTopic) -> Result<(), Doubt> {
    let found = topic.kafka().describe(topic.name()).await;
    match found.map_err(Doubt::Code)?.id == topic.id() {
        true => Ok(()),
        false => Err(Doubt::Recreated),
    }
}
