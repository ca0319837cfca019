//! A member of a consumer group: its events become tasks, one a partition.

use std::time::Duration;

use anyhow::anyhow;
use clock::{Clock, SystemClock};
use eventlog::LogError;
use host::HealthComponent;
use kafka::{GroupEvent, KafkaTopic, Membership, MembershipOptions};
use metrics::{counter, describe_counter, describe_gauge, gauge};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::assignments::{Assignments, Start};
use super::standing::Standing;
use connect::GroupSettings;

/// How long a partition that goes to another member may take to finish what it has begun.
const HANDOVER: Duration = Duration::from_secs(10);
/// How much longer the group waits for that than we do.
const GRACE: Duration = Duration::from_secs(2);
/// How long leaving the group may take: brokers that are away are not waited for.
const LEAVING: Duration = Duration::from_secs(5);
/// How often the group is told how far each partition is, for tools that show lag.
const COMMIT_EVERY: Duration = Duration::from_secs(5);
/// How long the store may take to say that.
const TELLING: Duration = Duration::from_secs(2);

const PARTITIONS: &str = "candlewick_group_partitions";
const REBALANCES: &str = "candlewick_group_rebalances_total";

/// Withdraws a component when the work that it speaks for is over, however it ends.
pub(super) struct Presence(pub(super) HealthComponent);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.withdraw();
    }
}

/// The group, and what is worked on.
pub(super) struct Member<'a> {
    pub(super) topic: &'a KafkaTopic,
    pub(super) settings: GroupSettings,
    pub(super) component: HealthComponent,
}

impl Member<'_> {
    /// Works on whatever partitions the group assigns until it is told to stop, then finishes
    /// what it has begun and leaves. `positions` says how far each partition is.
    ///
    /// # Errors
    /// Where the work on a partition failed, or the group does not let us in.
    pub(super) async fn work<P>(
        self,
        start: Start,
        positions: impl Fn() -> P,
        stop: CancellationToken,
    ) -> anyhow::Result<()>
    where
        P: Future<Output = Vec<(u32, u64)>>,
    {
        describe_gauge!(
            PARTITIONS,
            "Partitions that this member of the group works on."
        );
        describe_counter!(
            REBALANCES,
            "How often the group has given or taken partitions."
        );
        let GroupSettings { group, instance } = self.settings;
        let options = MembershipOptions {
            group: group.clone(),
            instance,
            drain_timeout: HANDOVER + GRACE,
        };
        let mut standing = Standing::joining(self.component, &group);
        let (membership, mut events) = Membership::join(self.topic, &options)?;
        let mut assignments = Assignments::new(SystemClock, start);
        let owned = gauge!(PARTITIONS, "group" => group.clone());
        let rebalances = counter!(REBALANCES, "group" => group);
        let mut commit_ns = SystemClock.monotonic_ns();
        let ended = loop {
            let left_ns = commit_ns.saturating_sub(SystemClock.monotonic_ns());
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                failure = assignments.failed() => break Err(failure),
                event = events.recv() => {
                    let Some(event) = event else {
                        break Err(anyhow!("the client of the consumer group ended"));
                    };
                    rebalances.increment(1);
                    let done = obey(&mut assignments, event, &mut standing).await;
                    if let Err(failure) = done {
                        break Err(failure);
                    }
                    owned.set(assignments.partitions().len() as f64);
                }
                () = SystemClock.sleep(Duration::from_nanos(left_ns)) => {
                    tell(&membership, &assignments, &positions).await;
                    let now_ns = SystemClock.monotonic_ns();
                    commit_ns = now_ns + nanoseconds(COMMIT_EVERY);
                    standing.look(now_ns);
                }
            }
        };
        let mine = assignments.partitions();
        let drained = assignments.drain(HANDOVER).await;
        owned.set(0.0);
        tracing::info!(partitions = ?mine, "finished; leaving the group");
        tell_of(&membership, &mine, &positions).await;
        leave(membership, events).await;
        ended.and(drained).map_err(explain)
    }
}

/// Does what the group says.
async fn obey<C: Clock>(
    assignments: &mut Assignments<C>,
    event: GroupEvent,
    standing: &mut Standing,
) -> anyhow::Result<()> {
    let now_ns = SystemClock.monotonic_ns();
    match event {
        GroupEvent::Assigned(partitions) => {
            tracing::info!(?partitions, "assigned");
            assignments.assign(&partitions);
            standing.works();
        }
        GroupEvent::Spare => standing.is_spare(now_ns),
        GroupEvent::Revoked {
            partitions,
            drained,
        } => {
            tracing::info!(?partitions, "revoked; finishing them");
            let finished = assignments.revoke(&partitions, HANDOVER).await;
            drop(drained);
            finished?;
        }
        GroupEvent::Lost(partitions) => {
            tracing::warn!(?partitions, "lost: the group has given them to others");
            standing.is_out();
            assignments.lose(&partitions).await;
        }
        GroupEvent::Error { error, is_over } if is_over => {
            return Err(anyhow!(error).context("the membership of the consumer group is over"));
        }
        GroupEvent::Error { error, .. } => {
            tracing::warn!(%error, "the consumer group");
            if assignments.partitions().is_empty() {
                standing.waits(&error, now_ns);
            }
        }
    }
    Ok(())
}

/// Leaves the group, whose last events are taken and mean nothing any more.
async fn leave(membership: Membership, mut events: Receiver<GroupEvent>) {
    let last_events = async { while events.recv().await.is_some() {} };
    let left = async { tokio::join!(membership.leave(), last_events) };
    if clock::timeout(&SystemClock, LEAVING, left).await.is_err() {
        tracing::warn!("the brokers were not told that this member leaves");
    }
}

/// Tells the group how far the partitions of this member are.
async fn tell<C: Clock, P>(
    membership: &Membership,
    assignments: &Assignments<C>,
    positions: &impl Fn() -> P,
) where
    P: Future<Output = Vec<(u32, u64)>>,
{
    tell_of(membership, &assignments.partitions(), positions).await;
}

async fn tell_of<P>(membership: &Membership, mine: &[u32], positions: &impl Fn() -> P)
where
    P: Future<Output = Vec<(u32, u64)>>,
{
    if mine.is_empty() {
        return;
    }
    // The group's next event may wait for this, and it matters less.
    let Ok(known) = clock::timeout(&SystemClock, TELLING, positions()).await else {
        return;
    };
    for (partition, next_offset) in known {
        if mine.contains(&partition) {
            membership.commit_offset(partition, next_offset);
        }
    }
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Says what to do about a topic that was made anew.
pub(super) fn explain(error: anyhow::Error) -> anyhow::Error {
    let is_recreated = |cause: &(dyn std::error::Error + 'static)| {
        matches!(
            cause.downcast_ref::<LogError>(),
            Some(LogError::Recreated { .. })
        )
    };
    match error.chain().any(is_recreated) {
        true => error.context(
            "a topic was made anew; what was folded of the old one is kept, and the process, \
             started again, goes on with the next epoch",
        ),
        false => error,
    }
}
