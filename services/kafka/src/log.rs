//! A topic of Kafka as a [`Log`].

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use eventlog::{Epoch, Log, LogError, NewRecord, Offset, OffsetBounds, PartitionId, RecordBatch};
use tokio::select;

use crate::partition_reader::{PartitionReader, ReadOutcome, UnreadRange};
use crate::poll_rounds::{CHECK_ROUNDS, TIMEOUT_ROUNDS};
use crate::poller;
use crate::rights::TopicRight;
use crate::topic::KafkaTopic;
use crate::topic_reader::SharedTopicReader;

/// A topic of Kafka as a log.
///
/// Clones share one reader for each partition, which reads ahead from where the last fetch ended. A
/// fetch at another offset restarts it there, which costs a request to the brokers. Fetches of a
/// partition run one after the other, so that fetches at different offsets do not move the reader
/// back and forth. A reader that is not used for a minute stops. The log must be used within a
/// Tokio runtime.
///
/// The records of an append become visible one by one as they are acknowledged, not as a whole.
#[derive(Clone)]
pub struct KafkaLog {
    reader: Arc<SharedTopicReader>,
}

/// What ended a wait for a partition.
#[derive(PartialEq, Eq)]
enum WaitEnd {
    /// The partition may have changed.
    Change,
    /// A poll round has begun.
    PollRound,
}

impl KafkaTopic {
    /// Opens a log over this topic, whose generation the caller knows as `epoch`.
    ///
    /// Each log has one reader for each partition, which is at one offset. A caller that reads the
    /// same partition for another purpose opens another log.
    ///
    /// # Errors
    /// [`LogError::Refused`] if a client or its thread cannot be created.
    pub fn open_log(&self, epoch: Epoch) -> Result<KafkaLog, LogError> {
        let reader = Arc::new(SharedTopicReader::new(self, epoch)?);
        let consumer = reader.consumer().clone();
        poller::start_poller(self.name(), consumer, Arc::downgrade(&reader)).map_err(|error| {
            LogError::Refused {
                topic: self.name().to_owned(),
                reason: format!("its polling thread cannot be started: {error}"),
            }
        })?;
        Ok(KafkaLog { reader })
    }
}

impl KafkaLog {
    /// Returns the topic that this log reads and appends to.
    #[must_use]
    pub fn topic(&self) -> &KafkaTopic {
        self.reader.topic()
    }

    /// Does what
    /// [`KafkaClient::check_no_fatal_producer_error`](crate::KafkaClient::check_no_fatal_producer_error)
    /// does.
    ///
    /// # Errors
    /// [`LogError::Refused`] if the process must be restarted before it can append.
    pub fn check_no_fatal_producer_error(&self) -> Result<(), LogError> {
        self.topic().kafka().check_no_fatal_producer_error()
    }

    /// Checks what [`Log::check_epoch`] checks, and that the user of this process has rights on the
    /// topic. Both take one request, which all callers that come at the same time share.
    ///
    /// # Errors
    /// Those of [`Log::check_epoch`], and [`LogError::Denied`] if a right is missing, with the
    /// command that grants it.
    pub async fn check_epoch_and_rights(&self, needed: &[TopicRight]) -> Result<(), LogError> {
        self.reader.check_epoch_and_rights(needed).await
    }

    /// Returns where the records of a partition are that exist and were not fetched, or `None` if
    /// there are none or the partition is not being read. Makes no request to the brokers.
    #[must_use]
    pub fn unread_range(&self, partition: PartitionId) -> Option<UnreadRange> {
        self.reader.partition(partition).ok()?.unread_range()
    }

    /// Waits until all appends are acknowledged or have failed, then ends every wait, and fails
    /// every later call, with [`LogError::Closed`]. It blocks meanwhile, at most for the delivery
    /// timeout.
    pub fn close(&self) {
        if !self.reader.is_open() {
            return;
        }
        self.reader.poll_rounds().close();
        self.topic().kafka().flush();
        self.reader.stop_partitions();
    }

    /// Waits until the partition changes or the next poll round begins, and returns which. In a new
    /// round, if no record has arrived for a long time, also queries the partition's end.
    async fn wait_for_change_or_poll_round(
        &self,
        reader: &Arc<PartitionReader>,
        change: impl Future<Output = ()>,
    ) -> Result<WaitEnd, LogError> {
        select! {
            () = change => Ok(WaitEnd::Change),
            () = self.reader.poll_rounds().wait_for_next() => {
                self.reader.poll_rounds().check_open()?;
                self.reader.query_end_if_no_recent_record(reader);
                Ok(WaitEnd::PollRound)
            }
        }
    }
}

