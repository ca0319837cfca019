//! What is kept how long.

use std::time::Duration;

use eventlog::Log;
use host::Clock;
use market::{BARS_KEPT_NS, TICKS_KEPT_NS, VERDICTS_KEPT_NS};
use store::{BarReader, BarStore, StoreError, TickStore};
use tokio_util::sync::CancellationToken;

use crate::Folder;

const EVERY: Duration = Duration::from_secs(30);
/// How many rows may go a turn, in calls of a store.
const CALLS: usize = 20;

/// Drops what is old, again and again, until it is told to stop.
pub(super) async fn run<C: Clock>(folder: Folder, clock: C, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = clock.sleep(EVERY) => {}
        }
        if let Err(error) = turn(&folder, clock.now_ns()).await {
            tracing::warn!(%error, "retention: trying again later");
        }
    }
}

async fn turn(folder: &Folder, now_ns: i64) -> Result<(), StoreError> {
    release_log(folder).await?;
    for _ in 0..CALLS {
        let bars = folder
            .bars
            .expire(now_ns - BARS_KEPT_NS, now_ns - VERDICTS_KEPT_NS);
        let ticks = folder.ticks.expire(now_ns - TICKS_KEPT_NS);
        if bars.await? + ticks.await? == 0 {
            return Ok(());
        }
    }
    Ok(())
}

/// Lets the log drop what bars and ticks have passed for good: the positions are read first,
/// then made to survive a loss of power.
async fn release_log(folder: &Folder) -> Result<(), StoreError> {
    let progress = folder.bars.progress().await?;
    let mut passed = Vec::with_capacity(progress.len());
    for row in progress {
        let archived = folder.ticks.position(row.partition).await?;
        let archived = archived.map_or(0, |position| position.offset);
        passed.push((row.partition, row.next_offset.min(archived)));
    }
    folder.bars.sync().await?;
    folder.ticks.sync().await?;
    for (partition, offset) in passed {
        if let Err(error) = folder.trades.retain(partition, offset) {
            tracing::warn!(%error, "retention of the log");
        }
        if let Ok(bounds) = folder.dead_letters.bounds(partition).await
            && let Err(error) = folder.dead_letters.retain(partition, bounds.end)
        {
            tracing::warn!(%error, "retention of the dead letters");
        }
    }
    Ok(())
}
