//! How far everything is.

use std::time::Duration;

use store::{BarReader, PartitionProgress, TickStore};

use super::role::Role;
use super::wait::until;

/// Waits until the partitions are folded up to their ends.
pub(super) async fn folded(
    bars: &impl BarReader,
    ends: &[u64],
    role: &Role,
    patience: Duration,
) -> anyhow::Result<()> {
    until("all is folded", patience, || async {
        role.check_alive()?;
        let rows = bars.all_partition_progress().await?;
        let is_there = |(partition, end): (u32, &u64)| {
            let row = PartitionProgress::find_in(&rows, partition);
            row.is_some_and(|row| row.next_offset >= *end)
        };
        Ok((0..).zip(ends).all(is_there).then_some(()))
    })
    .await
}

/// Waits until the partitions are archived up to their ends.
pub(super) async fn archived(
    ticks: &impl TickStore,
    ends: &[u64],
    role: &Role,
    patience: Duration,
) -> anyhow::Result<()> {
    for (partition, end) in (0..).zip(ends) {
        until("all is archived", patience, || async {
            role.check_alive()?;
            let position = ticks.archive_position(partition).await?;
            let is_there = position.is_some_and(|position| position.offset >= *end);
            Ok(is_there.then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// Which of some partitions have moved since their progress was read.
pub(super) async fn moved(
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
