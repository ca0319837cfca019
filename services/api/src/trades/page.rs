//! One page of trades.

use std::cmp::Ordering;

use market::{EdgeTrade, HOUR_NS};
use store::{BarReader, StoreError, Tick, TickStore};

use super::TradeRequest;
use super::slices::Slices;
use super::source::TradeSource;

/// The least number of ticks that one read is to give: a read has a cost of its own.
const LEAST_READ: usize = 2_000;

/// Some trades in order.
pub(super) struct TradePage {
    pub(super) ticks: Vec<Tick>,
    /// Whether trades follow within the range.
    pub(super) has_more: bool,
}

/// The trades asked for: from the start on where one is given, else the newest.
pub(super) async fn page<B: BarReader, T: TickStore>(
    source: &TradeSource<'_, B, T>,
    request: &TradeRequest,
) -> Result<TradePage, StoreError> {
    let newest = request.start_ns.is_none();
    let start_ns = request.start_ns.unwrap_or(0);
    let mut hours = source.hours(start_ns, request.end_ns).await?;
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
        let share = (2 * wanted).max(LEAST_READ);
        let mut slices = Slices::new(from_ns, to_ns, rows, share, newest);
        while let Some((from_ns, to_ns)) = slices.next() {
            let mut run = source.slice(from_ns, to_ns).await?;
            run.retain(|tick| follows(tick, request.after.as_ref()));
            count += run.len();
            runs.push(run);
            if count >= wanted {
                break 'hours;
            }
            slices.widen();
        }
    }
    if newest {
        runs.reverse();
    }
    Ok(cut(runs.concat(), request.limit, newest))
}

fn cut(mut ticks: Vec<Tick>, limit: usize, newest: bool) -> TradePage {
    let excess = ticks.len().saturating_sub(limit);
    match newest {
        true => drop(ticks.drain(..excess)),
        false => ticks.truncate(limit),
    }
    TradePage {
        ticks,
        has_more: excess > 0 && !newest,
    }
}

/// Whether a trade comes after the one that the page before ended with.
fn follows(tick: &Tick, after: Option<&EdgeTrade>) -> bool {
    after.is_none_or(|last| {
        tick.trade.time_ns > last.time_ns
            || EdgeTrade::from_trade(&tick.trade, tick.position).cmp_trade_order(last)
                == Ordering::Greater
    })
}
