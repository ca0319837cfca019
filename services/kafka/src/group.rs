//! Membership in a consumer group, which says who works on which partitions.
//!
//! The member reads nothing: its partitions are paused as soon as they are assigned, and the
//! records come through [`super::KafkaLog`]. So a slow fold never costs the membership, and a
//! rebalance never throws away what was read ahead.
//!
//! librdkafka calls back only while it is polled; one thread polls, and owns the client, since
//! closing it calls back too.

mod member;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::sync::{mpsc, oneshot};

use self::member::{Commits, Member};
use super::{KafkaTopic, failure};
use eventlog::{LogError, Offset, PartitionId};

/// How many events wait for their owner; a rebalance waits beyond it.
const EVENTS: usize = 16;

/// How a group is joined.
#[derive(Debug, Clone)]
pub struct MembershipOptions {
    /// The group's name, one for each role.
    pub group: String,
    /// A name of this process that stays over its restarts, such as a pod's in a stateful set.
    /// With it a restart within the session timeout of 6 s moves no partition
    /// ([KIP-345](https://cwiki.apache.org/confluence/display/KAFKA/KIP-345%3A+Introduce+static+membership+protocol+to+reduce+consumer+rebalances)).
    pub instance: Option<String>,
    /// How long a partition that is taken away waits for [`GroupEvent::Revoked`] to be answered;
    /// up to 30 s.
    pub drain_timeout: Duration,
}

/// What the group says, in its order.
#[derive(Debug)]
pub enum GroupEvent {
    /// These partitions are ours from now on, beside those that were.
    Assigned(Vec<PartitionId>),
    /// These partitions go to somebody else, who gets them once `drained` is dropped: finish and
    /// commit what was begun, and drop it.
    Revoked {
        /// The partitions.
        partitions: Vec<PartitionId>,
        /// Whom the group waits for, at most the drain timeout.
        drained: Drained,
    },
    /// These partitions are somebody else's already, since the group took us for dead: drop
    /// what was begun. What is committed later is fenced by the store.
    Lost(Vec<PartitionId>),
    /// The group counts us in, and no partition is ours: others have them all, or are still
    /// draining those that we are to get.
    Spare,
    /// Something went wrong.
    Error {
        /// What the brokers said.
        error: LogError,
        /// Whether the membership is over, as when another process took our instance's name.
        is_over: bool,
    },
}

/// Dropping it says that the partitions are drained.
#[derive(Debug)]
pub struct Drained(#[expect(dead_code, reason = "its drop is what is waited for")] SyncSender<()>);

/// A member of a consumer group. Dropping it leaves as [`Membership::leave`] does, without
/// waiting.
pub struct Membership {
    wish: Arc<Wish>,
    ended: Option<oneshot::Receiver<()>>,
}

/// What the member wants of its thread.
#[derive(Default)]
struct Wish {
    leaves: AtomicBool,
    commits: Mutex<Commits>,
}

impl Membership {
    /// Joins the group that shares the partitions of `topic`. The events must be taken
    /// continuously, during [`Membership::leave`] too.
    ///
    /// # Errors
    /// [`LogError::Refused`] where the client or its thread cannot be made. What the group says
    /// to it comes as an event.
    pub fn join(
        topic: &KafkaTopic,
        options: &MembershipOptions,
    ) -> Result<(Self, mpsc::Receiver<GroupEvent>), LogError> {
        let name = topic.name().to_owned();
        let refused = |reason: String| LogError::Refused {
            topic: name.clone(),
            reason,
        };
        let config = topic.kafka().config();
        let client = config
            .member(&options.group, options.instance.as_deref())
            .map_err(|error| refused(error.to_string()))?;
        let (events, received) = mpsc::channel(EVENTS);
        let wish = Arc::new(Wish::default());
        let config = config.clone();
        let member = Member::new(&name, config, options.drain_timeout, events, wish.clone());
        let consumer = BaseConsumer::from_config_and_context(&client, member)
            .map_err(|error| refused(error.to_string()))?;
        let consumer = Arc::new(consumer);
        consumer
            .subscribe(&[&name])
            .map_err(|error| failure::of_error(&name, &error))?;
        let (end, ended) = oneshot::channel();
        let run = move || {
            member::run(consumer);
            // Whoever left may have gone.
            let _ = end.send(());
        };
        Builder::new()
            .name(format!("group-{name}"))
            .spawn(run)
            .map_err(|error| refused(format!("no thread for the group: {error}")))?;
        let membership = Self {
            wish,
            ended: Some(ended),
        };
        Ok((membership, received))
    }

    /// Notes where this member would go on, for tools that show the group's lag; nothing reads
    /// it here. It is sent within a moment, and may be lost.
    pub fn commit(&self, partition: PartitionId, next_offset: Offset) {
        self.wish.commits().insert(partition, next_offset);
    }

    /// Gives all partitions back, by [`GroupEvent::Revoked`], and leaves; a member with an
    /// instance's name only stops, and its partitions stay its own until the session times out.
    pub async fn leave(mut self) {
        self.wish.leaves.store(true, Ordering::Release);
        if let Some(ended) = self.ended.take() {
            // The thread cannot end otherwise.
            let _ = ended.await;
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.wish.leaves.store(true, Ordering::Release);
    }
}
