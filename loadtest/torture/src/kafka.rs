//! Kafka through plain clients of librdkafka, without Candlewick's crate.

mod open_transaction;
mod topic_settings;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::bail;
use clock::{Clock, SystemClock};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message, Timestamp};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::journal::lock;

const TIMEOUT: Duration = Duration::from_secs(10);
/// How long reading to the end may wait for a record.
const STALLED_NS: u64 = 60_000_000_000;

/// A record as the brokers return it.
#[derive(Debug, Clone)]
pub(crate) struct BrokerRecord {
    pub(crate) offset: u64,
    /// When the log accepted the record; `None` if the record has its sender's time instead.
    pub(crate) append_time_ns: Option<i64>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// The records of a topic: a list for each partition.
pub(crate) type RecordsByPartition = Vec<Vec<BrokerRecord>>;

/// Clients of the brokers.
#[derive(Clone)]
pub(crate) struct TortureKafkaClient {
    brokers: String,
    partitions: u32,
    producer: Arc<Mutex<NumberedProducer>>,
}

/// A producer, and the number of producers before it.
#[derive(Clone)]
struct NumberedProducer {
    number: u64,
    producer: FutureProducer,
}

impl NumberedProducer {
    fn replace(&mut self, brokers: &str) -> anyhow::Result<()> {
        *self = Self {
            number: self.number + 1,
            producer: new_producer(brokers)?,
        };
        Ok(())
    }
}

impl TortureKafkaClient {
    pub(crate) fn new(brokers: &str, partitions: u32) -> anyhow::Result<Self> {
        Ok(Self {
            brokers: brokers.to_owned(),
            partitions,
            producer: Arc::new(Mutex::new(NumberedProducer {
                number: 0,
                producer: new_producer(brokers)?,
            })),
        })
    }

    /// Replaces the producer with a new one: librdkafka does not follow the leader of a recreated
    /// partition if the old leader epoch was greater.
    fn replace_producer(&self) -> anyhow::Result<()> {
        lock(&self.producer).replace(&self.brokers)
    }

    /// Replaces a producer that could not send, unless another task has replaced it: librdkafka
    /// makes no further attempt after the metadata named no broker.
    fn replace_failed_producer(&self, number: u64) {
        let mut held = lock(&self.producer);
        if held.number == number {
            // If none can be created, the current one is used again.
            let _ = held.replace(&self.brokers);
        }
    }

    pub(crate) const fn partitions(&self) -> u32 {
        self.partitions
    }

    /// Sends a record until the brokers acknowledge it; returns its partition and offset. Without a
    /// partition the key determines it. The log may hold the record twice.
    pub(crate) async fn send_until_acknowledged(
        &self,
        topic: &str,
        partition: Option<u32>,
        key: &[u8],
        value: &[u8],
    ) -> (u32, u64) {
        loop {
            let mut record = FutureRecord::to(topic).key(key).payload(value);
            if let Some(partition) = partition {
                record = record.partition(i32::try_from(partition).unwrap_or_default());
            }
            let NumberedProducer { number, producer } = lock(&self.producer).clone();
            match producer.send(record, TIMEOUT).await {
                Ok(delivery) => {
                    let partition = u32::try_from(delivery.partition).unwrap_or_default();
                    return (
                        partition,
                        u64::try_from(delivery.offset).unwrap_or_default(),
                    );
                }
                Err(_) => {
                    self.replace_failed_producer(number);
                    SystemClock.sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    /// Returns the end of each partition: the offset after its last record.
    ///
    /// # Errors
    /// If the brokers do not respond.
    pub(crate) async fn partition_ends(&self, topic: &str) -> anyhow::Result<Vec<u64>> {
        let (brokers, partitions, topic) =
            (self.brokers.clone(), self.partitions, topic.to_owned());
        let asked = tokio::task::spawn_blocking(move || {
            let consumer = new_consumer(&brokers)?;
            let mut ends = Vec::new();
            for partition in 0..partitions {
                let (_, end) =
                    consumer.fetch_watermarks(&topic, i32::try_from(partition)?, TIMEOUT)?;
                ends.push(u64::try_from(end)?);
            }
            anyhow::Ok(ends)
        });
        asked.await?
    }

    /// Reads a topic from its beginning to its current end.
    ///
    /// # Errors
    /// If the brokers do not respond, or no record arrives in time.
    pub(crate) async fn read_topic(&self, topic: &str) -> anyhow::Result<RecordsByPartition> {
        let (brokers, partitions, topic) =
            (self.brokers.clone(), self.partitions, topic.to_owned());
        tokio::task::spawn_blocking(move || read_topic_blocking(&brokers, partitions, &topic))
            .await?
    }

    /// Deletes a topic, gives the brokers half a second, and replaces the producer.
    ///
    /// # Errors
    /// If the brokers do not delete it in time.
    pub(crate) async fn delete_topic(&self, topic: &str) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = client_config(&self.brokers).create()?;
        let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
        for answer in admin.delete_topics(&[topic], &options).await? {
            if let Err((topic, code)) = answer {
                bail!("{topic} cannot be deleted: {code}");
            }
        }
        SystemClock.sleep(Duration::from_millis(500)).await;
        self.replace_producer()
    }
}

fn client_config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "torture")
        .set("reconnect.backoff.max.ms", "500")
        .set("allow.auto.create.topics", "false")
        .set("log_level", "0");
    config
}

fn new_producer(brokers: &str) -> anyhow::Result<FutureProducer> {
    let producer = client_config(brokers)
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("message.timeout.ms", "20000")
        .set("message.max.bytes", schemas::MAX_MESSAGE_BYTES.to_string())
        .create()?;
    Ok(producer)
}

fn new_consumer(brokers: &str) -> anyhow::Result<BaseConsumer> {
    let consumer = client_config(brokers)
        .set("group.id", "torture")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .create()?;
    Ok(consumer)
}

fn read_topic_blocking(
    brokers: &str,
    partitions: u32,
    topic: &str,
) -> anyhow::Result<RecordsByPartition> {
    let consumer = new_consumer(brokers)?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, i32::try_from(partition)?, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut records: RecordsByPartition = (0..partitions).map(|_| Vec::new()).collect();
    let mut ended = vec![false; records.len()];
    let mut heard_ns = SystemClock.monotonic_ns();
    while !ended.iter().all(|ended| *ended) {
        match consumer.poll(Duration::from_millis(500)) {
            Some(Ok(message)) => {
                heard_ns = SystemClock.monotonic_ns();
                let append_time_ns = match message.timestamp() {
                    Timestamp::LogAppendTime(time_ms) => Some(time_ms * 1_000_000),
                    Timestamp::CreateTime(_) | Timestamp::NotAvailable => None,
                };
                let list = &mut records[usize::try_from(message.partition())?];
                list.push(BrokerRecord {
                    offset: u64::try_from(message.offset())?,
                    append_time_ns,
                    key: message.key().unwrap_or_default().to_vec(),
                    value: message.payload().unwrap_or_default().to_vec(),
                });
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ended[usize::try_from(partition)?] = true;
            }
            Some(Err(_)) | None => {
                if SystemClock.monotonic_ns() - heard_ns > STALLED_NS {
                    bail!("{topic} cannot be read to its end");
                }
            }
        }
    }
    Ok(records)
}
