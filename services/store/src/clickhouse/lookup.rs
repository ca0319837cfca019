//! Looking ticks up by what identifies their trades.

use market::{Instrument, TradeId};

use super::read::{SELECT_TICKS, bind_range, fetch_ticks};
use super::server::ClickHouseServer;
use crate::tick_store::sort_and_dedup;
use crate::{StoreError, Tick, TickLookup};

/// The most values that one statement names. An id has up to 128 characters, and the server reads
/// statements of up to 256 KiB.
const VALUES_PER_STATEMENT: usize = 1_000;

/// Returns the ticks of an instrument within `[start_ns, end_ns)` that match `lookup`, in order of
/// their positions. The server reads the ids of all ticks of the range, and the other columns of
/// those that match.
pub(super) async fn read_matching_ticks(
    server: &ClickHouseServer,
    instrument: &Instrument,
    start_ns: i64,
    end_ns: i64,
    lookup: &TickLookup,
) -> Result<Vec<Tick>, StoreError> {
    let (mut numbers, mut texts) = (Vec::new(), Vec::new());
    for id in lookup.ids() {
        match id {
            TradeId::Number(number) => numbers.push(*number),
            TradeId::Digits(text) | TradeId::Text(text) => texts.push(text.to_string()),
        }
    }
    let indexes: Vec<_> = lookup.senders().map(|sender| sender.index).collect();
    let mut ticks = Vec::new();
    let select = |condition: &str| {
        let query = server
            .client()
            .query(&format!("SELECT * FROM ({SELECT_TICKS}) WHERE {condition}"));
        bind_range(query, instrument, start_ns, end_ns)
    };
    for numbers in numbers.chunks(VALUES_PER_STATEMENT) {
        let query = select("id_kind = 'number' AND id_number IN ?").bind(numbers);
        ticks.extend(fetch_ticks(server, query).await?);
    }
    for texts in texts.chunks(VALUES_PER_STATEMENT) {
        let query = select("id_kind IN ('digits', 'text') AND id_text IN ?").bind(texts);
        ticks.extend(fetch_ticks(server, query).await?);
    }
    for indexes in indexes.chunks(VALUES_PER_STATEMENT) {
        let query = select("id_kind = 'none' AND sender_index IN ?").bind(indexes);
        ticks.extend(fetch_ticks(server, query).await?);
    }
    // Digits and texts share a column, and the key of a sender is not part of the condition.
    ticks.retain(|(_, tick)| lookup.matches(&tick.trade));
    Ok(sort_and_dedup(ticks))
}
