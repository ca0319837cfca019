//! A connection to the real Kafka that the tests need.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use candlewick_kafka::{KafkaClient, KafkaConfig, KafkaLog};
use eventlog::{Epoch, Log, Offset, PartitionId};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, TopicPartitionList};

/// A connection to a running Kafka.
pub(crate) struct Broker {
    admin: AdminClient<DefaultClientContext>,
    pub(crate) kafka: KafkaClient,
}

impl Broker {
    /// Connects to the Kafka of the environment. Panics if there is none: a test that did nothing
    /// would pass.
    pub(crate) fn connect() -> Self {
        let config = Self::config();
        let admin = ClientConfig::new()
            .set("bootstrap.servers", &config.brokers)
            .create()
            .unwrap();
        let kafka = KafkaClient::create(config).unwrap();
        Self { admin, kafka }
    }

    pub(crate) fn config() -> KafkaConfig {
        let Ok(brokers) = std::env::var("CANDLEWICK_KAFKA") else {
            panic!(
                "this test needs a Kafka: run `make stack`, and set CANDLEWICK_KAFKA to its \
                 brokers, such as 127.0.0.1:19092"
            );
        };
        KafkaConfig {
            brokers,
            ..KafkaConfig::default()
        }
    }

    /// Returns a topic name that no other test run uses.
    pub(crate) fn unique_name(test: &str) -> String {
        let random = RandomState::new().hash_one(test);
        format!("{}-{random:016x}", test.replace('_', "-"))
    }

    /// Creates a topic for one test, as `candlewick topics apply` would, and returns its name.
    pub(crate) async fn create_topic(&self, test: &str, partitions: PartitionId) -> String {
        let name = Self::unique_name(test);
        self.create_named_topic(&name, partitions).await;
        name
    }

    pub(crate) async fn create_named_topic(&self, name: &str, partitions: PartitionId) {
        let partitions = i32::try_from(partitions).unwrap();
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1))
            .set("message.timestamp.type", "LogAppendTime")
            .set("max.message.bytes", "4196352");
        let created = self.admin.create_topics([&topic], &AdminOptions::new());
        for outcome in created.await.unwrap() {
            outcome.unwrap();
        }
        self.wait_until_served(name, partitions).await;
    }

    /// Sets `message.timestamp.type`. The brokers apply it a moment later.
    pub(crate) async fn set_timestamps(&self, name: &str, timestamp_type: &str) {
        let topic = AlterConfig::new(ResourceSpecifier::Topic(name))
            .set("message.timestamp.type", timestamp_type)
            .set("max.message.bytes", "4196352");
        let changed = self.admin.alter_configs([&topic], &AdminOptions::new());
        for outcome in changed.await.unwrap() {
            outcome.unwrap();
        }
    }

    /// Waits until the brokers serve all partitions of the topic, which they learn from the
    /// controller.
    pub(crate) async fn wait_until_served(&self, name: &str, partitions: i32) {
        for _ in 0..1_000 {
            if let Ok(topic) = self.kafka.request_topic(name).await {
                let log = topic.open_log(0).unwrap();
                let partitions = 0..PartitionId::try_from(partitions).unwrap();
                let requests = partitions.map(|partition| log.bounds(partition));
                let bounds = futures_util::future::join_all(requests).await;
                if bounds.iter().all(Result::is_ok) {
                    return;
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{name} is not served within ten seconds");
    }

    pub(crate) async fn delete_topic(&self, name: &str) {
        let deleted = self.admin.delete_topics(&[name], &AdminOptions::new());
        for outcome in deleted.await.unwrap() {
            outcome.unwrap();
        }
    }

    /// Deletes the records of a partition before `offset`, as retention does.
    pub(crate) async fn delete_records_before(
        &self,
        name: &str,
        partition: PartitionId,
        offset: Offset,
    ) {
        let mut list = TopicPartitionList::new();
        let offset = rdkafka::Offset::Offset(i64::try_from(offset).unwrap());
        list.add_partition_offset(name, i32::try_from(partition).unwrap(), offset)
            .unwrap();
        let deleted = self.admin.delete_records(&list, &AdminOptions::new());
        deleted.await.unwrap();
    }

    pub(crate) async fn open(&self, name: &str, epoch: Epoch) -> KafkaLog {
        self.kafka
            .request_topic(name)
            .await
            .unwrap()
            .open_log(epoch)
            .unwrap()
    }
}
