//! Drops old bars, and what is kept beside them. Ticks the servers of ticks drop themselves, and
//! the log Kafka.

use std::time::Duration;

use clock::{Clock, SystemClock};
use eventlog::Log;
use market::{BAR_RETENTION_NS, VERDICT_RETENTION_NS};
use store::{BarStore, StoreError};

use crate::engine::log_time;

const EVERY: Duration = Duration::from_secs(60);
/// How many calls a turn may take, each of a bounded number of rows.
const CALLS: usize = 20;

/// Drops what is old, again and again, for ever. One process does: the owner of partition 0.
pub(super) async fn run<B: BarStore, L: Log>(bars: B, trades: L) {
    loop {
        SystemClock.sleep(EVERY).await;
        match turn(&bars, &trades).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "retention: dropped what was old"),
            Err(error) => tracing::warn!(%error, "retention: trying again later"),
        }
    }
}

async fn turn<B: BarStore, L: Log>(bars: &B, trades: &L) -> Result<u64, StoreError> {
    let now_ns = log_time(bars, trades).await?;
    let mut dropped = 0;
    for _ in 0..CALLS {
        let bars_before_ns = now_ns.saturating_sub(BAR_RETENTION_NS);
        let ids_before_ns = now_ns.saturating_sub(VERDICT_RETENTION_NS);
        let rows = bars.delete_expired(bars_before_ns, ids_before_ns).await?;
        dropped += rows;
        if rows == 0 {
            break;
        }
    }
    Ok(dropped)
}
