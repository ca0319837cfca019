//! A topic as the brokers know it, and the connection that appends to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::Producer as _;
use tokio::task::spawn_blocking;

use super::complaint::Complaints;
use super::delivery::{Deliveries, Delivery, Pending};
use super::native::{self, Description, Producer, Topic};
use super::{KafkaConfig, KafkaLog, failure, upkeep};
use eventlog::{Epoch, LogError, Metrics, NewRecord, Offset, PartitionId};

/// A connection to Kafka, with one producer for all topics. Cheap to clone.
///
/// Everything of it that is async runs within a Tokio runtime.
#[derive(Clone)]
pub struct Kafka {
    link: Arc<Link>,
}

struct Link {
    config: KafkaConfig,
    producer: Producer,
    pending: Arc<Pending>,
}

impl Kafka {
    /// Makes the clients. The brokers are first asked for something by [`Kafka::topic`].
    ///
    /// # Errors
    /// [`LogError::Refused`] where librdkafka cannot use the configuration; see
    /// [`KafkaConfig::errors`] for what can be known before.
    pub fn connect(config: KafkaConfig) -> Result<Self, LogError> {
        let refused = |reason| LogError::Refused {
            topic: "Kafka".to_owned(),
            reason,
        };
        let client = config
            .producer()
            .map_err(|error| refused(error.to_string()))?;
        let producer = Producer::from_config_and_context(&client, Deliveries::default())
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            link: Arc::new(Link {
                config,
                producer,
                pending: Arc::default(),
            }),
        })
    }

    /// Asks the brokers about a topic.
    ///
    /// # Errors
    /// [`LogError::Refused`] where there is none, which says how to make it, and
    /// [`LogError::Unavailable`] where the brokers do not answer.
    pub async fn topic(&self, name: &str) -> Result<KafkaTopic, LogError> {
        let described = self.describe(name).await;
        let Description { id, partitions } = described.map_err(|code| match code {
            code if failure::is_unknown_topic(code) => LogError::Refused {
                topic: name.to_owned(),
                reason: failure::missing(code),
            },
            code => self.complaints().explain(name, code),
        })?;
        let native =
            Topic::new(self.link.producer.clone(), name).map_err(|code| failure::of(name, code))?;
        Ok(KafkaTopic {
            topic: Arc::new(Opened {
                kafka: self.clone(),
                name: name.to_owned(),
                id,
                native,
                turns: (0..partitions).map(|_| Mutex::default()).collect(),
                metrics: Metrics::new(name),
            }),
        })
    }

    /// Whether anything can be appended yet, as far as the producer knows: after a fatal error it
    /// refuses all that comes, for ever. Asks nothing of the brokers.
    ///
    /// # Errors
    /// [`LogError::Refused`] where only another process can append.
    pub fn check_producer(&self) -> Result<(), LogError> {
        self.fatal("Kafka").map_or(Ok(()), Err)
    }

    fn fatal(&self, topic: &str) -> Option<LogError> {
        let (_, reason) = self.link.producer.client().fatal_error()?;
        Some(LogError::Refused {
            topic: topic.to_owned(),
            reason: format!("the producer cannot go on: {reason}; start the process again"),
        })
    }

    /// What the configuration says.
    pub(crate) fn config(&self) -> &KafkaConfig {
        &self.link.config
    }

    /// Asks the brokers, on a thread that may block.
    pub(crate) async fn describe(&self, name: &str) -> Result<Description, Code> {
        let (link, name) = (self.link.clone(), name.to_owned());
        let patience = link.config.request_timeout;
        let ask = move || {
            let described = native::describe_topic(&link.producer, &name, patience);
            let complaints = &link.producer.client().context().complaints;
            match described {
                Ok(_) => complaints.clear(),
                Err(_) => upkeep::keep(&link.config, "the producer", &link.producer, complaints),
            }
            described
        };
        spawn_blocking(ask).await.unwrap_or(Err(Code::Interrupted))
    }

    /// Why nobody answers the producer, which asks all questions about topics.
    pub(crate) fn complaints(&self) -> &Complaints {
        &self.link.producer.client().context().complaints
    }

    /// Looks after the producer; see [`upkeep::keep`].
    pub(crate) fn keep_producer(&self) {
        let Link {
            config, producer, ..
        } = &*self.link;
        upkeep::keep(config, "the producer", producer, self.complaints());
    }

    /// Waits until the brokers have answered for all that was appended, or it is given up.
    pub(crate) fn flush(&self) {
        let patience = self.link.config.delivery_timeout + Duration::from_secs(1);
        if let Err(error) = self.link.producer.flush(patience) {
            tracing::warn!(%error, "not all that was appended was acknowledged");
        }
    }
}

