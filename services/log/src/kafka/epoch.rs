//! Asking whether a topic is still the one that was opened.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use super::{KafkaTopic, failure};
use crate::LogError;

/// Asks for all who want to know at once: of those who come while a question is under way, the
/// first asks again, for all of them. A question that was put before somebody came does not
/// answer him, since what he has fetched may be newer than the answer.
pub(super) struct EpochCheck {
    /// How many have come.
    came: AtomicU64,
    latest: Mutex<Latest>,
}

struct Latest {
    /// The answer holds for so many of those who came.
    answered: u64,
    outcome: Result<(), LogError>,
}

impl EpochCheck {
    pub(super) fn new() -> Self {
        Self {
            came: AtomicU64::new(0),
            latest: Mutex::new(Latest {
                answered: 0,
                outcome: Ok(()),
            }),
        }
    }

    /// Fails where the topic is another by now, or cannot be asked about.
    pub(super) async fn ask(&self, topic: &KafkaTopic) -> Result<(), LogError> {
        let mine = self.came.fetch_add(1, Ordering::SeqCst) + 1;
        let mut latest = self.latest.lock().await;
        if latest.answered >= mine {
            return latest.outcome.clone();
        }
        // Everyone up to here came before the question.
        let answered = self.came.load(Ordering::SeqCst);
        let outcome = compare(topic).await;
        *latest = Latest { answered, outcome };
        latest.outcome.clone()
    }
}

async fn compare(topic: &KafkaTopic) -> Result<(), LogError> {
    match topic.kafka().describe(topic.name()).await {
        Ok(found) if found.id == topic.id() => Ok(()),
        Ok(_) => Err(LogError::Recreated {
            topic: topic.name().to_owned(),
        }),
        // A broker that has just started may not know it yet.
        Err(code) => Err(failure::of(topic.name(), code)),
    }
}
