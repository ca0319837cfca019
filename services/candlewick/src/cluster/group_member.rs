//! A member of a consumer group: it turns the events of the group into tasks, one for each
//! partition.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use anyhow::anyhow;
use clock::{Clock, SystemClock};
use connect::ConsumerGroupSettings;
use eventlog::LogError;
use host::HealthComponent;
use kafka::{GroupEvent, GroupMembership, GroupMembershipOptions, KafkaTopic};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::group_health::GroupMemberHealth;
use super::group_member_metrics::GroupMemberMetrics;
use super::partition_tasks::{PartitionTaskFactory, PartitionTasks};

/// How long the task of a revoked partition may take to finish.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How much longer than [`DRAIN_TIMEOUT`] the group waits for a revoked partition.
const DRAIN_GRACE: Duration = Duration::from_secs(2);
/// How long leaving the group may take: the end of the process does not wait for brokers that
/// are unavailable.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// The time between two commits of offsets to the group, for tools that show lag.
const COMMIT_INTERVAL: Duration = Duration::from_secs(5);
/// How long the store may take to return these offsets.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(2);

/// A member of a consumer group that has not joined it yet.
pub(super) struct GroupMember<'a> {
    pub(super) topic: &'a KafkaTopic,
    pub(super) settings: ConsumerGroupSettings,
    /// Reports whether the member has partitions.
    pub(super) health: HealthComponent,
}

/// A member that has joined the group.
struct JoinedMember {
    membership: GroupMembership,
    events: Receiver<GroupEvent>,
    tasks: PartitionTasks<SystemClock>,
    health: GroupMemberHealth,
    metrics: GroupMemberMetrics,
}

impl GroupMember<'_> {
    /// Works on the partitions that the group assigns until `stop` is cancelled or
    /// `restart_needed` completes, then finishes the tasks and leaves the group. Meanwhile it
    /// polls `probes`. `next_offsets` returns the next offset of each partition.
    ///
    /// # Errors
    /// If the task of a partition failed, the group refuses this member, or `restart_needed`
    /// completed.
    pub(super) async fn run<P>(
        self,
        task_factory: PartitionTaskFactory,
        next_offsets: impl Fn() -> P,
        restart_needed: impl Future<Output = LogError>,
        probes: impl Future<Output = Infallible>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()>
    where
        P: Future<Output = Vec<(u32, u64)>>,
    {
        let member_stop = stop.child_token();
        let mut work = pin!(self.join_and_work(task_factory, next_offsets, member_stop.clone()));
        let result = tokio::select! {
            result = &mut work => result,
            error = restart_needed => {
                member_stop.cancel();
                let drained = work.await;
                drained.and(Err(error.into()))
            }
            never = probes => match never {},
        };
        result.map_err(explain_recreated_topic)
    }

    /// Joins the group and works until `stop` is cancelled.
    async fn join_and_work<P>(
        self,
        task_factory: PartitionTaskFactory,
        next_offsets: impl Fn() -> P,
        stop: CancellationToken,
    ) -> anyhow::Result<()>
    where
        P: Future<Output = Vec<(u32, u64)>>,
    {
        let ConsumerGroupSettings { group, instance } = self.settings;
        let options = GroupMembershipOptions {
            group: group.clone(),
            instance,
            drain_timeout: DRAIN_TIMEOUT + DRAIN_GRACE,
        };
        let health = GroupMemberHealth::new(self.health, &group);
        let (membership, events) = GroupMembership::join(self.topic, &options)?;
        let mut member = JoinedMember {
            membership,
            events,
            tasks: PartitionTasks::new(SystemClock, task_factory),
            health,
            metrics: GroupMemberMetrics::new(&group),
        };
        let ended = member
            .handle_events_and_commit_offsets(&next_offsets, stop)
            .await;
        let drained = member.drain_commit_and_leave(&next_offsets).await;
        ended.and(drained)
    }
}

