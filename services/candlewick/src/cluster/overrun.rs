//! A partition whose next records the log has dropped: it stays stopped, and the others go on.

use std::fmt::Display;

use host::HealthComponent;
use metrics::{Gauge, describe_gauge, gauge};
use tokio_util::sync::CancellationToken;

const OVERRUN: &str = "candlewick_partition_overrun";

/// Says what has happened, and waits until the partition is another member's or the process is to
/// stop. Nothing is skipped: a gap that nobody has decided on would be worse.
pub(super) async fn stand(
    partition: u32,
    error: impl Display,
    health: &HealthComponent,
    stop: &CancellationToken,
) {
    describe_gauge!(
        OVERRUN,
        "1 while a partition is stopped, because the log has dropped records that it had not \
         passed."
    );
    let _raised = Raised::new(gauge!(OVERRUN, "partition" => partition.to_string()));
    let reason = format!(
        "{error}: the log has dropped records that were still to be read, and this partition is \
         stopped; docs/operations.md says what to do"
    );
    tracing::error!(partition, reason, "stopped");
    health.not_ready(reason);
    stop.cancelled().await;
}

/// A gauge that is 1 as long as this lives: the task may be dropped where it waits.
struct Raised(Gauge);

impl Raised {
    fn new(gauge: Gauge) -> Self {
        gauge.set(1.0);
        Self(gauge)
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        self.0.set(0.0);
    }
}
