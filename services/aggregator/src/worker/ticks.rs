//! Folding the ticks of a dirty minute.

use backend::Backend;
use market::{Bar, MINUTE_NS, VenueSettings};
use schemas::RefoldResult;
use store::{StoreError, TickStore, load_excluded_ranges, trades_admitted_and_current};

use super::role::WorkerStores;
use crate::core::RefoldRequest;

/// Folds the ticks of a minute before the position of its mark. The archiver must have stored them,
/// and the fold must have stored which of them are no trades.
pub(super) async fn fold_ticks<B: Backend>(
    stores: &WorkerStores<B>,
    partition: u32,
    request: &RefoldRequest,
    settings: &VenueSettings,
) -> Result<RefoldResult, StoreError> {
    let (start_ns, up_to) = (request.start_ns, request.up_to);
    let end_ns = start_ns + MINUTE_NS;
    let mut ticks = stores
        .ticks
        .read(&request.instrument, start_ns, end_ns)
        .await?;
    ticks.retain(|tick| tick.position < up_to);
    let excluded = load_excluded_ranges(&stores.bars, partition, &ticks).await?;
    let (admitted, trades) = trades_admitted_and_current(ticks, &excluded, up_to, settings);
    let mut bar = Bar::empty(start_ns, 0, i64::MAX);
    for tick in &trades {
        let one = Bar::from_trade(&tick.trade, tick.position, tick.append_time_ns);
        bar.merge(&one, settings.ties);
    }
    // Trades that were cancelled count here too.
    bar.admitted = admitted.count;
    bar.first_append_ns = admitted.first_append_ns.unwrap_or(i64::MAX);
    Ok(RefoldResult {
        start_ns,
        up_to,
        bar,
    })
}
