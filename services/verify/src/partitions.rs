//! How many partitions the log has.

use anyhow::Context;
use kafka::Kafka;

use super::arguments::Servers;

/// Asks the brokers, since the stores know only of partitions that somebody has folded.
pub(super) async fn of(servers: &Servers) -> anyhow::Result<u32> {
    let kafka = Kafka::connect(servers.kafka.clone())?;
    let name = servers.topics.full_name(schemas::TRADES);
    let topic = kafka.topic(&name).await.with_context(|| {
        format!(
            "the brokers at {} do not say how many partitions the topic {name} has, on which it \
             depends where a symbol is (--kafka-brokers, --kafka-topic-prefix)",
            servers.kafka.brokers
        )
    })?;
    let partitions = topic.partitions();
    // The client takes a moment to end.
    tokio::task::spawn_blocking(move || drop((topic, kafka))).await?;
    Ok(partitions)
}
