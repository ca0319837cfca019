//! What is kept how long.

use std::time::Duration;

use clock::Clock;
use eventlog::{Bounds, Log};
use market::{BAR_RETENTION_NS, TICK_RETENTION_NS, VERDICT_RETENTION_NS};
use store::{BarReader, BarStore, StoreError, TickStore};
use tokio_util::sync::CancellationToken;

use connect::Folder;

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
        if let Err(error) = turn(&folder).await {
            tracing::warn!(%error, "retention: trying again later");
        }
    }
}

async fn turn(folder: &Folder) -> Result<(), StoreError> {
    release_log(folder).await?;
    let now_ns = log_time(&folder.bars, &folder.trades).await?;
    for _ in 0..CALLS {
        let bars = folder.bars.expire(
            now_ns.saturating_sub(BAR_RETENTION_NS),
            now_ns.saturating_sub(VERDICT_RETENTION_NS),
        );
        let ticks = folder
            .ticks
            .expire(now_ns.saturating_sub(TICK_RETENTION_NS));
        if bars.await? + ticks.await? == 0 {
            return Ok(());
        }
    }
    Ok(())
}

/// The time as the fold knows it, which is the log's: a partition that has records to fold is
/// where the last one it folded was appended, and the others are where the newest of all was.
/// What is dropped is then never needed by a record that is still to be folded.
pub(crate) async fn log_time<B: BarReader, L: Log>(
    bars: &B,
    trades: &L,
) -> Result<i64, StoreError> {
    let progress = bars.progress().await?;
    let newest_ns = progress.iter().map(|row| row.append_time_ns).max();
    let mut time_ns = newest_ns.unwrap_or(0);
    for row in progress {
        let bounds = trades.bounds(row.partition).await;
        // Where retention has overrun it, nothing is folded before the topic is made anew.
        let goes_on = |bounds: Bounds| (bounds.first..bounds.end).contains(&row.next_offset);
        if bounds.map_or(true, goes_on) {
            time_ns = time_ns.min(row.append_time_ns);
        }
    }
    Ok(time_ns)
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
        if let Err(error) = folder.trades.release_before(partition, offset) {
            tracing::warn!(%error, "retention of the log");
        }
        if let Ok(bounds) = folder.dead_letters.bounds(partition).await
            && let Err(error) = folder.dead_letters.release_before(partition, bounds.end)
        {
            tracing::warn!(%error, "retention of the dead letters");
        }
    }
    Ok(())
}
