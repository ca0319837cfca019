//! A transaction of a foreign producer.

use std::sync::Arc;
use std::time::Duration;

use clock::{Clock, SystemClock};
use rdkafka::error::KafkaResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::{TortureKafkaClient, client_config};

/// How long one request of the producer may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// How long the brokers keep a transaction open whose producer is gone, in milliseconds.
const TRANSACTION_TIMEOUT_MS: &str = "60000";

/// A transaction that is open: readers get none of its records, and none that follow them.
pub(crate) struct OpenTransaction {
    brokers: String,
    id: String,
    producer: BaseProducer,
}

impl TortureKafkaClient {
    /// Opens a transaction that appends records, pairs of key and value, to a topic. It tries until
    /// the brokers have acknowledged the records. `id` names the producer.
    ///
    /// # Errors
    /// If the thread of the producer panics.
    pub(crate) async fn open_transaction(
        &self,
        id: String,
        topic: &'static str,
        records: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> anyhow::Result<OpenTransaction> {
        let records = Arc::new(records);
        loop {
            let (brokers, id, records) = (self.brokers.clone(), id.clone(), Arc::clone(&records));
            let opened = tokio::task::spawn_blocking(move || {
                let producer = begin_transaction_and_append(&brokers, &id, topic, &records)?;
                KafkaResult::Ok(OpenTransaction {
                    brokers,
                    id,
                    producer,
                })
            });
            // Otherwise a broker is away. The next producer of this id aborts what this one began.
            if let Ok(transaction) = opened.await? {
                return Ok(transaction);
            }
            SystemClock.sleep(RETRY_DELAY).await;
        }
    }
}

impl OpenTransaction {
    /// Aborts the transaction. It tries until the brokers have aborted it.
    ///
    /// # Errors
    /// If the thread of the producer panics.
    pub(crate) async fn abort(self) -> anyhow::Result<()> {
        let Self {
            brokers,
            id,
            producer,
        } = self;
        let aborted =
            tokio::task::spawn_blocking(move || producer.abort_transaction(REQUEST_TIMEOUT));
        let mut is_aborted = aborted.await?.is_ok();
        while !is_aborted {
            SystemClock.sleep(RETRY_DELAY).await;
            let (brokers, id) = (brokers.clone(), id.clone());
            // A producer that begins with the same id aborts the transaction of the one before.
            let next = tokio::task::spawn_blocking(move || {
                new_transactional_producer(&brokers, &id).is_ok()
            });
            is_aborted = next.await?;
        }
        Ok(())
    }
}

/// Returns the producer of a transaction that is left open.
fn begin_transaction_and_append(
    brokers: &str,
    id: &str,
    topic: &str,
    records: &[(Vec<u8>, Vec<u8>)],
) -> KafkaResult<BaseProducer> {
    let producer = new_transactional_producer(brokers, id)?;
    producer.begin_transaction()?;
    for (key, value) in records {
        let record = BaseRecord::to(topic).key(key).payload(value);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(REQUEST_TIMEOUT)?;
    Ok(producer)
}

fn new_transactional_producer(brokers: &str, id: &str) -> KafkaResult<BaseProducer> {
    let producer: BaseProducer = client_config(brokers)
        .set("transactional.id", id)
        .set("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS)
        .set("partitioner", "murmur2_random")
        .create()?;
    producer.init_transactions(REQUEST_TIMEOUT)?;
    Ok(producer)
}
