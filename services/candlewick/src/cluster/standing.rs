//! How a member stands with its group, as probes are told.

use std::fmt::Display;
use std::time::Duration;

use host::HealthComponent;

use super::member::nanoseconds;

/// A member that the group has had nothing for so long is a spare one: before that it may only
/// wait for others to drain.
const SPARE_AFTER: Duration = Duration::from_secs(10);

/// Nothing is wrong with a spare member: it takes over when another goes.
const SPARE: &str = "no partition is left for this member: the group has as many without it";

/// What the group has last said to a member.
pub(super) struct Standing {
    component: HealthComponent,
    /// When a member of the group that has no partition is a spare one, on the monotonic clock.
    spare_ns: Option<u64>,
}

impl Standing {
    /// The group has not said anything yet.
    pub(super) fn joining(component: HealthComponent, group: &str) -> Self {
        component.not_ready(format!("joining the group {group}"));
        Self {
            component,
            spare_ns: None,
        }
    }

    /// The group has given it partitions.
    pub(super) fn works(&mut self) {
        self.spare_ns = None;
        self.component.ready();
    }

    /// The group counts it in, and has no partition for it.
    pub(super) fn is_spare(&mut self, now_ns: u64) {
        // Every rebalance says so anew.
        self.spare_ns
            .get_or_insert(now_ns + nanoseconds(SPARE_AFTER));
    }

    /// The group has put it out, and it joins again.
    pub(super) fn is_out(&mut self) {
        self.spare_ns = None;
        let reason = "the group has put this member out; joining again";
        self.component.not_ready(reason);
    }

    /// Something is wrong while it has no partition. Where it is in the group, that passes once
    /// nothing is wrong for a while.
    pub(super) fn waits(&mut self, error: &impl Display, now_ns: u64) {
        self.spare_ns = self.spare_ns.map(|_| now_ns + nanoseconds(SPARE_AFTER));
        self.component
            .not_ready(format!("no partition yet: {error}"));
    }

    /// Says that it is a spare one, where it has been for long enough.
    pub(super) fn look(&self, now_ns: u64) {
        if self.spare_ns.is_some_and(|spare_ns| now_ns >= spare_ns) {
            self.component.degraded(SPARE);
        }
    }
}

#[cfg(test)]
mod tests {
    use host::Health;

    use super::*;

    const LATER: u64 = 10_000_000_000;

    fn reason(health: &Health) -> (bool, Option<String>) {
        let report = health.readiness();
        (report.is_ready(), report.components[0].reason.clone())
    }

    fn spare() -> (bool, Option<String>) {
        (true, Some(SPARE.to_owned()))
    }

    #[test]
    fn a_member_that_was_put_out_is_ready_as_a_spare_again() {
        let health = Health::default();
        let mut standing = Standing::joining(health.register("group"), "candlewick");
        // Nobody says whether it is in the group at all.
        standing.look(u64::MAX);
        assert!(!reason(&health).0);
        standing.works();
        assert_eq!(reason(&health), (true, None));
        standing.is_out();
        standing.look(u64::MAX);
        assert!(!reason(&health).0);
        standing.is_spare(5);
        standing.look(LATER);
        assert!(!reason(&health).0, "others may be draining");
        standing.is_spare(LATER);
        standing.look(LATER + 5);
        assert_eq!(reason(&health), spare());
        standing.works();
        standing.look(u64::MAX);
        assert_eq!(reason(&health), (true, None));
    }

    #[test]
    fn an_error_that_passes_leaves_a_spare_a_spare() {
        let health = Health::default();
        let mut standing = Standing::joining(health.register("group"), "candlewick");
        standing.waits(&"no such group", 0);
        standing.look(u64::MAX);
        assert!(!reason(&health).0);
        standing.is_spare(0);
        standing.look(LATER);
        assert_eq!(reason(&health), spare());
        standing.waits(&"no coordinator", LATER);
        standing.look(LATER + 1);
        let waits = "no partition yet: no coordinator".to_owned();
        assert_eq!(reason(&health), (false, Some(waits)));
        standing.look(2 * LATER);
        assert_eq!(reason(&health), spare());
    }
}
