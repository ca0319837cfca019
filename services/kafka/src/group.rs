//! Membership in a consumer group, which assigns partitions to processes.
//!
//! The member reads nothing: its partitions are paused as soon as they are assigned, and
//! [`crate::KafkaLog`] delivers the records. So a slow fold never costs the membership, and a
//! rebalance never discards what was read ahead.
//!
//! librdkafka runs callbacks only while it is polled. One thread polls, and owns the client,
//! because closing the client runs callbacks too.

mod event;
mod member;
mod requests;

use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use eventlog::{LogError, Offset, PartitionId};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::sync::{mpsc, oneshot};

use self::member::MemberCallbacks;
use self::requests::MemberRequests;
use crate::error_mapping;
use crate::topic::KafkaTopic;

pub use self::event::{GroupEvent, RevokedPartitionsGuard};

/// How many events may wait to be received. A rebalance waits while there are more.
const MAX_QUEUED_EVENTS: usize = 16;

/// How a group is joined.
#[derive(Debug, Clone)]
pub struct GroupMembershipOptions {
    /// The name of the group, one for each role.
    pub group: String,
    /// A name of this process that it keeps over restarts, such as that of a pod in a stateful set.
    /// With such a name, a restart within the session timeout of 6 s moves no partition
    /// ([KIP-345](https://cwiki.apache.org/confluence/display/KAFKA/KIP-345%3A+Introduce+static+membership+protocol+to+reduce+consumer+rebalances)).
    pub instance: Option<String>,
    /// How long the group waits at most for the [`RevokedPartitionsGuard`] of revoked partitions;
    /// up to 30 s.
    pub drain_timeout: Duration,
}

/// A member of a consumer group. Dropping it leaves the group as [`GroupMembership::leave`] does,
/// without waiting.
pub struct GroupMembership {
    requests: Arc<MemberRequests>,
    ended: Option<oneshot::Receiver<()>>,
}

impl GroupMembership {
    /// Joins the group that shares the partitions of `topic`. The caller must keep receiving the
    /// events, during [`GroupMembership::leave`] too.
    ///
    /// # Errors
    /// [`LogError::Refused`] if the client or its thread cannot be created. Errors of the group
    /// come as events.
    pub fn join(
        topic: &KafkaTopic,
        options: &GroupMembershipOptions,
    ) -> Result<(Self, mpsc::Receiver<GroupEvent>), LogError> {
        let name = topic.name().to_owned();
        let refused = |reason: String| LogError::Refused {
            topic: name.clone(),
            reason,
        };
        let config = topic.kafka().config();
        let client = config
            .member_client_config(&options.group, options.instance.as_deref())
            .map_err(|error| refused(error.to_string()))?;
        let (events, received) = mpsc::channel(MAX_QUEUED_EVENTS);
        let requests = Arc::new(MemberRequests::default());
        let config = config.clone();
        let drain_timeout = options.drain_timeout;
        let callbacks =
            MemberCallbacks::new(&name, config, drain_timeout, events, requests.clone());
        let consumer = BaseConsumer::from_config_and_context(&client, callbacks)
            .map_err(|error| refused(error.to_string()))?;
        let consumer = Arc::new(consumer);
        consumer
            .subscribe(&[&name])
            .map_err(|error| error_mapping::log_error_from_kafka_error(&name, &error))?;
        let (end, ended) = oneshot::channel();
        let run = move || {
            member::poll_until_leaving(consumer);
            // The caller may not wait for the end.
            let _ = end.send(());
        };
        Builder::new()
            .name(format!("group-{name}"))
            .spawn(run)
            .map_err(|error| {
                refused(format!(
                    "the thread of the group cannot be started: {error}"
                ))
            })?;
        let membership = Self {
            requests,
            ended: Some(ended),
        };
        Ok((membership, received))
    }

    /// Commits the offset at which this member would continue, for tools that show the lag of the
    /// group. Nothing in this crate reads it. It is sent within a moment, and may be lost.
    pub fn request_offset_commit(&self, partition: PartitionId, next_offset: Offset) {
        self.requests.request_commit(partition, next_offset);
    }

    /// Returns all partitions, through [`GroupEvent::Revoked`], and leaves the group. A member with
    /// an instance name only stops, and keeps its partitions until the session times out.
    pub async fn leave(mut self) {
        self.requests.request_leave();
        if let Some(ended) = self.ended.take() {
            // An error means that the thread has ended too.
            let _ = ended.await;
        }
    }
}

impl Drop for GroupMembership {
    fn drop(&mut self) {
        self.requests.request_leave();
    }
}
