//! A partition that cannot go on, because the log has dropped its next records or a store refuses
//! them: its task stays halted, and the other partitions continue.

use std::fmt::Display;
use std::future::Future;

use host::HealthComponent;
use metrics::{Gauge, describe_gauge, gauge};
use tokio_util::sync::CancellationToken;

const HALTED_METRIC: &str = "candlewick_partition_halted";

/// Runs the task of a partition to its end. If it fails with an error that concerns this partition
/// only, halts the partition until `stop` is cancelled and then succeeds. The component is
/// withdrawn at the end, also if the task is dropped.
///
/// # Errors
/// Any other error of the task.
pub(super) async fn run_partition_or_halt<E>(
    partition: u32,
    component: HealthComponent,
    task: impl Future<Output = Result<(), E>>,
    concerns_one_partition: impl Fn(&E) -> bool,
    stop: &CancellationToken,
) -> Result<(), E>
where
    E: Display,
{
    let component = WithdrawComponentOnDrop(component);
    match task.await {
        Err(error) if concerns_one_partition(&error) => {
            report_halted_until_stopped(partition, &error, &component.0, stop).await;
            Ok(())
        }
        result => result,
    }
}

/// Reports that a partition is halted, and waits until the partition is assigned to another
/// member or the process stops. It does not continue after the records at fault: an operator has to
/// decide on that.
async fn report_halted_until_stopped(
    partition: u32,
    error: &impl Display,
    component: &HealthComponent,
    stop: &CancellationToken,
) {
    describe_gauge!(
        HALTED_METRIC,
        "1 while a partition is stopped, because the log has dropped records that it had not \
         passed, or a store refuses them."
    );
    let _raised =
        GaugeRaisedUntilDrop::new(gauge!(HALTED_METRIC, "partition" => partition.to_string()));
    let reason = format!(
        "{error}: this partition is stopped, and the others go on; docs/operations.md says what to do"
    );
    tracing::error!(partition, reason, "stopped");
    component.not_ready(reason);
    stop.cancelled().await;
}

/// Withdraws a component when its task ends or is dropped.
struct WithdrawComponentOnDrop(HealthComponent);

impl Drop for WithdrawComponentOnDrop {
    fn drop(&mut self) {
        self.0.withdraw();
    }
}

/// A gauge that is 1 until this guard is dropped, which may happen while the task waits.
struct GaugeRaisedUntilDrop(Gauge);

impl GaugeRaisedUntilDrop {
    fn new(gauge: Gauge) -> Self {
        gauge.set(1.0);
        Self(gauge)
    }
}

impl Drop for GaugeRaisedUntilDrop {
    fn drop(&mut self) {
        self.0.set(0.0);
    }
}