/// A topic that was there when it was asked for. Cheap to clone.
#[derive(Clone)]
pub struct KafkaTopic {
    topic: Arc<Opened>,
}

struct Opened {
    kafka: Kafka,
    name: String,
    id: String,
    native: Topic<Producer>,
    /// Held while an append's records are handed over, so that they are not mixed with others'.
    turns: Vec<Mutex<()>>,
    metrics: Metrics,
}

impl KafkaTopic {
    /// The topic's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.topic.name
    }

    /// What tells this topic from every other, one of the same name made anew too
    /// ([KIP-516](https://cwiki.apache.org/confluence/display/KAFKA/KIP-516%3A+Topic+Identifiers)).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.topic.id
    }

    /// How many partitions it has.
    #[must_use]
    pub fn partitions(&self) -> PartitionId {
        PartitionId::try_from(self.topic.turns.len()).expect("Kafka numbers them in 32 bits")
    }

    /// A log over this topic, whose generation the caller knows as `epoch`.
    ///
    /// Each log has a reader of its own for each partition, at one place; whoever reads the same
    /// partition for another purpose opens another.
    ///
    /// # Errors
    /// [`LogError::Refused`] where a client or its thread cannot be made.
    pub fn open(&self, epoch: Epoch) -> Result<KafkaLog, LogError> {
        KafkaLog::open(self, epoch)
    }

    pub(crate) fn kafka(&self) -> &Kafka {
        &self.topic.kafka
    }

    /// Hands the entries over, and waits until the brokers have them.
    pub(crate) async fn append(
        &self,
        partition: PartitionId,
        entries: Vec<NewRecord>,
    ) -> Result<std::ops::Range<Offset>, LogError> {
        let Opened { name, metrics, .. } = &*self.topic;
        let link = &self.topic.kafka.link;
        let count = entries.len();
        let size_bytes = self.check_sizes(&entries)?;
        let max_bytes = link.config.max_pending_bytes;
        link.pending
            .take(size_bytes, max_bytes)
            .map_err(|pending_bytes| LogError::Busy { pending_bytes })?;
        let (delivery, answered) = Delivery::new(count, size_bytes, link.pending.clone());
        self.hand_over(partition, &entries, &delivery);
        drop((entries, delivery));
        metrics.set_pending(link.pending.bytes());
        let outcome = answered.await.unwrap_or(Err(Code::PurgeQueue));
        metrics.set_pending(link.pending.bytes());
        let offsets = outcome.map_err(|code| self.undelivered(name, code))?;
        metrics.add_appended(count, size_bytes);
        Ok(offsets)
    }

    fn hand_over(&self, partition: PartitionId, entries: &[NewRecord], delivery: &Arc<Delivery>) {
        let native = i32::try_from(partition).expect("a number that the brokers gave");
        let turn = self.topic.turns[partition as usize].lock();
        let turn = turn.expect("no holder of the turn panics");
        let refused = native::produce(&self.topic.native, native, entries, delivery);
        drop(turn);
        if let Some((count, code)) = refused {
            delivery.fail(count, code);
        }
    }

    /// Before any record is taken, since half of an append is worse than none.
    fn check_sizes(&self, entries: &[NewRecord]) -> Result<usize, LogError> {
        let mut sum_bytes = 0;
        for entry in entries {
            let size_bytes = entry.key.len() + entry.value.len();
            if size_bytes > super::MAX_RECORD_BYTES {
                return Err(LogError::Refused {
                    topic: self.topic.name.clone(),
                    reason: format!(
                        "a record of {size_bytes} bytes, where {} are the most",
                        super::MAX_RECORD_BYTES
                    ),
                });
            }
            sum_bytes += size_bytes;
        }
        Ok(sum_bytes)
    }

    fn undelivered(&self, name: &str, code: Code) -> LogError {
        let kafka = &self.topic.kafka;
        if let Some(error) = kafka.fatal(name) {
            return error;
        }
        match code {
            Code::QueueFull => LogError::Busy {
                pending_bytes: kafka.link.pending.bytes(),
            },
            code => self.topic.kafka.complaints().explain(name, code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_that_cannot_go_on_says_so() {
        let nobody = KafkaConfig {
            brokers: "127.0.0.1:1".to_owned(),
            ..KafkaConfig::default()
        };
        let kafka = Kafka::connect(nobody).unwrap();
        // Brokers that do not answer are no reason to end.
        assert_eq!(kafka.check_producer(), Ok(()));
        native::break_producer(&kafka.link.producer, c"out of sequence");
        let error = kafka.check_producer().unwrap_err();
        assert!(!error.is_transient(), "{error}");
        let told = error.to_string();
        assert!(
            told.contains("out of sequence") && told.ends_with("start the process again"),
            "{told}"
        );
    }
}
