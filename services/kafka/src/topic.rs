//! A topic as the brokers know it, and appending to it.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use eventlog::{LogError, NewRecord, Offset, PartitionId, TopicMetrics};
use rdkafka::error::RDKafkaErrorCode as Code;

use crate::config::MAX_RECORD_BYTES;
use crate::connection::KafkaClient;
use crate::delivery::PendingAppend;
use crate::error_mapping;
use crate::native::{self, ProducerClient, TopicDescription, TopicHandle};

/// A topic that existed when it was requested. Cheap to clone.
#[derive(Clone)]
pub struct KafkaTopic {
    topic: Arc<SharedTopic>,
}

/// What the clones of a topic share.
struct SharedTopic {
    kafka: KafkaClient,
    name: String,
    id: String,
    cluster_id: String,
    handle: TopicHandle<ProducerClient>,
    /// One lock for each partition. It is held while the records of an append are enqueued, so
    /// that the records of two appends are not mixed.
    enqueue_locks: Vec<Mutex<()>>,
    metrics: TopicMetrics,
}

impl KafkaClient {
    /// Requests a topic from the brokers.
    ///
    /// # Errors
    /// [`LogError::Refused`] if the topic does not exist, with the command that creates it, and
    /// [`LogError::Unavailable`] if the brokers do not answer.
    pub async fn request_topic(&self, name: &str) -> Result<KafkaTopic, LogError> {
        let described = self.describe_topic(name).await;
        let TopicDescription { id, partitions, .. } = described.map_err(|code| match code {
            code if error_mapping::is_unknown_topic(code) => LogError::Refused {
                topic: name.to_owned(),
                reason: error_mapping::missing_topic_text(code),
            },
            code => self.last_connection_error().explain_code(name, code),
        })?;
        let cluster_id = self.request_cluster_id().await;
        let cluster_id = cluster_id.ok_or_else(|| LogError::Unavailable {
            topic: name.to_owned(),
            reason: "the brokers did not say which cluster they are of".to_owned(),
        })?;
        let handle = TopicHandle::new(self.producer().clone(), name)
            .map_err(|code| error_mapping::log_error_from_code(name, code))?;
        Ok(KafkaTopic {
            topic: Arc::new(SharedTopic {
                kafka: self.clone(),
                name: name.to_owned(),
                id,
                cluster_id,
                handle,
                enqueue_locks: (0..partitions).map(|_| Mutex::default()).collect(),
                metrics: TopicMetrics::register_metrics(name),
            }),
        })
    }
}

impl KafkaTopic {
    /// Returns the name of the topic.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.topic.name
    }

    /// Returns the identifier of the topic, which no other topic has, not even one of the same name
    /// that was created after this one was deleted
    /// ([KIP-516](https://cwiki.apache.org/confluence/display/KAFKA/KIP-516%3A+Topic+Identifiers)).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.topic.id
    }

    /// Returns which log this is: the identifier of the Kafka cluster and the name of the topic.
    /// All generations of the topic have the same.
    #[must_use]
    pub fn origin(&self) -> String {
        format!(
            "topic {} of Kafka cluster {}",
            self.topic.name, self.topic.cluster_id
        )
    }

    /// Returns the number of partitions.
    #[must_use]
    pub fn partition_count(&self) -> PartitionId {
        let count = self.topic.enqueue_locks.len();
        PartitionId::try_from(count).expect("Kafka numbers partitions in 32 bits")
    }

    pub(crate) fn kafka(&self) -> &KafkaClient {
        &self.topic.kafka
    }

    /// Appends records, and waits until the brokers have acknowledged them.
    pub(crate) async fn append(
        &self,
        partition: PartitionId,
        records: Vec<NewRecord>,
    ) -> Result<Range<Offset>, LogError> {
        let metrics = &self.topic.metrics;
        let pending_bytes = self.kafka().pending_bytes();
        let count = records.len();
        let size_bytes = self.check_record_sizes_and_sum_bytes(&records)?;
        pending_bytes
            .try_add_or_get_pending(size_bytes, self.kafka().config().max_pending_bytes)
            .map_err(|pending_bytes| LogError::Busy { pending_bytes })?;
        let (delivery, receiver) = PendingAppend::new(count, size_bytes, pending_bytes.clone());
        self.enqueue(partition, &records, &delivery);
        drop((records, delivery));
        metrics.set_pending_bytes(pending_bytes.get());
        let outcome = receiver.await.unwrap_or(Err(Code::PurgeQueue));
        metrics.set_pending_bytes(pending_bytes.get());
        let offsets = outcome.map_err(|code| self.append_error(code))?;
        metrics.add_appended(count, size_bytes);
        Ok(offsets)
    }

    /// Puts the records into the queue of the producer.
    fn enqueue(
        &self,
        partition: PartitionId,
        records: &[NewRecord],
        delivery: &Arc<PendingAppend>,
    ) {
        let native_partition = i32::try_from(partition).expect("the brokers gave the number");
        let lock = self.topic.enqueue_locks[partition as usize].lock();
        let lock = lock.expect("no holder of the lock panics");
        let refused =
            native::enqueue_records(&self.topic.handle, native_partition, records, delivery);
        drop(lock);
        if let Some(refused) = refused {
            delivery.settle_failed_records(refused.count, refused.first_error);
        }
    }

    /// Returns the size of all records together, or an error if one of them is too large. The sizes
    /// are checked before any record is enqueued, because a part of an append must not be appended
    /// alone.
    fn check_record_sizes_and_sum_bytes(&self, records: &[NewRecord]) -> Result<usize, LogError> {
        let mut sum_bytes = 0;
        for record in records {
            let size_bytes = record.key.len() + record.value.len();
            if size_bytes > MAX_RECORD_BYTES {
                return Err(LogError::Refused {
                    topic: self.topic.name.clone(),
                    reason: format!(
                        "a record has {size_bytes} bytes; the maximum is {MAX_RECORD_BYTES}"
                    ),
                });
            }
            sum_bytes += size_bytes;
        }
        Ok(sum_bytes)
    }

    /// Returns the error of an append that ended with `code`.
    fn append_error(&self, code: Code) -> LogError {
        let (kafka, name) = (self.kafka(), self.name());
        if let Some(error) = kafka.fatal_producer_error(name) {
            return error;
        }
        match code {
            Code::QueueFull => LogError::Busy {
                pending_bytes: kafka.pending_bytes().get(),
            },
            code => kafka.last_connection_error().explain_code(name, code),
        }
    }
}
