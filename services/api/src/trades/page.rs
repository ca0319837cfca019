//! One page of trades.

use std::cmp::Ordering;

use market::{EdgeTrade, HOUR_NS, TieOrder};
use store::{BarReader, StoreError, Tick, TickStore};

use super::request::ListTradesRequest;
use super::slices::TimeSlices;
use super::source::FoldedTradeReader;

/// The least number of ticks that one read should return, because each read has a cost of its own.
const MIN_TICKS_PER_READ: usize = 2_000;

/// A page of trades in order.
pub(super) struct TradePage {
    pub(super) ticks: Vec<Tick>,
    /// Whether more trades follow in the range.
    pub(super) has_more: bool,
}

/// Returns the requested trades: the oldest ones, or the newest ones if the request
/// has no start.
pub(super) async fn trade_page<R: BarReader, T: TickStore>(
    source: &FoldedTradeReader<'_, R, T>,
    request: &ListTradesRequest,
) -> Result<TradePage, StoreError> {
    let newest = request.start_ns.is_none();
    let start_ns = request.start_ns.unwrap_or(0);
    let mut hours = source
        .hours_with_tick_count_upper_bounds(start_ns, request.end_ns)
        .await?;
    if newest {
        hours.reverse();
    }
    let wanted = if newest {
        request.limit
    } else {
        request.limit + 1
    };
    let mut runs: Vec<Vec<Tick>> = Vec::new();
    let mut count = 0;
    'hours: for (hour_ns, rows) in hours {
        let (from_ns, to_ns) = (
            hour_ns.max(start_ns),
            hour_ns.saturating_add(HOUR_NS).min(request.end_ns),
        );
        let slice_ticks = (2 * wanted).max(MIN_TICKS_PER_READ);
        let mut slices = TimeSlices::new(from_ns, to_ns, rows, slice_ticks, newest);
        while let Some((from_ns, to_ns)) = slices.next_slice() {
            let mut run = source.trades_between(from_ns, to_ns).await?;
            run.retain(|tick| comes_after(tick, request.after.as_ref(), source.ties()));
            count += run.len();
            runs.push(run);
            if count >= wanted {
                break 'hours;
            }
            slices.lengthen_further_slices();
        }
    }
    if newest {
        runs.reverse();
    }
    Ok(truncate_to_page(runs.concat(), request.limit, newest))
}

fn truncate_to_page(mut ticks: Vec<Tick>, limit: usize, keep_newest: bool) -> TradePage {
    let excess = ticks.len().saturating_sub(limit);
    match keep_newest {
        true => drop(ticks.drain(..excess)),
        false => ticks.truncate(limit),
    }
    TradePage {
        ticks,
        has_more: excess > 0 && !keep_newest,
    }
}

/// Returns whether a trade comes after the last trade of the page before.
fn comes_after(tick: &Tick, after: Option<&EdgeTrade>, ties: TieOrder) -> bool {
    after.is_none_or(|last| {
        tick.trade.time_ns > last.time_ns
            || EdgeTrade::from_trade(&tick.trade, tick.position).cmp_trade_order(last, ties)
                == Ordering::Greater
    })
}
