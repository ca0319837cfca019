//! Where dead letters are, and the trades beside them.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clock::SystemClock;
use eventlog::{EmbeddedLog, Log};
use kafka::{Kafka, KafkaConfig, KafkaLog};

use connect::TopicNames;
use connect::{Folder, FolderOptions};

/// Where dead letters are.
#[derive(Debug)]
pub(super) enum Source {
    /// In a data folder.
    Folder(PathBuf),
    /// In Kafka.
    Cluster(Box<KafkaConfig>, TopicNames),
}

/// The two topics.
pub(super) struct Logs<L> {
    pub(super) letters: L,
    pub(super) trades: L,
}

/// The topics of a data folder, which no process may hold.
pub(super) fn folder(path: &Path) -> anyhow::Result<Logs<EmbeddedLog>> {
    if !Folder::exists(path) {
        bail!("{} is not a data folder", path.display());
    }
    let opened = Folder::open_logs(path, FolderOptions::default(), SystemClock);
    let (trades, letters) = opened.context("cannot open the data folder")?;
    Ok(Logs { letters, trades })
}

/// The topics of a cluster.
pub(super) async fn cluster(
    config: KafkaConfig,
    names: &TopicNames,
) -> anyhow::Result<Logs<KafkaLog>> {
    let brokers = config.brokers.clone();
    let kafka = Kafka::connect(config)?;
    let open = async |name| {
        let topic = kafka.topic(&names.full_name(name)).await?;
        // Which generation it is means nothing here: no offset is compared with a stored one.
        topic.open(0)
    };
    let letters = open(schemas::DEAD_LETTERS).await.with_context(|| {
        format!("cannot read Kafka at {brokers}; --data FOLDER reads a data folder instead")
    })?;
    let logs = Logs {
        letters,
        trades: open(schemas::TRADES).await?,
    };
    if logs.letters.partitions() != logs.trades.partitions() {
        bail!("the topics have to have as many partitions; see `candlewick topics apply`");
    }
    Ok(logs)
}
