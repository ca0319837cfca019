//! The thread of a member, and the callbacks that librdkafka runs on it.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use eventlog::PartitionId;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use tokio::sync::mpsc;

use super::event::{GroupEvent, RevokedPartitionsGuard};
use super::requests::MemberRequests;
use crate::callbacks::{forward_log_line, log_client_error};
use crate::config::KafkaConfig;
use crate::connection_error::LastConnectionError;
use crate::maintenance;

/// How long a poll takes, and how often requests are handled.
const POLL: Duration = Duration::from_millis(100);
/// How many polls lie between two runs of the client's maintenance.
const POLLS_PER_MAINTENANCE: u64 = 50;
/// The longest that the group waits for a drain, even if the options allow more.
const MAX_DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The callbacks of a member. librdkafka runs them on the member's thread.
pub(super) struct MemberCallbacks {
    topic: String,
    config: KafkaConfig,
    drain_timeout: Duration,
    events: mpsc::Sender<GroupEvent>,
    requests: Arc<MemberRequests>,
    last_connection_error: LastConnectionError,
}

/// Polls until the member leaves, then closes the client, which returns the partitions.
pub(super) fn poll_until_leaving(consumer: Arc<BaseConsumer<MemberCallbacks>>) {
    let mut polls: u64 = 0;
    while !consumer.context().requests.is_leaving() {
        polls += 1;
        if let Some(Err(error)) = consumer.poll(POLL)
            && consumer.context().report_error_and_check_if_over(&error)
        {
            break;
        }
        let member = consumer.context();
        member.commit_offsets(&consumer);
        if polls.is_multiple_of(POLLS_PER_MAINTENANCE) {
            maintenance::repair_client_connection(
                &member.config,
                "the group",
                &consumer,
                &member.last_connection_error,
            );
        }
    }
    drop(consumer);
}

impl MemberCallbacks {
    pub(super) fn new(
        topic: &str,
        config: KafkaConfig,
        drain_timeout: Duration,
        events: mpsc::Sender<GroupEvent>,
        requests: Arc<MemberRequests>,
    ) -> Self {
        Self {
            topic: topic.to_owned(),
            config,
            drain_timeout: drain_timeout.min(MAX_DRAIN_TIMEOUT),
            events,
            requests,
            last_connection_error: LastConnectionError::default(),
        }
    }

    fn send_event(&self, event: GroupEvent) {
        // If the receiver was dropped, nothing works on the partitions either.
        let _ = self.events.blocking_send(event);
    }

    /// Sends an error as an event, unless librdkafka recovers from it. Returns whether the error
    /// has ended the membership.
    fn report_error_and_check_if_over(&self, error: &KafkaError) -> bool {
        let is_over = matches!(error, KafkaError::MessageConsumptionFatal(_));
        let code = error.rdkafka_error_code();
        // librdkafka restores the connection, and has logged the error.
        let is_recoverable = matches!(
            code,
            Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut)
        );
        if is_over || !is_recoverable {
            self.send_event(GroupEvent::Error {
                error: self.last_connection_error.explain_error(&self.topic, error),
                is_over,
            });
        }
        is_over
    }

    /// Sends the requested offsets to the group.
    fn commit_offsets(&self, consumer: &BaseConsumer<Self>) {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in self.requests.take_offsets() {
            let (Ok(partition), Ok(offset)) = (i32::try_from(partition), i64::try_from(offset))
            else {
                continue;
            };
            let offset = KafkaOffset::Offset(offset);
            if let Err(error) = list.add_partition_offset(&self.topic, partition, offset) {
                tracing::debug!(%error, "cannot commit an offset of the group");
            }
        }
        if list.count() > 0
            && let Err(error) = consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!(%error, "cannot commit the offsets of the group");
        }
    }

    /// Takes over the partitions of `list`, paused, and reports them as an event.
    fn handle_assignment(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) {
        // Without an offset librdkafka would first request the committed offsets of the group.
        let positioned = list.set_all_offsets(KafkaOffset::End);
        let assigned = positioned
            .and_then(|()| consumer.incremental_assign(list))
            .and_then(|()| consumer.pause(list));
        if let Err(error) = assigned {
            self.report_error_and_check_if_over(&error);
        }
        let partitions = partition_ids(list);
        if !partitions.is_empty() {
            self.send_event(GroupEvent::Assigned(partitions));
        } else if consumer.assignment().is_ok_and(|held| held.count() == 0) {
            // Each rebalance ends here, with nothing new for most members. This member has nothing
            // at all.
            self.send_event(GroupEvent::Spare);
        }
    }

    /// Waits until the work on the partitions of `list` is drained, unless they are lost, and
    /// returns them to the group.
    fn handle_revocation(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let partitions = partition_ids(list);
        if consumer.assignment_lost() {
            self.send_event(GroupEvent::Lost(partitions));
        } else if !partitions.is_empty() {
            self.send_revoked_and_wait_for_drain_or_timeout(&partitions);
            self.commit_offsets(consumer);
        }
        if let Err(error) = consumer.incremental_unassign(list) {
            self.report_error_and_check_if_over(&error);
        }
    }

    /// Sends a [`GroupEvent::Revoked`], and waits until its guard is dropped, or for the drain
    /// timeout.
    fn send_revoked_and_wait_for_drain_or_timeout(&self, partitions: &[PartitionId]) {
        let (sender, receiver) = sync_channel(0);
        self.send_event(GroupEvent::Revoked {
            partitions: partitions.to_vec(),
            drained: RevokedPartitionsGuard::new(sender),
        });
        if receiver.recv_timeout(self.drain_timeout) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(
                ?partitions,
                "partitions move to another member before they are drained; the store fences them"
            );
        }
    }
}

fn partition_ids(list: &TopicPartitionList) -> Vec<PartitionId> {
    let elements = list.elements();
    let partition_id = |partition| PartitionId::try_from(partition).ok();
    elements
        .iter()
        .filter_map(|element| partition_id(element.partition()))
        .collect()
}

impl ClientContext for MemberCallbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.last_connection_error
            .record_log_line_if_connection_lost(level as i32, facility, message);
        forward_log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.last_connection_error.record_error(&error, reason);
        log_client_error(&error, reason);
    }

    // Other statistics are not published: those of the readers contain what matters.
    fn stats(&self, statistics: Statistics) {
        self.last_connection_error
            .record_whether_broker_is_known(&statistics);
    }
}

impl ConsumerContext for MemberCallbacks {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        code: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        // A rebalance means that the group has answered.
        self.last_connection_error.clear();
        match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                self.handle_assignment(consumer, list);
            }
            _ => self.handle_revocation(consumer, list),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "the offsets of the group were not committed");
        }
    }
}
