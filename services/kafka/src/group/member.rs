//! The thread of a member, and what librdkafka calls on it.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset as Place, TopicPartitionList};
use tokio::sync::mpsc;

use super::{Drained, GroupEvent, Wish};
use crate::complaint::Complaints;
use crate::{KafkaConfig, client, upkeep};
use eventlog::{Offset, PartitionId};

/// How often wishes are looked at.
const POLL: Duration = Duration::from_millis(100);
/// After so many polls the client is looked after.
const POLLS_AN_UPKEEP: u64 = 50;

/// The newest position to be committed of each partition.
pub(super) type Commits = BTreeMap<PartitionId, Offset>;

impl Wish {
    pub(super) fn commits(&self) -> MutexGuard<'_, Commits> {
        self.commits
            .lock()
            .expect("no holder of the commits panics")
    }
}

/// What librdkafka calls, on the member's thread.
pub(super) struct Member {
    topic: String,
    config: KafkaConfig,
    drain_timeout: Duration,
    events: mpsc::Sender<GroupEvent>,
    wish: Arc<Wish>,
    complaints: Complaints,
}

/// Polls until the member leaves, then closes it, which gives its partitions back.
pub(super) fn run(consumer: Arc<BaseConsumer<Member>>) {
    let mut polls: u64 = 0;
    while !consumer.context().wish.leaves.load(Ordering::Acquire) {
        polls += 1;
        if let Some(Err(error)) = consumer.poll(POLL)
            && consumer.context().report(&error)
        {
            break;
        }
        let member = consumer.context();
        member.send_commits(&consumer);
        if polls.is_multiple_of(POLLS_AN_UPKEEP) {
            upkeep::keep(&member.config, "the group", &consumer, &member.complaints);
        }
    }
    drop(consumer);
}

impl Member {
    pub(super) fn new(
        topic: &str,
        config: KafkaConfig,
        drain_timeout: Duration,
        events: mpsc::Sender<GroupEvent>,
        wish: Arc<Wish>,
    ) -> Self {
        Self {
            topic: topic.to_owned(),
            config,
            drain_timeout: drain_timeout.min(Duration::from_secs(30)),
            events,
            wish,
            complaints: Complaints::default(),
        }
    }

    fn tell(&self, event: GroupEvent) {
        // Where nobody listens any more, nobody works on the partitions either.
        let _ = self.events.blocking_send(event);
    }

    /// Reports an error; answers whether the membership is over.
    fn report(&self, error: &KafkaError) -> bool {
        let is_over = matches!(error, KafkaError::MessageConsumptionFatal(_));
        let code = error.rdkafka_error_code();
        // librdkafka connects again by itself, and has said so in the log.
        let is_passing = matches!(
            code,
            Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut)
        );
        if is_over || !is_passing {
            self.tell(GroupEvent::Error {
                error: self.complaints.explain_error(&self.topic, error),
                is_over,
            });
        }
        is_over
    }

    fn send_commits(&self, consumer: &BaseConsumer<Self>) {
        let commits = mem::take(&mut *self.wish.commits());
        let mut list = TopicPartitionList::new();
        for (partition, offset) in commits {
            let (Ok(partition), Ok(offset)) = (i32::try_from(partition), i64::try_from(offset))
            else {
                continue;
            };
            let place = Place::Offset(offset);
            if let Err(error) = list.add_partition_offset(&self.topic, partition, place) {
                tracing::debug!(%error, "a position of the group is not committed");
            }
        }
        if list.count() > 0
            && let Err(error) = consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!(%error, "the group's positions are not committed");
        }
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) {
        // Without this librdkafka would first look for the group's offsets.
        let placed = list.set_all_offsets(Place::End);
        let assigned = placed
            .and_then(|()| consumer.incremental_assign(list))
            .and_then(|()| consumer.pause(list));
        if let Err(error) = assigned {
            self.report(&error);
        }
        let partitions = numbers(list);
        if !partitions.is_empty() {
            self.tell(GroupEvent::Assigned(partitions));
        } else if consumer.assignment().is_ok_and(|held| held.count() == 0) {
            // Each rebalance ends here, with nothing new for most; this one has nothing at all.
            self.tell(GroupEvent::Spare);
        }
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let partitions = numbers(list);
        if consumer.assignment_lost() {
            self.tell(GroupEvent::Lost(partitions));
        } else if !partitions.is_empty() {
            self.drain(&partitions);
            self.send_commits(consumer);
        }
        if let Err(error) = consumer.incremental_unassign(list) {
            self.report(&error);
        }
    }

    /// Waits until the owner has let go of the partitions, or too long.
    fn drain(&self, partitions: &[PartitionId]) {
        let (drained, waits) = sync_channel(0);
        let drained = Drained(drained);
        self.tell(GroupEvent::Revoked {
            partitions: partitions.to_vec(),
            drained,
        });
        if waits.recv_timeout(self.drain_timeout) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(
                ?partitions,
                "partitions go to another member before they are drained; the store fences them"
            );
        }
    }
}

fn numbers(list: &TopicPartitionList) -> Vec<PartitionId> {
    let elements = list.elements();
    let number = |partition| PartitionId::try_from(partition).ok();
    elements
        .iter()
        .filter_map(|element| number(element.partition()))
        .collect()
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.complaints.note_line(level as i32, facility, message);
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.complaints.note(&error, reason);
        client::error(&error, reason);
    }

    // For the rest the readers' figures say what there is to say.
    fn stats(&self, statistics: Statistics) {
        self.complaints.note_brokers(&statistics);
    }
}

impl ConsumerContext for Member {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        // The group has answered.
        self.complaints.clear();
        match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, list),
            _ => self.revoke(consumer, list),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "the group's positions were not committed");
        }
    }
}
