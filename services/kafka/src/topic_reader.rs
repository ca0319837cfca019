//! Reading a topic: what the clones of a log and its polling thread share.

use std::pin::pin;
use std::sync::Arc;

use eventlog::{Epoch, LogError, Offset, OffsetBounds, PartitionId};
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::select;
use tokio::sync::MutexGuard;
use tokio::task::spawn_blocking;

use crate::callbacks::ReaderCallbacks;
use crate::connection_error::LastConnectionError;
use crate::epoch_check::EpochChecker;
use crate::error_mapping;
use crate::metrics;
use crate::native::{ReaderClient, TopicHandle};
use crate::partition_reader::{PartitionReader, ReadError};
use crate::poll_rounds::PollRounds;
use crate::rights::TopicRight;
use crate::topic::KafkaTopic;

/// The client that reads a topic, and the readers of its partitions.
pub(crate) struct SharedTopicReader {
    topic: KafkaTopic,
    epoch: Epoch,
    epoch_check: EpochChecker,
    consumer: ReaderClient,
    rounds: PollRounds,
    partitions: Vec<Arc<PartitionReader>>,
}

impl SharedTopicReader {
    /// Creates the client. Makes no request to the brokers.
    pub(crate) fn new(topic: &KafkaTopic, epoch: Epoch) -> Result<Self, LogError> {
        let refused = |reason: String| LogError::Refused {
            topic: topic.name().to_owned(),
            reason,
        };
        let config = topic
            .kafka()
            .config()
            .reader_client_config(topic.partition_count() as usize);
        let config = config.map_err(|error| refused(error.to_string()))?;
        let consumer = create_reader_client(&config, topic.name()).map_err(refused)?;
        let handle = TopicHandle::new(consumer.clone(), topic.name())
            .map_err(|code| error_mapping::log_error_from_code(topic.name(), code))?;
        let handle = Arc::new(handle);
        let partition = |number| Arc::new(PartitionReader::new(number, handle.clone()));
        Ok(Self {
            topic: topic.clone(),
            epoch,
            epoch_check: EpochChecker::new(),
            consumer,
            rounds: PollRounds::new(),
            partitions: (0..topic.partition_count()).map(partition).collect(),
        })
    }

    pub(crate) fn topic(&self) -> &KafkaTopic {
        &self.topic
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) fn consumer(&self) -> &ReaderClient {
        &self.consumer
    }

    pub(crate) fn poll_rounds(&self) -> &PollRounds {
        &self.rounds
    }

    pub(crate) fn is_open(&self) -> bool {
        self.rounds.check_open().is_ok()
    }

    /// Returns the reader of a partition, unless the log is closed.
    pub(crate) fn partition(
        &self,
        partition: PartitionId,
    ) -> Result<&Arc<PartitionReader>, LogError> {
        let found = self.partitions.get(partition as usize);
        let found = found.ok_or(LogError::NoSuchPartition {
            partition,
            partitions: self.topic.partition_count(),
        })?;
        self.rounds.check_open()?;
        Ok(found)
    }

    /// Stops reading ahead in all partitions.
    pub(crate) fn stop_partitions(&self) {
        for partition in &self.partitions {
            partition.stop();
        }
    }

    /// Stops reading ahead in the partitions that were last read before `round`.
    pub(crate) fn stop_partitions_unused_since(&self, round: u64) {
        for partition in &self.partitions {
            partition.stop_if_unused_since(round);
        }
    }

    /// Publishes the lag of the partitions that are being followed.
    pub(crate) fn publish_lag(&self) {
        for (number, partition) in (0..).zip(&self.partitions) {
            if let Some(lag_records) = partition.lag_records_if_ever_waited_for() {
                metrics::publish_lag(self.topic.name(), number, lag_records);
            }
        }
    }

    /// Returns what the client reported about its connections.
    fn last_connection_error(&self) -> &LastConnectionError {
        self.consumer.context().last_connection_error()
    }

    pub(crate) fn unavailable_error(&self, reason: String) -> LogError {
        LogError::Unavailable {
            topic: self.topic.name().to_owned(),
            reason,
        }
    }

    /// Requests the bounds of a partition from the brokers.
    pub(crate) async fn bounds(&self, partition: PartitionId) -> Result<OffsetBounds, LogError> {
        let reader = self.partition(partition)?;
        let (consumer, number) = (self.consumer.clone(), reader.native_partition());
        let name = self.topic.name().to_owned();
        let timeout = self.topic.kafka().config().request_timeout;
        let watermarks =
            spawn_blocking(move || consumer.fetch_watermarks(&name, number, timeout)).await;
        let (first, end) = match watermarks {
            Ok(Ok(watermarks)) => watermarks,
            Ok(Err(error)) => {
                let name = self.topic.name();
                return Err(self.last_connection_error().explain_error(name, &error));
            }
            Err(error) => {
                return Err(self.unavailable_error(format!("the request was not made: {error}")));
            }
        };
        self.last_connection_error().clear();
        let offset = |offset| Offset::try_from(offset).unwrap_or(0);
        let bounds = OffsetBounds {
            first: offset(first),
            end: offset(end),
        };
        reader.raise_known_end(bounds.end);
        Ok(bounds)
    }

