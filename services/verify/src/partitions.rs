//! The number of partitions of the log.

use anyhow::Context;
use kafka::KafkaClient;

use crate::arguments::ClusterConfig;

/// Requests the number of partitions of the topic `trades` from the brokers. The stores know only
/// the partitions that were folded.
pub(crate) async fn request_trades_partition_count(config: &ClusterConfig) -> anyhow::Result<u32> {
    let kafka = KafkaClient::connect(config.kafka.clone())?;
    let name = config.topics.full_name(schemas::TRADES);
    let topic = kafka.request_topic(&name).await.with_context(|| {
        format!(
            "cannot get the number of partitions of the topic {name} from the brokers at {}, which \
             decides in which partition a symbol is (--kafka-brokers, --kafka-topic-prefix)",
            config.kafka.brokers
        )
    })?;
    let partitions = topic.partitions();
    // Dropping the client blocks for a moment.
    tokio::task::spawn_blocking(move || drop((topic, kafka))).await?;
    Ok(partitions)
}
