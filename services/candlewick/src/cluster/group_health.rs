//! What probes report about a member of a consumer group.

use std::fmt::Display;
use std::time::Duration;

use host::HealthComponent;

/// A member that has had no partition for this time is a spare one. Before that it may only be
/// waiting until other members have drained.
const SPARE_AFTER: Duration = Duration::from_secs(10);

/// The reason of a spare member, which is healthy: it takes over when another member leaves.
const SPARE: &str = "no partition is left for this member: the group has as many without it";

/// The health of a member of a consumer group, derived from the last events of the group.
pub(super) struct GroupMemberHealth {
    component: HealthComponent,
    /// Since when, on the monotonic clock, the member has been in the group without a partition
    /// and without an error. `None` if it has partitions or is not in the group.
    idle_since_ns: Option<u64>,
}

impl GroupMemberHealth {
    /// Returns the health of a member that has not received an event yet.
    pub(super) fn new(component: HealthComponent, group: &str) -> Self {
        component.not_ready(format!("joining the group {group}"));
        Self {
            component,
            idle_since_ns: None,
        }
    }

    /// Reports that the group has assigned partitions to the member.
    pub(super) fn report_assigned(&mut self) {
        self.idle_since_ns = None;
        self.component.ready();
    }

    /// Marks that the member is in the group without a partition since `now_ns`, unless it is
    /// marked already.
    pub(super) fn mark_without_partition_unless_marked(&mut self, now_ns: u64) {
        // Every rebalance repeats this event; the first one counts.
        self.idle_since_ns.get_or_insert(now_ns);
    }

    /// Reports that the group has removed the member, which joins again.
    pub(super) fn report_removed(&mut self) {
        self.idle_since_ns = None;
        let reason = "the group has removed this member; joining again";
        self.component.not_ready(reason);
    }

    /// Reports an error while the member has no partition. If the member is in the group, it is
    /// healthy again after [`SPARE_AFTER`] without another error.
    pub(super) fn report_error_without_partition(&mut self, error: &impl Display, now_ns: u64) {
        self.idle_since_ns = self.idle_since_ns.map(|_| now_ns);
        self.component
            .not_ready(format!("no partition yet: {error}"));
    }

    /// Reports the member as a spare one if it has been idle for [`SPARE_AFTER`].
    pub(super) fn report_spare_if_idle(&self, now_ns: u64) {
        let is_spare = self.idle_since_ns.is_some_and(|since_ns| {
            Duration::from_nanos(now_ns.saturating_sub(since_ns)) >= SPARE_AFTER
        });
        if is_spare {
            self.component.degraded(SPARE);
        }
    }
}

#[cfg(test)]
mod tests {
    use host::Health;

    use super::*;

    const TEN_SECONDS_NS: u64 = 10_000_000_000;

    fn readiness(health: &Health) -> (bool, Option<String>) {
        let report = health.readiness();
        (report.is_ready(), report.components[0].reason.clone())
    }

    fn spare_readiness() -> (bool, Option<String>) {
        (true, Some(SPARE.to_owned()))
    }

    #[test]
    fn a_member_that_was_removed_is_ready_as_a_spare_again() {
        let health = Health::default();
        let mut group_health = GroupMemberHealth::new(health.register("group"), "candlewick");
        // It is not known yet whether the member is in the group at all.
        group_health.report_spare_if_idle(u64::MAX);
        assert!(!readiness(&health).0);
        group_health.report_assigned();
        assert_eq!(readiness(&health), (true, None));
        group_health.report_removed();
        group_health.report_spare_if_idle(u64::MAX);
        assert!(!readiness(&health).0);
        group_health.mark_without_partition_unless_marked(5);
        group_health.report_spare_if_idle(TEN_SECONDS_NS);
        assert!(!readiness(&health).0, "others may be draining");
        group_health.mark_without_partition_unless_marked(TEN_SECONDS_NS);
        group_health.report_spare_if_idle(TEN_SECONDS_NS + 5);
        assert_eq!(readiness(&health), spare_readiness());
        group_health.report_assigned();
        group_health.report_spare_if_idle(u64::MAX);
        assert_eq!(readiness(&health), (true, None));
    }

    #[test]
    fn an_error_that_passes_leaves_a_spare_a_spare() {
        let health = Health::default();
        let mut group_health = GroupMemberHealth::new(health.register("group"), "candlewick");
        group_health.report_error_without_partition(&"no such group", 0);
        group_health.report_spare_if_idle(u64::MAX);
        assert!(!readiness(&health).0);
        group_health.mark_without_partition_unless_marked(0);
        group_health.report_spare_if_idle(TEN_SECONDS_NS);
        assert_eq!(readiness(&health), spare_readiness());
        group_health.report_error_without_partition(&"no coordinator", TEN_SECONDS_NS);
        group_health.report_spare_if_idle(TEN_SECONDS_NS + 1);
        let reason = "no partition yet: no coordinator".to_owned();
        assert_eq!(readiness(&health), (false, Some(reason)));
        group_health.report_spare_if_idle(2 * TEN_SECONDS_NS);
        assert_eq!(readiness(&health), spare_readiness());
    }
}
