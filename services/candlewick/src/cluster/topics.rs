//! The topics of the cluster, each with its epoch.

use std::time::Duration;

use anyhow::bail;
use clock::SystemClock;
use connect::RoleRights;
use eventlog::{AppendGuardedLog, Log, LogError};
use host::HealthComponent;
use kafka::{KafkaTopic, TopicRight};
use store::{BarReader, BarStore, StoreError, TopicGeneration};

use super::servers::{
    GuardedBars, GuardedKafkaClient, GuardedTopic, ServerConnector, is_unusable_store,
};
use super::topic_database::{BindError, BindingRefusal, check_not_bound_elsewhere};

/// How long the end of the process waits for the brokers to acknowledge appended records.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a topic cannot be opened yet.
#[derive(Debug, thiserror::Error)]
enum OpenTopicError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("no aggregator has adopted this generation of the topic ({0}) yet")]
    NotAdopted(String),
}

impl OpenTopicError {
    /// Returns whether waiting cannot mend it.
    const fn is_unusable_store(&self) -> bool {
        matches!(self, Self::Store(error) if is_unusable_store(error))
    }
}

/// A topic that was found and opened.
#[derive(Clone)]
pub(super) struct OpenTopic {
    pub(super) log: GuardedTopic,
    pub(super) topic: KafkaTopic,
    /// Reports whether the topic was found, whether the brokers answer, and which rights are
    /// missing.
    pub(super) health: HealthComponent,
    /// What the role needs on the topic.
    pub(super) rights: &'static [TopicRight],
}

/// Where the epoch of a topic comes from.
#[derive(Clone, Copy)]
pub(super) enum EpochSource<'a> {
    /// From the store, where a new generation of the topic becomes the current one: for the
    /// aggregator.
    Adopt(&'a GuardedBars),
    /// From the store, once an aggregator has adopted the generation: for every other process.
    Lookup(&'a GuardedBars),
    /// The epoch is 0: nothing refers to the offsets of the topic.
    Fixed,
}

/// Finds a topic and its epoch, checks the rights of the role, and opens the topic. The stores know
/// it as `name`; the brokers know it by that name after the configured prefix. Returns `None` if
/// the process is stopped first.
pub(super) async fn open_topic(
    connector: &ServerConnector,
    connection: &GuardedKafkaClient,
    name: &'static str,
    role_rights: &RoleRights,
    epoch_source: EpochSource<'_>,
) -> anyhow::Result<Option<OpenTopic>> {
    let health = connector.register_component(&format!("topic-{name}"));
    let rights = role_rights.on(name);
    let refusal = BindingRefusal::default();
    let attempt = || async {
        // Requested again at each attempt: a broker that lags may return the generation before.
        let full_name = connection.topic_names.full_name(name);
        let topic = connection.kafka.request_topic(&full_name).await?;
        topic.check_rights(rights).await?;
        let epoch = match epoch_source {
            EpochSource::Adopt(bars) => {
                // Before any topic is registered: a stranger's database stays as it is.
                match name {
                    schemas::TRADES => check_not_bound_elsewhere(&topic, bars, &refusal).await?,
                    _ => {
                        let full_name = connection.topic_names.full_name(schemas::TRADES);
                        let trades = connection.kafka.request_topic(&full_name).await?;
                        check_not_bound_elsewhere(&trades, bars, &refusal).await?;
                    }
                }
                let generation = TopicGeneration {
                    topic: name.to_owned(),
                    topic_id: topic.id().to_owned(),
                    partitions: topic.partition_count(),
                    origin: topic.origin(),
                };
                bars.register_topic(&generation).await?
            }
            EpochSource::Lookup(bars) => {
                let registered = bars.registered_topic_generations(name).await?;
                let mut registered = registered.into_iter();
                let Some(known) = registered.find(|known| known.topic_id == topic.id()) else {
                    return Err(OpenTopicError::NotAdopted(topic.id().to_owned()));
                };
                known.check_partitions(name, topic.partition_count(), "the database")?;
                known.epoch
            }
            EpochSource::Fixed => 0,
        };
        Ok::<(KafkaTopic, u64), OpenTopicError>((topic, epoch))
    };
    let found = connector
        .wait_for_server(&health, OpenTopicError::is_unusable_store, attempt)
        .await?;
    let Some((topic, epoch)) = found else {
        return Ok(None);
    };
    tracing::info!(topic = name, id = topic.id(), epoch, "topic opened");
    let log = AppendGuardedLog::new(topic.open_log(epoch)?, name, connection.guard.clone());
    Ok(Some(OpenTopic {
        log,
        topic,
        health,
        rights,
    }))
}

/// Checks that all topics have the same number of partitions: a record and the records that it
/// causes are in partitions of the same number.
///
/// # Errors
/// If two topics differ.
pub(super) fn check_equal_partition_counts(topics: &[(&str, &OpenTopic)]) -> anyhow::Result<()> {
    for pair in topics.windows(2) {
        let [(left_name, left), (right_name, right)] = pair else {
            continue;
        };
        let (left_count, right_count) = (left.log.partition_count(), right.log.partition_count());
        if left_count != right_count {
            bail!(
                "the topic {left_name} has {left_count} partitions and {right_name} has \
                 {right_count}, but a record and the records that it causes need partitions of the \
                 same number: delete the one of bar-updates and dead-letters that differs and run \
                 `candlewick topics apply --partitions N` with the partitions of trades; never add \
                 partitions to a topic, because keys would belong to others"
            );
        }
    }
    Ok(())
}

/// Waits for a limited time until appended records are acknowledged, and closes the connections.
pub(super) async fn close_topics(topics: Vec<GuardedTopic>) {
    let closing = tokio::task::spawn_blocking(move || {
        for topic in topics {
            topic.log().close();
        }
    });
    if clock::timeout(&SystemClock, CLOSE_TIMEOUT, closing)
        .await
        .is_err()
    {
        tracing::warn!("Kafka did not acknowledge every appended record before the end");
    }
}
