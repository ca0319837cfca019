//! How far the roles have processed the topic.

use std::time::Duration;

use clock::{Clock, SystemClock};
use store::{BarReader, PartitionProgress, TickStore};

use super::role::RoleProcess;
use super::wait::{seconds_since, wait_until};

/// How long nothing may be folded at the start, in seconds.
const START_SECONDS: f64 = 60.0;

/// Waits until the partitions are folded up to their ends.
///
/// # Errors
/// If it takes longer than `patience`, or nothing is folded for [`START_SECONDS`] at the start: the
/// error has the reasons why the role is not ready.
pub(super) async fn wait_until_folded(
    bars: &impl BarReader,
    ends: &[u64],
    role: &RoleProcess,
    patience: Duration,
) -> anyhow::Result<()> {
    let start_ns = SystemClock.monotonic_ns();
    wait_until("all is folded", patience, || async {
        role.check_alive()?;
        let rows = bars.all_partition_progress().await?;
        if rows.iter().all(|row| row.next_offset == 0) && seconds_since(start_ns) > START_SECONDS {
            anyhow::bail!("nothing is folded: {}", role.list_unready_reasons()?);
        }
        let is_reached = |(partition, end): (u32, &u64)| {
            let row = rows.iter().find(|row| row.partition == partition);
            row.is_some_and(|row| row.next_offset >= *end)
        };
        Ok((0..).zip(ends).all(is_reached).then_some(()))
    })
    .await
}

/// Waits until the partitions are archived up to their ends.
pub(super) async fn wait_until_archived(
    ticks: &impl TickStore,
    ends: &[u64],
    role: &RoleProcess,
    patience: Duration,
) -> anyhow::Result<()> {
    for (partition, end) in (0..).zip(ends) {
        wait_until("all is archived", patience, || async {
            role.check_alive()?;
            let position = ticks.next_archive_position(partition).await?;
            let is_reached = position.is_some_and(|position| position.offset >= *end);
            Ok(is_reached.then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// Returns those of `partitions` whose progress is greater than in `before`.
pub(super) async fn partitions_with_progress(
    bars: &impl BarReader,
    before: &[PartitionProgress],
    partitions: &[u32],
) -> anyhow::Result<Vec<u32>> {
    let now = bars.all_partition_progress().await?;
    let offset = |rows: &[PartitionProgress], partition| {
        let row = PartitionProgress::find_in(rows, partition);
        row.map_or(0, |row| row.next_offset)
    };
    let has_moved = |partition: &u32| offset(&now, *partition) > offset(before, *partition);
    Ok(partitions.iter().copied().filter(has_moved).collect())
}
