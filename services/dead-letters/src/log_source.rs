//! Opens the topics `dead-letters` and `trades`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clock::SystemClock;
use eventlog::{EmbeddedLog, Log};
use kafka::{KafkaClient, KafkaConfig, KafkaLog};

use connect::{DataFolder, DataFolderOptions, RoleRights, TopicNames};

/// Where the topics are.
#[derive(Debug)]
pub(crate) enum LogSource {
    /// A data folder.
    Folder(PathBuf),
    /// Kafka.
    Kafka(Box<KafkaConfig>, TopicNames),
}

/// The two topics.
pub(crate) struct DeadLettersAndTradesLogs<L> {
    pub(crate) dead_letters: L,
    pub(crate) trades: L,
}

/// Opens the topics of a data folder.
///
/// # Errors
/// If another process has the folder open.
pub(crate) fn open_folder_topics(
    path: &Path,
) -> anyhow::Result<DeadLettersAndTradesLogs<EmbeddedLog>> {
    if !DataFolder::exists(path) {
        bail!("{} is not a data folder", path.display());
    }
    let opened = DataFolder::open_or_create_logs(path, DataFolderOptions::default(), SystemClock);
    let (trades, dead_letters) = opened.context("cannot open the data folder")?;
    Ok(DeadLettersAndTradesLogs {
        dead_letters,
        trades,
    })
}

/// Opens the topics of a cluster.
///
/// # Errors
/// If no broker answers, a right is missing, or the topics have different numbers of partitions.
pub(crate) async fn open_kafka_topics(
    config: KafkaConfig,
    names: &TopicNames,
    rights: &RoleRights,
) -> anyhow::Result<DeadLettersAndTradesLogs<KafkaLog>> {
    let brokers = config.brokers.clone();
    let kafka = KafkaClient::create(config)?;
    let open_topic = async |name| {
        let topic = kafka.request_topic(&names.full_name(name)).await?;
        topic.check_rights(rights.on(name)).await?;
        // The epoch does not matter here: no offset is compared with a stored one.
        topic.open_log(0)
    };
    let dead_letters = open_topic(schemas::DEAD_LETTERS).await.with_context(|| {
        format!("cannot read Kafka at {brokers}; --data FOLDER reads a data folder instead")
    })?;
    let logs = DeadLettersAndTradesLogs {
        dead_letters,
        trades: open_topic(schemas::TRADES).await?,
    };
    if logs.dead_letters.partition_count() != logs.trades.partition_count() {
        bail!(
            "the topics dead-letters and trades have different numbers of partitions; see \
             `candlewick topics apply`"
        );
    }
    Ok(logs)
}
