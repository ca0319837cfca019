//! Folding the ticks of a dirty minute, as far as the archiver has stored them.

use backend::Backend;
use clock::Clock;
use market::{Bar, MINUTE_NS, Position, SECOND_NS, TICK_RETENTION_NS, VenueSettings};
use store::{BarReader, ExcludedRange, Tick, TickStore, trades_current};
use tokio_util::sync::CancellationToken;

use super::role::PartitionWorker;
use crate::core::{FoldCore, RefoldedTicks, TicksRequest};
use crate::error::WorkerError;

/// How long before they expire, by the log's time, ticks are no longer relied on. A record may be
/// folded again up to this much later and still gives the same result.
const LAG_MARGIN_NS: i64 = 3_600 * SECOND_NS;
/// The same by the clock, which may differ from the store's.
const CLOCK_MARGIN_NS: i64 = 300 * SECOND_NS;

/// Folds the ticks of a minute once the archiver has stored those before `up_to`.
/// Returns `None` if the worker is stopped first. `report_recovery` is called once the archiver has
/// stored them.
pub(super) async fn fold_ticks<B: Backend>(
    worker: &PartitionWorker<B>,
    core: &FoldCore,
    stop: &CancellationToken,
    request: &TicksRequest,
    report_recovery: impl Fn(),
) -> Result<Option<RefoldedTicks>, WorkerError> {
    let TicksRequest {
        instrument,
        start_ns,
        up_to,
        first_append_ns,
    } = request;
    if !wait_for_archiver_unless_stopped(worker, stop, *up_to).await? {
        return Ok(None);
    }
    report_recovery();
    let stores = &worker.stores;
    let read = || {
        stores
            .ticks
            .read(instrument, *start_ns, start_ns + MINUTE_NS)
    };
    let Some(ticks) = worker.retry_store_call(stop, read).await? else {
        return Ok(None);
    };
    // The clock is read after the ticks: no tick that is younger can have expired before the read.
    let clock_ns = stores.clock.now_ns();
    let by_clock_ns = clock_ns.saturating_sub(TICK_RETENTION_NS - CLOCK_MARGIN_NS);
    let log_ns = core.append_time_ns();
    let by_log_ns = log_ns.saturating_sub(TICK_RETENTION_NS - LAG_MARGIN_NS);
    let oldest_ns = by_clock_ns.max(by_log_ns);
    if first_append_ns.is_some_and(|first_ns| first_ns < oldest_ns) {
        return Ok(Some(RefoldedTicks::Expired));
    }
    let Some(excluded) = load_excluded_ranges(worker, stop, &ticks, *up_to).await? else {
        return Ok(None);
    };
    let settings = core.settings_for(instrument).unwrap_or_default();
    let bar = fold_counted_trades(ticks, &excluded, *up_to, &settings);
    Ok(Some(RefoldedTicks::Bar(bar.map(Box::new))))
}

/// Waits until the archiver has stored the ticks before `up_to`. Returns `false` if the worker is
/// stopped first.
async fn wait_for_archiver_unless_stopped<B: Backend>(
    worker: &PartitionWorker<B>,
    stop: &CancellationToken,
    up_to: Position,
) -> Result<bool, WorkerError> {
    loop {
        let read = || worker.stores.ticks.archive_position(worker.partition);
        let Some(archived) = worker.retry_store_call(stop, read).await? else {
            return Ok(false);
        };
        if archived.is_some_and(|archived| archived >= up_to) {
            return Ok(true);
        }
        worker
            .health
            .not_ready("a minute is refolded once the archiver has stored its ticks");
        let sleep = worker.stores.clock.sleep(worker.config.refold_interval);
        if stop.run_until_cancelled(sleep).await.is_none() {
            return Ok(false);
        }
    }
}

/// Returns the ranges that the fold has excluded among `ticks`, which are in order of their
/// positions, or `None` if the worker is stopped first.
async fn load_excluded_ranges<B: Backend>(
    worker: &PartitionWorker<B>,
    stop: &CancellationToken,
    ticks: &[Tick],
    up_to: Position,
) -> Result<Option<Vec<ExcludedRange>>, WorkerError> {
    let mut ranges = Vec::new();
    let same_epoch = |left: &Tick, right: &Tick| left.position.epoch == right.position.epoch;
    for run in ticks.chunk_by(same_epoch) {
        let (first, last) = (run[0].position, run[run.len() - 1].position);
        if first >= up_to {
            continue;
        }
        let bars = &worker.stores.bars;
        let end = last.offset + 1;
        let read = || bars.excluded_ranges(worker.partition, first.epoch, first.offset, end);
        let Some(found) = worker.retry_store_call(stop, read).await? else {
            return Ok(None);
        };
        ranges.extend(found);
    }
    Ok(Some(ranges))
}

/// Folds the trades among `ticks` before a position into one bar. Returns `None` if there are none.
fn fold_counted_trades(
    ticks: Vec<Tick>,
    excluded: &[ExcludedRange],
    up_to: Position,
    settings: &VenueSettings,
) -> Option<Bar> {
    let trades = trades_current(ticks, excluded, up_to, settings);
    let mut bars = trades
        .iter()
        .map(|tick| Bar::from_trade(&tick.trade, tick.position, tick.append_time_ns));
    let mut folded = bars.next()?;
    bars.for_each(|bar| folded.merge(&bar));
    Some(folded)
}
