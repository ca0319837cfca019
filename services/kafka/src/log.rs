//! A topic of Kafka as a [`Log`].

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::select;
use tokio::sync::MutexGuard;
use tokio::task::spawn_blocking;

use super::client::ReaderContext;
use super::complaint::Complaints;
use super::epoch::EpochCheck;
use super::native::{Consumer, Topic};
use super::pulse::{self, DOUBT_BEATS, PATIENCE_BEATS, Pulse};
use super::reader::{Found, Slot, Trouble};
use super::{KafkaTopic, failure, metrics};
use eventlog::{Batch, Bounds, Epoch, Log, LogError, NewRecord, Offset, PartitionId};

/// A topic of Kafka.
///
/// Clones share one reader for each partition, which reads ahead from where it was last asked
/// for; asking elsewhere starts it anew, which costs a question to the brokers. Fetches of a
/// partition take turns, so that those at other places do not take the reader from each other
/// again and again. A reader that nobody asks for a minute stops. It is used within a Tokio runtime.
///
/// A record is visible once it is acknowledged, one by one, not an append as a whole.
#[derive(Clone)]
pub struct KafkaLog {
    shared: Arc<Shared>,
}

/// What the clones share.
pub(crate) struct Shared {
    pub(crate) topic: KafkaTopic,
    epoch: Epoch,
    check: EpochCheck,
    consumer: Consumer,
    pub(crate) pulse: Pulse,
    pub(crate) slots: Vec<Arc<Slot>>,
}

impl Shared {
    pub(crate) fn publish_lag(&self) {
        for (partition, slot) in (0..).zip(&self.slots) {
            if let Some(lag) = slot.lag() {
                metrics::lag(self.topic.name(), partition, lag);
            }
        }
    }
}

impl KafkaLog {
    pub(crate) fn open(topic: &KafkaTopic, epoch: Epoch) -> Result<Self, LogError> {
        let refused = |reason: String| LogError::Refused {
            topic: topic.name().to_owned(),
            reason,
        };
        let config = topic.kafka().config().reader(topic.partitions() as usize);
        let config = config.map_err(|error| refused(error.to_string()))?;
        let consumer = connect(&config, topic.name()).map_err(refused)?;
        let native = Topic::new(consumer.clone(), topic.name())
            .map_err(|code| failure::of(topic.name(), code))?;
        let native = Arc::new(native);
        let slot = |number| Arc::new(Slot::new(number, native.clone()));
        let shared = Arc::new(Shared {
            topic: topic.clone(),
            epoch,
            check: EpochCheck::new(),
            consumer: consumer.clone(),
            pulse: Pulse::new(),
            slots: (0..topic.partitions()).map(slot).collect(),
        });
        pulse::start(topic.name(), consumer, Arc::downgrade(&shared))
            .map_err(|error| refused(format!("no thread for its reports: {error}")))?;
        Ok(Self { shared })
    }

    /// The topic that this reads and appends to.
    #[must_use]
    pub fn topic(&self) -> &KafkaTopic {
        &self.shared.topic
    }

    /// Whether anything can be appended yet: see [`Kafka::check_producer`](super::Kafka).
    ///
    /// # Errors
    /// [`LogError::Refused`] where only another process can append.
    pub fn check_producer(&self) -> Result<(), LogError> {
        self.shared.topic.kafka().check_producer()
    }

    /// Waits until what was appended is acknowledged or given up, then ends every wait, and
    /// fails every later call, with [`LogError::Closed`]. It blocks as long as that takes, at
    /// most the delivery timeout.
    pub fn close(&self) {
        if self.shared.pulse.check_open().is_err() {
            return;
        }
        self.shared.pulse.close();
        self.shared.topic.kafka().flush();
        for slot in &self.shared.slots {
            slot.stop();
        }
    }

    fn slot(&self, partition: PartitionId) -> Result<&Arc<Slot>, LogError> {
        let found = self.shared.slots.get(partition as usize);
        let found = found.ok_or(LogError::NoSuchPartition {
            partition,
            partitions: self.partitions(),
        })?;
        self.shared.pulse.check_open()?;
        Ok(found)
    }

    /// Why nobody answers the client that reads.
    fn complaints(&self) -> &Complaints {
        &self.shared.consumer.context().complaints
    }

    fn now(&self) -> u64 {
        self.shared.pulse.now()
    }