impl JoinedMember {
    /// Handles the events of the group and commits offsets until `stop` is cancelled.
    async fn handle_events_and_commit_offsets<P>(
        &mut self,
        next_offsets: &impl Fn() -> P,
        stop: CancellationToken,
    ) -> anyhow::Result<()>
    where
        P: Future<Output = Vec<(u32, u64)>>,
    {
        let mut until_commit = Duration::ZERO;
        loop {
            let wait_begin_ns = SystemClock.monotonic_ns();
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                failure = self.tasks.wait_for_failure() => return Err(failure),
                event = self.events.recv() => {
                    let event = event
                        .ok_or_else(|| anyhow!("the client of the consumer group ended"))?;
                    self.handle_event(event).await?;
                }
                () = SystemClock.sleep(until_commit) => {
                    let partitions = self.tasks.partitions();
                    request_offset_commits(&self.membership, &partitions, next_offsets).await;
                    self.health.report_spare_if_idle(SystemClock.monotonic_ns());
                    until_commit = COMMIT_INTERVAL;
                    continue;
                }
            }
            let waited_ns = SystemClock.monotonic_ns().saturating_sub(wait_begin_ns);
            until_commit = until_commit.saturating_sub(Duration::from_nanos(waited_ns));
        }
    }

    async fn handle_event(&mut self, event: GroupEvent) -> anyhow::Result<()> {
        self.metrics.rebalances.increment(1);
        let now_ns = SystemClock.monotonic_ns();
        match event {
            GroupEvent::Assigned(partitions) => {
                tracing::info!(?partitions, "assigned");
                self.tasks.start(&partitions);
                self.health.report_assigned();
            }
            GroupEvent::Spare => self.health.mark_without_partition_unless_marked(now_ns),
            GroupEvent::Revoked {
                partitions,
                drained,
            } => {
                tracing::info!(?partitions, "revoked; finishing them");
                let finished = self
                    .tasks
                    .stop_and_abort_after_timeout(&partitions, DRAIN_TIMEOUT)
                    .await;
                drop(drained);
                finished?;
            }
            GroupEvent::Lost(partitions) => {
                tracing::warn!(?partitions, "lost: the group has assigned them to others");
                self.health.report_removed();
                self.tasks.abort(&partitions).await;
            }
            GroupEvent::Error { error, is_over } if is_over => {
                return Err(anyhow!(error).context("the membership of the consumer group is over"));
            }
            GroupEvent::Error { error, .. } => {
                tracing::warn!(%error, "the consumer group reported an error");
                if self.tasks.partitions().is_empty() {
                    self.health.report_error_without_partition(&error, now_ns);
                }
            }
        }
        self.metrics
            .partitions
            .set(self.tasks.partitions().len() as f64);
        Ok(())
    }

    /// Finishes all tasks, commits their offsets and leaves the group.
    ///
    /// # Errors
    /// If a task failed.
    async fn drain_commit_and_leave<P>(
        mut self,
        next_offsets: &impl Fn() -> P,
    ) -> anyhow::Result<()>
    where
        P: Future<Output = Vec<(u32, u64)>>,
    {
        let partitions = self.tasks.partitions();
        let drained = self
            .tasks
            .stop_all_and_abort_after_timeout(DRAIN_TIMEOUT)
            .await;
        self.metrics.partitions.set(0.0);
        tracing::info!(?partitions, "finished; leaving the group");
        request_offset_commits(&self.membership, &partitions, next_offsets).await;
        leave_group(self.membership, self.events).await;
        drained
    }
}

/// Leaves the group. Its last events are received and ignored.
async fn leave_group(membership: GroupMembership, mut events: Receiver<GroupEvent>) {
    let last_events = async { while events.recv().await.is_some() {} };
    let leave = async { tokio::join!(membership.leave(), last_events) };
    if clock::timeout(&SystemClock, LEAVE_TIMEOUT, leave)
        .await
        .is_err()
    {
        tracing::warn!("the brokers did not confirm that this member left the group");
    }
}

/// Commits the next offsets of partitions to the group.
async fn request_offset_commits<P>(
    membership: &GroupMembership,
    partitions: &[u32],
    next_offsets: &impl Fn() -> P,
) where
    P: Future<Output = Vec<(u32, u64)>>,
{
    if partitions.is_empty() {
        return;
    }
    // The next event of the group may wait for this, and is more important.
    let Ok(offsets) = clock::timeout(&SystemClock, OFFSETS_TIMEOUT, next_offsets()).await else {
        return;
    };
    for (partition, next_offset) in offsets {
        if partitions.contains(&partition) {
            membership.request_offset_commit(partition, next_offset);
        }
    }
}

/// Adds advice to the error of a topic that was recreated; returns other errors unchanged.
fn explain_recreated_topic(error: anyhow::Error) -> anyhow::Error {
    let is_recreated = |cause: &(dyn std::error::Error + 'static)| {
        matches!(
            cause.downcast_ref::<LogError>(),
            Some(LogError::Recreated { .. })
        )
    };
    match error.chain().any(is_recreated) {
        true => error.context(
            "a topic was recreated; what was folded from the old one is kept, and the process \
             continues with the next epoch when it is restarted",
        ),
        false => error,
    }
}