    /// Starts the reader of a partition at `offset`, if that is within the bounds.
    pub(crate) async fn start_partition(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<(), LogError> {
        let OffsetBounds { first, end } = self.bounds(partition).await?;
        if !(first..=end).contains(&offset) {
            return Err(LogError::OutOfRange {
                partition,
                offset,
                first,
                end,
            });
        }
        let (reader, round) = (
            self.partition(partition)?.clone(),
            self.rounds.current_round(),
        );
        let started = spawn_blocking(move || reader.start_at(offset, round)).await;
        match started {
            Ok(result) => {
                result.map_err(|code| error_mapping::log_error_from_code(self.topic.name(), code))
            }
            Err(error) => Err(self.unavailable_error(format!("the reader did not start: {error}"))),
        }
    }

    /// Starts the reader at `offset` for a caller that waits there, if the partition ends there.
    /// Returns whether the partition holds `offset` already, so that there is nothing to wait for.
    pub(crate) async fn record_exists_or_start_reader_at_end(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<bool, LogError> {
        if self.partition(partition)?.known_end() > offset {
            return Ok(true);
        }
        let end = self.bounds(partition).await?.end;
        if end == offset {
            self.start_partition(partition, offset).await?;
        }
        Ok(end > offset)
    }

    /// Waits until no other fetch of the partition is under way, and subtracts the rounds that this
    /// takes from `rounds_left`. Fails when none are left.
    pub(crate) async fn lock_for_fetch<'a>(
        &self,
        reader: &'a PartitionReader,
        rounds_left: &mut u64,
    ) -> Result<MutexGuard<'a, ()>, LogError> {
        let mut lock = pin!(reader.fetch_lock().lock());
        loop {
            select! {
                biased;
                guard = &mut lock => return Ok(guard),
                () = self.rounds.wait_for_next() => {
                    self.rounds.check_open()?;
                    *rounds_left -= 1;
                    if *rounds_left == 0 {
                        let reason = "other fetches of the partition take too long".to_owned();
                        return Err(self.unavailable_error(reason));
                    }
                }
            }
        }
    }

    /// Returns the error of a read that failed at `offset`.
    pub(crate) async fn read_error(
        &self,
        partition: PartitionId,
        offset: Offset,
        error: ReadError,
    ) -> LogError {
        let name = self.topic.name();
        let ReadError(code) = error;
        if !error_mapping::is_out_of_range(code) {
            return self.last_connection_error().explain_code(name, code);
        }
        match self.bounds(partition).await {
            Ok(OffsetBounds { first, end }) if !(first..=end).contains(&offset) => {
                LogError::OutOfRange {
                    partition,
                    offset,
                    first,
                    end,
                }
            }
            Ok(_) => self.unavailable_error(format!("reading stopped at offset {offset}: {code}")),
            Err(error) => error,
        }
    }

    /// Returns an error if the topic is another generation, or if that cannot be checked.
    pub(crate) async fn check_epoch(&self) -> Result<(), LogError> {
        self.rounds.check_open()?;
        let checked = self.epoch_check.check(&self.topic).await;
        checked
            .map(drop)
            .map_err(|error| error.to_log_error(&self.topic))
    }

    /// Returns an error if the topic is another generation, if the user of this process lacks one
    /// of the rights `needed`, or if that cannot be checked. It takes one request.
    pub(crate) async fn check_epoch_and_rights(
        &self,
        needed: &[TopicRight],
    ) -> Result<(), LogError> {
        self.rounds.check_open()?;
        let checked = self.epoch_check.check(&self.topic).await;
        let granted = checked.map_err(|error| error.to_log_error(&self.topic))?;
        self.topic.check_granted_rights(granted.as_deref(), needed)
    }

    /// Returns an error, and stops the reader, if the topic no longer exists, which librdkafka does
    /// not report to a reader. Brokers that do not answer are no error here.
    pub(crate) async fn fail_and_stop_reader_if_topic_gone(
        &self,
        reader: &PartitionReader,
    ) -> Result<(), LogError> {
        match self.epoch_check.check(&self.topic).await {
            Err(error) if error.is_topic_gone() => {
                reader.stop();
                Err(error.to_log_error(&self.topic))
            }
            _ => Ok(()),
        }
    }

    /// Queries the end of a partition from the brokers if nothing has come for long. The answer is
    /// recorded in the reader, because the callers that wait may be gone before it comes.
    pub(crate) fn query_end_if_no_recent_record(&self, reader: &Arc<PartitionReader>) {
        let round = self.rounds.current_round();
        if !reader.mark_end_query_begun_if_no_recent_record(round) {
            return;
        }
        let (consumer, reader) = (self.consumer.clone(), reader.clone());
        let name = self.topic.name().to_owned();
        let timeout = self.topic.kafka().config().request_timeout;
        spawn_blocking(move || {
            let watermarks = consumer.fetch_watermarks(&name, reader.native_partition(), timeout);
            let end = watermarks
                .ok()
                .and_then(|(_, end)| Offset::try_from(end).ok());
            reader.finish_end_query(end, round);
        });
    }
}

/// Creates a client that reads a topic, or returns why librdkafka cannot.
pub(crate) fn create_reader_client(
    config: &ClientConfig,
    topic: &str,
) -> Result<ReaderClient, String> {
    let consumer = BaseConsumer::from_config_and_context(config, ReaderCallbacks::new(topic));
    consumer.map(Arc::new).map_err(|error| error.to_string())
}
