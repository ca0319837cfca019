//! Finding transactions that a producer has left open.

use eventlog::{LogError, Offset, PartitionId};
use rdkafka::consumer::Consumer as _;
use tokio::task::spawn_blocking;

use crate::native::ReaderClient;
use crate::topic::KafkaTopic;
use crate::topic_reader::create_reader_client;

/// Asks the brokers for the transactions that are open in a topic.
pub struct OpenTransactionFinder {
    topic: KafkaTopic,
    /// Its end of a partition is the last stable offset: the first record of the oldest open
    /// transaction, if one is open.
    committed: ReaderClient,
    /// Its end of a partition is the high watermark, behind all records.
    uncommitted: ReaderClient,
}

impl KafkaTopic {
    /// Returns a finder of open transactions in this topic. Makes no request to the brokers.
    ///
    /// # Errors
    /// [`LogError::Refused`] if a client cannot be created.
    pub fn open_transaction_finder(&self) -> Result<OpenTransactionFinder, LogError> {
        let refused = |reason: String| LogError::Refused {
            topic: self.name().to_owned(),
            reason,
        };
        let config = self.kafka().config().reader_client_config(1);
        let mut config = config.map_err(|error| refused(error.to_string()))?;
        let committed = create_reader_client(&config, self.name()).map_err(refused)?;
        config.set("isolation.level", "read_uncommitted");
        Ok(OpenTransactionFinder {
            topic: self.clone(),
            committed,
            uncommitted: create_reader_client(&config, self.name()).map_err(refused)?,
        })
    }
}

impl OpenTransactionFinder {
    /// Returns the offset at which the oldest open transaction of a partition begins, or `None` if
    /// none is open.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] if the brokers do not answer.
    pub async fn find(&self, partition: PartitionId) -> Result<Option<Offset>, LogError> {
        // In this order: a transaction that ends between the requests is no longer open.
        let high_watermark = self.end(&self.uncommitted, partition).await?;
        let last_stable = self.end(&self.committed, partition).await?;
        Ok(Some(last_stable).filter(|offset| *offset < high_watermark))
    }

    async fn end(&self, client: &ReaderClient, partition: PartitionId) -> Result<Offset, LogError> {
        let (client, name) = (client.clone(), self.topic.name().to_owned());
        let timeout = self.topic.kafka().config().request_timeout;
        let native_partition = i32::try_from(partition).expect("Kafka numbers them in 31 bits");
        let asked =
            spawn_blocking(move || client.fetch_watermarks(&name, native_partition, timeout));
        let unavailable = |reason: String| LogError::Unavailable {
            topic: self.topic.name().to_owned(),
            reason,
        };
        let (_, end) = asked
            .await
            .map_err(|error| unavailable(format!("the request was not made: {error}")))?
            .map_err(|error| unavailable(error.to_string()))?;
        Offset::try_from(end).map_err(|_| unavailable(format!("the broker names the end {end}")))
    }
}