impl Log for KafkaLog {
    fn partition_count(&self) -> PartitionId {
        self.topic().partition_count()
    }

    fn epoch(&self) -> Epoch {
        self.reader.epoch()
    }

    async fn append(
        &self,
        partition: PartitionId,
        records: Vec<NewRecord>,
    ) -> Result<Range<Offset>, LogError> {
        let reader = self.reader.partition(partition)?;
        if records.is_empty() {
            let end = self.reader.bounds(partition).await?.end;
            return Ok(end..end);
        }
        let offsets = self.topic().append(partition, records).await?;
        reader.raise_known_end(offsets.end);
        Ok(offsets)
    }

    async fn fetch(
        &self,
        partition: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<RecordBatch, LogError> {
        let reader = self.reader.partition(partition)?;
        let mut rounds_left = TIMEOUT_ROUNDS;
        let _lock = self.reader.lock_for_fetch(reader, &mut rounds_left).await?;
        loop {
            let mut change = pin!(reader.notified());
            change.as_mut().enable();
            match reader.take_records(offset, max_bytes, self.reader.poll_rounds().current_round())
            {
                ReadOutcome::Records(batch) => return Ok(batch),
                ReadOutcome::AtEnd => {
                    return Ok(RecordBatch {
                        records: Vec::new(),
                        next_offset: offset,
                    });
                }
                ReadOutcome::Failed(error) => {
                    return Err(self.reader.read_error(partition, offset, error).await);
                }
                ReadOutcome::NotPositioned => {
                    self.reader.start_partition(partition, offset).await?;
                    continue;
                }
                // There is a record, and it is on its way.
                ReadOutcome::NotYet => {}
            }
            let wait_end = self.wait_for_change_or_poll_round(reader, change).await?;
            if wait_end == WaitEnd::PollRound {
                rounds_left -= 1;
                if rounds_left == 0 {
                    self.reader
                        .fail_and_stop_reader_if_topic_gone(reader)
                        .await?;
                    let reason = format!("the record at offset {offset} does not arrive");
                    return Err(self.reader.unavailable_error(reason));
                }
            }
        }
    }

    async fn wait_for_record(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<(), LogError> {
        let reader = self.reader.partition(partition)?;
        let mut rounds = 0_u64;
        loop {
            let mut change = pin!(reader.notified());
            change.as_mut().enable();
            match reader.check_for_records(offset, self.reader.poll_rounds().current_round()) {
                ReadOutcome::Records(_) => return Ok(()),
                ReadOutcome::Failed(error) => {
                    return Err(self.reader.read_error(partition, offset, error).await);
                }
                ReadOutcome::NotPositioned
                    if self
                        .reader
                        .record_exists_or_start_reader_at_end(partition, offset)
                        .await? =>
                {
                    return Ok(());
                }
                ReadOutcome::NotPositioned | ReadOutcome::AtEnd | ReadOutcome::NotYet => {}
            }
            let wait_end = self.wait_for_change_or_poll_round(reader, change).await?;
            if wait_end == WaitEnd::PollRound {
                rounds += 1;
                if rounds.is_multiple_of(CHECK_ROUNDS) {
                    self.reader
                        .fail_and_stop_reader_if_topic_gone(reader)
                        .await?;
                }
            }
        }
    }

    async fn bounds(&self, partition: PartitionId) -> Result<OffsetBounds, LogError> {
        self.reader.bounds(partition).await
    }

    async fn check_epoch(&self) -> Result<(), LogError> {
        self.reader.check_epoch().await
    }

    fn end_hint(&self, partition: PartitionId) -> Option<Offset> {
        let reader = self.reader.partition(partition).ok()?;
        Some(reader.end_of_records()).filter(|end| *end > 0)
    }

    fn is_read_to(&self, partition: PartitionId, next_offset: Offset, end: Offset) -> bool {
        let is_reader_there = |reader: &Arc<PartitionReader>| reader.is_read_to(next_offset, end);
        next_offset >= end || self.reader.partition(partition).is_ok_and(is_reader_there)
    }
}
