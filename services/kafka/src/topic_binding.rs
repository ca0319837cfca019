//! Which database a topic belongs to, as far as the brokers know.
//!
//! Kafka has no place for facts about a topic, but keeps a text with the committed offset of a
//! consumer group. The group `TOPIC.database`, which has no members, has committed the offset 0 of
//! partition 0; the text of that commit names the database. Brokers forget the offsets of a group
//! without members after `offsets.retention.minutes`, a week by default, unless they are committed
//! again.

use std::sync::Arc;
use std::time::Duration;

use eventlog::LogError;
use rdkafka::config::FromClientConfig as _;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::spawn_blocking;

use crate::error_mapping;
use crate::topic::KafkaTopic;

/// The partition whose committed offset holds the text.
const PARTITION: i32 = 0;

/// Reads and writes which database a topic belongs to. Dropping it blocks for a moment.
pub struct TopicBinding {
    consumer: Arc<BaseConsumer>,
    topic: String,
    timeout: Duration,
}

impl KafkaTopic {
    /// Opens the binding of the topic. Makes no request to the brokers.
    ///
    /// # Errors
    /// [`LogError::Refused`] if the client cannot be created.
    pub fn open_binding(&self) -> Result<TopicBinding, LogError> {
        let refused = |reason: String| LogError::Refused {
            topic: self.name().to_owned(),
            reason,
        };
        let config = self.kafka().config();
        let mut client = config
            .member_client_config(&TopicBinding::group_name(self.name()), None)
            .map_err(|error| refused(error.to_string()))?;
        client.set("statistics.interval.ms", "0");
        let consumer =
            BaseConsumer::from_config(&client).map_err(|error| refused(error.to_string()))?;
        Ok(TopicBinding {
            consumer: Arc::new(consumer),
            topic: self.name().to_owned(),
            timeout: config.request_timeout,
        })
    }
}

impl TopicBinding {
    /// Returns the name of the group of a topic.
    #[must_use]
    pub fn group_name(topic: &str) -> String {
        format!("{topic}.database")
    }

    /// Returns the text that the topic is bound to, or `None` if it is not bound.
    ///
    /// # Errors
    /// A [`LogError`] if the brokers do not answer or deny access to the group.
    pub async fn read(&self) -> Result<Option<String>, LogError> {
        let (consumer, timeout) = (self.consumer.clone(), self.timeout);
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, PARTITION);
        let read = move || {
            let committed = consumer.committed_offsets(list, timeout)?;
            let elements = committed.elements();
            let Some(element) = elements.first() else {
                return Ok(None);
            };
            element.error()?;
            Ok(Some(element.metadata().to_owned()))
        };
        let text = self.run_blocking(read).await?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// Binds the topic to a text, in place of an earlier one.
    ///
    /// # Errors
    /// As for [`TopicBinding::read`].
    pub async fn write(&self, text: &str) -> Result<(), LogError> {
        let consumer = self.consumer.clone();
        let (topic, text) = (self.topic.clone(), text.to_owned());
        let write = move || {
            let mut list = TopicPartitionList::new();
            let mut element = list.add_partition(&topic, PARTITION);
            element.set_offset(Offset::Offset(0))?;
            element.set_metadata(&text);
            consumer.commit(&list, CommitMode::Sync)
        };
        self.run_blocking(write).await
    }

    async fn run_blocking<T: Send + 'static>(
        &self,
        request: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, LogError> {
        match spawn_blocking(request).await {
            Ok(result) => result
                .map_err(|error| error_mapping::log_error_from_kafka_error(&self.topic, &error)),
            Err(error) => Err(LogError::Unavailable {
                topic: self.topic.clone(),
                reason: format!("the request was not made: {error}"),
            }),
        }
    }
}