    fn unavailable(&self, reason: String) -> LogError {
        LogError::Unavailable {
            topic: self.shared.topic.name().to_owned(),
            reason,
        }
    }

    /// Starts the partition's reader at `offset`, if that is within the bounds.
    async fn start(&self, partition: PartitionId, offset: Offset) -> Result<(), LogError> {
        let Bounds { first, end } = self.bounds(partition).await?;
        if !(first..=end).contains(&offset) {
            return Err(LogError::OutOfRange {
                partition,
                offset,
                first,
                end,
            });
        }
        let (slot, now) = (self.slot(partition)?.clone(), self.now());
        let started = spawn_blocking(move || slot.start(offset, now)).await;
        match started {
            Ok(outcome) => outcome.map_err(|code| failure::of(self.shared.topic.name(), code)),
            Err(error) => Err(self.unavailable(format!("the reader did not start: {error}"))),
        }
    }

    /// What trouble at `offset` means.
    async fn explain(&self, partition: PartitionId, offset: Offset, trouble: Trouble) -> LogError {
        let name = self.shared.topic.name();
        let code = match trouble {
            Trouble::Code(code) => code,
            Trouble::NoAppendTime(offset) => {
                return LogError::Refused {
                    topic: name.to_owned(),
                    reason: format!(
                        "the record at offset {offset} of partition {partition} has its sender's \
                         time; the topic needs message.timestamp.type=LogAppendTime, which \
                         `candlewick topics apply` sets"
                    ),
                };
            }
        };
        if !failure::is_out_of_range(code) {
            return self.complaints().explain(name, code);
        }
        match self.bounds(partition).await {
            Ok(Bounds { first, end }) if !(first..=end).contains(&offset) => LogError::OutOfRange {
                partition,
                offset,
                first,
                end,
            },
            Ok(_) => self.unavailable(format!("reading broke off at offset {offset}: {code}")),
            Err(error) => error,
        }
    }

    /// Waits until nobody else fetches from the partition, for so many beats at most.
    async fn turn<'a>(
        &self,
        slot: &'a Slot,
        patience: &mut u64,
    ) -> Result<MutexGuard<'a, ()>, LogError> {
        let mut turn = pin!(slot.turn.lock());
        loop {
            select! {
                biased;
                turn = &mut turn => return Ok(turn),
                () = self.shared.pulse.next() => {
                    self.shared.pulse.check_open()?;
                    *patience -= 1;
                    if *patience == 0 {
                        let reason = "others who read the partition are not done".to_owned();
                        return Err(self.unavailable(reason));
                    }
                }
            }
        }
    }

    /// Fails where the topic is gone, which librdkafka does not tell a reader. That the brokers
    /// do not answer is no reason to stop waiting.
    async fn check_there(&self, slot: &Slot) -> Result<(), LogError> {
        let topic = &self.shared.topic;
        match self.shared.check.ask(topic).await {
            Err(doubt) if doubt.is_gone() => {
                slot.stop();
                Err(doubt.error(topic))
            }
            _ => Ok(()),
        }
    }

    /// Asks the brokers what there is where nothing has come for long. The answer goes to the slot,
    /// since those who wait come and go faster than it; where there is none, nothing is known.
    fn ask_in_doubt(&self, slot: &Arc<Slot>) {
        let now = self.now();
        if !slot.is_doubtful(now) {
            return;
        }
        let (consumer, slot) = (self.shared.consumer.clone(), slot.clone());
        let name = self.shared.topic.name().to_owned();
        let patience = self.shared.topic.kafka().config().request_timeout;
        spawn_blocking(move || {
            let asked = consumer.fetch_watermarks(&name, slot.native_number(), patience);
            let end = asked.ok().and_then(|(_, end)| Offset::try_from(end).ok());
            slot.note_told(end, now);
        });
    }

    /// Brings the reader to `offset` for one who waits there; answers whether the record that
    /// he waits for is there already.
    async fn approach(&self, partition: PartitionId, offset: Offset) -> Result<bool, LogError> {
        if self.slot(partition)?.known_end() > offset {
            return Ok(true);
        }
        let end = self.bounds(partition).await?.end;
        if end == offset {
            self.start(partition, offset).await?;
        }
        Ok(end > offset)
    }
}

fn connect(config: &ClientConfig, topic: &str) -> Result<Consumer, String> {
    let context = ReaderContext {
        topic: topic.to_owned(),
        complaints: Complaints::default(),
    };
    let consumer = BaseConsumer::from_config_and_context(config, context);
    consumer.map(Arc::new).map_err(|error| error.to_string())
}

