//! Letting the log of a data folder drop the records that no role needs any more.

use connect::DataFolder;
use eventlog::Log;
use store::{BarReader, BarStore, StoreError, TickStore};

/// Lets the log drop the records that are both folded and archived. The positions are read first
/// and then made to survive a loss of power, so that no dropped record is needed again.
pub(super) async fn release_processed_records(folder: &DataFolder) -> Result<(), StoreError> {
    let progress = folder.bars.all_partition_progress().await?;
    let mut releasable = Vec::with_capacity(progress.len());
    for row in progress {
        let archived = folder.ticks.next_archive_position(row.partition).await?;
        let archived_offset = archived.map_or(0, |position| position.offset);
        releasable.push((row.partition, row.next_offset.min(archived_offset)));
    }
    folder.bars.sync().await?;
    folder.ticks.sync().await?;
    for (partition, offset) in releasable {
        if let Err(error) = folder.trades.allow_drop_before(partition, offset) {
            tracing::warn!(%error, "retention of the log failed");
        }
        if let Ok(bounds) = folder.dead_letters.bounds(partition).await
            && let Err(error) = folder.dead_letters.allow_drop_before(partition, bounds.end)
        {
            tracing::warn!(%error, "retention of the dead letters failed");
        }
    }
    Ok(())
}
