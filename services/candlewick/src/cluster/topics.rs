//! The topics of the cluster, each with its epoch.

use std::time::Duration;

use anyhow::bail;
use clock::SystemClock;
use eventlog::{GuardedLog, Log, LogError};
use host::HealthComponent;
use kafka::KafkaTopic;
use store::{BarReader, BarStore, StoreError};

use super::connect::{Bars, Brokers, Connector, Topic, is_final};

/// What is appended is waited for as long when the process ends.
const CLOSING: Duration = Duration::from_secs(5);

/// Why a topic cannot be used yet.
#[derive(Debug, thiserror::Error)]
enum NotYet {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no aggregator has taken up this generation of the topic ({0}) yet")]
    NotAdopted(String),
}

impl NotYet {
    /// Whether waiting cannot mend it.
    const fn is_final(&self) -> bool {
        matches!(self, Self::Store(error) if is_final(error))
    }
}

/// A topic that was found, and opened.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) log: Topic,
    pub(super) topic: KafkaTopic,
    /// Where it is said whether it was found, and whether the brokers answer.
    pub(super) component: HealthComponent,
}

/// Who says which epoch a topic has.
#[derive(Clone, Copy)]
pub(super) enum Generation<'a> {
    /// The aggregator, which makes a new generation the current one.
    Adopt(&'a Bars),
    /// Everyone else: the bar store, once an aggregator has.
    Follow(&'a Bars),
    /// Nobody: the topic's offsets mean nothing to anyone.
    Unknown,
}

/// Finds a topic and its epoch, and opens it. The stores know it by its own name, the brokers by
/// that with the prefix; none where the process is told to stop before.
pub(super) async fn open(
    connector: &Connector,
    brokers: &Brokers,
    name: &'static str,
    generation: Generation<'_>,
) -> anyhow::Result<Option<Opened>> {
    let component = connector.health.register(&format!("topic-{name}"));
    let attempt = || async {
        // Asked for anew each time: a server that lags may tell of the generation before.
        let topic = brokers.kafka.topic(&brokers.names.of(name)).await?;
        let epoch = match generation {
            Generation::Adopt(bars) => bars.register_topic(name, topic.id()).await?,
            Generation::Follow(bars) => match bars.topic_epoch(name, topic.id()).await? {
                Some(epoch) => epoch,
                None => return Err(NotYet::NotAdopted(topic.id().to_owned())),
            },
            Generation::Unknown => 0,
        };
        Ok::<(KafkaTopic, u64), NotYet>((topic, epoch))
    };
    let found = connector
        .wait(&component, NotYet::is_final, attempt)
        .await?;
    let Some((topic, epoch)) = found else {
        return Ok(None);
    };
    tracing::info!(topic = name, id = topic.id(), epoch, "topic opened");
    let log = GuardedLog::new(topic.open(epoch)?, name, brokers.guard.clone());
    Ok(Some(Opened {
        log,
        topic,
        component,
    }))
}

/// A record and what it causes are in partitions of the same number, so every topic has as many.
///
/// # Errors
/// Where two topics differ.
pub(super) fn check_partitions(topics: &[(&str, &Opened)]) -> anyhow::Result<()> {
    for pair in topics.windows(2) {
        let [(first, one), (second, other)] = pair else {
            continue;
        };
        let (left, right) = (one.log.partitions(), other.log.partitions());
        if left != right {
            bail!(
                "the topic {first} has {left} partitions and {second} has {right}: they have to \
                 have as many, and a topic keeps its number; make the smaller one anew"
            );
        }
    }
    Ok(())
}

/// Waits a moment for what was appended, and lets the connections go.
pub(super) async fn close(topics: Vec<Topic>) {
    let closing = tokio::task::spawn_blocking(move || {
        for topic in topics {
            topic.log().close();
        }
    });
    if clock::timeout(&SystemClock, CLOSING, closing)
        .await
        .is_err()
    {
        tracing::warn!("Kafka did not acknowledge everything before the end");
    }
}