impl Log for KafkaLog {
    fn partitions(&self) -> PartitionId {
        self.shared.topic.partitions()
    }

    fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    async fn append(
        &self,
        partition: PartitionId,
        entries: Vec<NewRecord>,
    ) -> Result<Range<Offset>, LogError> {
        let slot = self.slot(partition)?;
        if entries.is_empty() {
            let end = self.bounds(partition).await?.end;
            return Ok(end..end);
        }
        let offsets = self.shared.topic.append(partition, entries).await?;
        slot.raise_end(offsets.end);
        Ok(offsets)
    }

    async fn fetch(
        &self,
        partition: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<Batch, LogError> {
        let slot = self.slot(partition)?;
        let mut patience = PATIENCE_BEATS;
        let _turn = self.turn(slot, &mut patience).await?;
        loop {
            let mut woken = pin!(slot.wake.notified());
            woken.as_mut().enable();
            match slot.take(offset, max_bytes, self.now()) {
                Found::Batch(batch) => return Ok(batch),
                Found::End => {
                    return Ok(Batch {
                        records: Vec::new(),
                        next_offset: offset,
                    });
                }
                Found::Trouble(trouble) => {
                    return Err(self.explain(partition, offset, trouble).await);
                }
                Found::Elsewhere => {
                    self.start(partition, offset).await?;
                    continue;
                }
                // There is a record, and it is on its way.
                Found::Nothing => {}
            }
            select! {
                () = woken => {}
                () = self.shared.pulse.next() => {
                    self.slot(partition)?;
                    self.ask_in_doubt(slot);
                    patience -= 1;
                    if patience == 0 {
                        self.check_there(slot).await?;
                        let reason = format!("the record at offset {offset} does not arrive");
                        return Err(self.unavailable(reason));
                    }
                }
            }
        }
    }

    async fn wait(&self, partition: PartitionId, offset: Offset) -> Result<(), LogError> {
        let slot = self.slot(partition)?;
        let mut beats = 0_u64;
        loop {
            let mut woken = pin!(slot.wake.notified());
            woken.as_mut().enable();
            match slot.look(offset, self.now()) {
                Found::Batch(_) => return Ok(()),
                Found::Trouble(trouble) => {
                    return Err(self.explain(partition, offset, trouble).await);
                }
                Found::Elsewhere if self.approach(partition, offset).await? => return Ok(()),
                Found::Elsewhere | Found::End | Found::Nothing => {}
            }
            select! {
                () = woken => {}
                () = self.shared.pulse.next() => {
                    self.slot(partition)?;
                    self.ask_in_doubt(slot);
                    beats += 1;
                    if beats.is_multiple_of(DOUBT_BEATS) {
                        self.check_there(slot).await?;
                    }
                }
            }
        }
    }

    async fn bounds(&self, partition: PartitionId) -> Result<Bounds, LogError> {
        let slot = self.slot(partition)?;
        let (consumer, number) = (self.shared.consumer.clone(), slot.native_number());
        let name = self.shared.topic.name().to_owned();
        let patience = self.shared.topic.kafka().config().request_timeout;
        let asked =
            spawn_blocking(move || consumer.fetch_watermarks(&name, number, patience)).await;
        let (first, end) = match asked {
            Ok(Ok(bounds)) => bounds,
            Ok(Err(error)) => {
                let name = self.shared.topic.name();
                return Err(self.complaints().explain_error(name, &error));
            }
            Err(error) => return Err(self.unavailable(format!("nobody asked: {error}"))),
        };
        self.complaints().clear();
        let offset = |offset| Offset::try_from(offset).unwrap_or(0);
        let bounds = Bounds {
            first: offset(first),
            end: offset(end),
        };
        slot.raise_end(bounds.end);
        Ok(bounds)
    }

    async fn check_epoch(&self) -> Result<(), LogError> {
        self.shared.pulse.check_open()?;
        let topic = &self.shared.topic;
        let asked = self.shared.check.ask(topic).await;
        asked.map_err(|doubt| doubt.error(topic))
    }

    fn end_hint(&self, partition: PartitionId) -> Option<Offset> {
        let slot = self.slot(partition).ok()?;
        Some(slot.known_end()).filter(|end| *end > 0)
    }
}
