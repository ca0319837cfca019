//! The metrics of a member of a consumer group.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

const PARTITIONS_METRIC: &str = "candlewick_group_partitions";
const REBALANCES_METRIC: &str = "candlewick_group_rebalances_total";

/// The metrics of a member of a consumer group.
pub(super) struct GroupMemberMetrics {
    /// Partitions that this member works on.
    pub(super) partitions: Gauge,
    /// Rebalances that this member has seen.
    pub(super) rebalances: Counter,
}

impl GroupMemberMetrics {
    /// Registers the metrics of a group and returns them.
    pub(super) fn new(group: &str) -> Self {
        describe_gauge!(
            PARTITIONS_METRIC,
            "Partitions that this member of the group works on."
        );
        describe_counter!(
            REBALANCES_METRIC,
            "How often the group has assigned or revoked partitions."
        );
        Self {
            partitions: gauge!(PARTITIONS_METRIC, "group" => group.to_owned()),
            rebalances: counter!(REBALANCES_METRIC, "group" => group.to_owned()),
        }
    }
}
