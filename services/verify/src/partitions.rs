//! The log that the stores are filled from.

use anyhow::Context;
use connect::VERIFY_RIGHTS;
use eventlog::LogError;
use kafka::{KafkaClient, KafkaTopic};

use crate::arguments::ClusterConfig;

/// Requests the topic `trades` from the brokers. The stores know only the partitions that were
/// folded.
pub(crate) async fn request_trades_topic(config: &ClusterConfig) -> anyhow::Result<KafkaTopic> {
    let kafka = KafkaClient::create(config.kafka.clone())?;
    let name = config.topics.full_name(schemas::TRADES);
    let request = async {
        let topic = kafka.request_topic(&name).await?;
        topic
            .check_rights(VERIFY_RIGHTS.on(schemas::TRADES))
            .await?;
        Ok::<_, LogError>(topic)
    };
    request.await.with_context(|| {
        format!(
            "cannot get the number of partitions of the topic {name} from the brokers at {}, which \
             decides in which partition a symbol is (--kafka-brokers, --kafka-topic-prefix)",
            config.kafka.brokers
        )
    })
}
