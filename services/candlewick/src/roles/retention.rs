//! Dropping rows that are older than they have to be kept.

use std::future::Future;
use std::time::Duration;

use backend::Backend;
use clock::Clock;
use eventlog::{Log, OffsetBounds};
use market::{
    AMENDMENT_RETENTION_NS, AMENDMENT_VERDICT_RETENTION_NS, BAR_RETENTION_NS, TICK_RETENTION_NS,
    VERDICT_RETENTION_NS,
};
use store::{BarReader, BarStore, StoreError, TickStore};
use tokio_util::sync::CancellationToken;

/// The number of calls to each store in one turn. A call drops a bounded number of rows.
const MAX_CALLS_PER_TURN: usize = 20;

/// Drops expired bars, and expired ticks unless their store drops them itself.
pub(crate) struct RetentionTask<B: Backend> {
    pub(crate) trades: B::Trades,
    pub(crate) bars: B::Bars,
    /// The ticks, or `None` if the server that holds them drops old ones.
    pub(crate) ticks: Option<B::Ticks>,
    pub(crate) clock: B::Clock,
}

impl<B: Backend> RetentionTask<B> {
    /// Drops expired rows every `interval` until `stop` is cancelled. Every turn begins with
    /// `release_log`, which lets the log drop the records that no role needs any more.
    pub(crate) async fn run<F>(
        &self,
        interval: Duration,
        release_log: impl Fn() -> F,
        stop: &CancellationToken,
    ) where
        F: Future<Output = Result<(), StoreError>>,
    {
        loop {
            let sleep = self.clock.sleep(interval);
            if stop.run_until_cancelled(sleep).await.is_none() {
                return;
            }
            let turn = async {
                release_log().await?;
                self.drop_expired_rows().await
            };
            match turn.await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "retention: dropped old rows"),
                Err(error) => tracing::warn!(%error, "retention: trying again later"),
            }
        }
    }

    /// Drops expired rows, up to the limit of a turn, and returns the number of dropped rows.
    async fn drop_expired_rows(&self) -> Result<u64, StoreError> {
        let now_ns = folded_through_append_time_ns(&self.bars, &self.trades).await?;
        let before_ns = |retention_ns| now_ns.saturating_sub(retention_ns);
        let mut total = 0;
        for _ in 0..MAX_CALLS_PER_TURN {
            let mut deleted = self
                .bars
                .delete_expired_batch(
                    before_ns(BAR_RETENTION_NS),
                    before_ns(VERDICT_RETENTION_NS),
                    before_ns(AMENDMENT_VERDICT_RETENTION_NS),
                )
                .await?;
            if let Some(ticks) = &self.ticks {
                deleted += ticks
                    .delete_expired_block_batch(
                        before_ns(TICK_RETENTION_NS),
                        before_ns(AMENDMENT_RETENTION_NS),
                    )
                    .await?;
            }
            total += deleted;
            if deleted == 0 {
                break;
            }
        }
        Ok(total)
    }
}

/// Returns the time up to which all partitions are folded, in UTC nanoseconds: the append time of
/// the last folded record of the partition that is furthest behind. A partition that has nothing
/// left to fold counts as being at the newest append time of all partitions. What is dropped by
/// this time is not needed by any record that is still to be folded.
async fn folded_through_append_time_ns<R: BarReader, L: Log>(
    bars: &R,
    trades: &L,
) -> Result<i64, StoreError> {
    let progress = bars.all_partition_progress().await?;
    let newest_ns = progress.iter().map(|row| row.append_time_ns).max();
    let mut time_ns = newest_ns.unwrap_or(0);
    for row in progress {
        let bounds = trades.bounds(row.partition).await;
        // If the log has dropped the next record, nothing is folded until the topic is recreated.
        let has_next = |bounds: OffsetBounds| (bounds.first..bounds.end).contains(&row.next_offset);
        if bounds.map_or(true, has_next) {
            time_ns = time_ns.min(row.append_time_ns);
        }
    }
    Ok(time_ns)
}
