//! A real Kafka, which the tests need.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use candlewick_kafka::{Kafka, KafkaConfig, KafkaLog};
use eventlog::{Epoch, Log, Offset, PartitionId};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, TopicPartitionList};

/// A running Kafka and our connection to it.
pub(crate) struct Broker {
    admin: AdminClient<DefaultClientContext>,
    pub(crate) kafka: Kafka,
}

impl Broker {
    /// Fails where no broker is named: a test that did nothing would pass.
    pub(crate) fn connect() -> Self {
        let config = Self::config();
        let admin = ClientConfig::new()
            .set("bootstrap.servers", &config.brokers)
            .create()
            .unwrap();
        let kafka = Kafka::connect(config).unwrap();
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

    /// A name that no other run has.
    pub(crate) fn name(test: &str) -> String {
        let random = RandomState::new().hash_one(test);
        format!("{}-{random:016x}", test.replace('_', "-"))
    }

    /// A new topic for one test, made as `candlewick topics apply` would.
    pub(crate) async fn make_topic(&self, test: &str, partitions: PartitionId) -> String {
        let name = Self::name(test);
        self.make(&name, partitions).await;
        name
    }

    pub(crate) async fn make(&self, name: &str, partitions: PartitionId) {
        self.make_stamped(name, partitions, "LogAppendTime").await;
    }

    pub(crate) async fn make_stamped(&self, name: &str, partitions: PartitionId, time: &str) {
        let partitions = i32::try_from(partitions).unwrap();
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1))
            .set("message.timestamp.type", time)
            .set("max.message.bytes", "4196352");
        let made = self.admin.create_topics([&topic], &AdminOptions::new());
        for outcome in made.await.unwrap() {
            outcome.unwrap();
        }
        self.until_served(name, partitions).await;
    }

    /// Waits until the brokers have heard of it from the controller.
    pub(crate) async fn until_served(&self, name: &str, partitions: i32) {
        for _ in 0..1_000 {
            if let Ok(topic) = self.kafka.topic(name).await {
                let log = topic.open(0).unwrap();
                let partitions = 0..PartitionId::try_from(partitions).unwrap();
                let asked = partitions.map(|partition| log.bounds(partition));
                let answered = futures_util::future::join_all(asked).await;
                if answered.iter().all(Result::is_ok) {
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

    /// Drops the records of a partition before `offset`, as retention does.
    pub(crate) async fn drop_before(&self, name: &str, partition: PartitionId, offset: Offset) {
        let mut list = TopicPartitionList::new();
        let offset = rdkafka::Offset::Offset(i64::try_from(offset).unwrap());
        list.add_partition_offset(name, i32::try_from(partition).unwrap(), offset)
            .unwrap();
        let dropped = self.admin.delete_records(&list, &AdminOptions::new());
        dropped.await.unwrap();
    }

    pub(crate) async fn open(&self, name: &str, epoch: Epoch) -> KafkaLog {
        self.kafka.topic(name).await.unwrap().open(epoch).unwrap()
    }
}
