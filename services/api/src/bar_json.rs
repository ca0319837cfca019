//! A bar as clients see it, over REST and on the live stream alike.

use market::{BarRow, EdgeTrade, Position, format_time, weighted_mean_text};
use serde::Serialize;

/// A bar as clients see it. Numbers that need not fit 64 bits or a double are text, exact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BarJson {
    /// The window's first nanosecond, in RFC 3339 UTC: the bar's label.
    pub start: String,
    /// The first nanosecond after the window, in RFC 3339 UTC.
    pub end: String,
    /// The price of the first trade.
    pub open: String,
    /// The greatest price.
    pub high: String,
    /// The least price.
    pub low: String,
    /// The price of the last trade.
    pub close: String,
    /// The sum of quantities.
    pub volume: String,
    /// The part of it where the buyer was the aggressor.
    pub buy_volume: String,
    /// The part of it where the seller was the aggressor.
    pub sell_volume: String,
    /// The sum of price times quantity.
    pub notional: String,
    /// Notional by volume, to 18 significant digits, half to even; nothing without volume.
    pub vwap: Option<String>,
    /// How many trades.
    pub trades: u64,
    /// The id of the first trade, or its place "epoch-partition-offset" where it has none;
    /// nothing in a filled bar, or where cancels have emptied the window.
    pub first_trade_id: Option<String>,
    /// The same of the last trade.
    pub last_trade_id: Option<String>,
    /// How many trades were applied after the close.
    pub revision: u64,
    /// Whether the window is over, late trades included.
    pub closed: bool,
    /// Whether the window is empty and the bar was filled in at the prior close.
    #[serde(skip_serializing_if = "is_false")]
    pub filled: bool,
    /// The log position of the last record that changed it; nothing in a filled bar.
    pub through: Option<PositionJson>,
}

/// A place in the log of the bar's partition. Of two states of a bar the greater is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PositionJson {
    /// The generation of the log.
    pub epoch: u64,
    /// The offset in the partition.
    pub offset: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl BarJson {
    /// The bar of a row, which is of an instrument in `partition`.
    #[must_use]
    pub fn of(row: &BarRow, partition: u32) -> Self {
        Self::between(row, row.window.end_ns(), partition)
    }

    /// The same for a window of another length, as days have that begin where a zone says.
    #[must_use]
    pub fn between(row: &BarRow, end_ns: i64, partition: u32) -> Self {
        let bar = &row.bar;
        // Of a window that cancels have emptied, which only the stream shows, nothing is said.
        let has_trades = bar.trades > 0;
        Self {
            start: format_time(row.window.start_ns),
            end: format_time(end_ns),
            open: bar.open.price.to_string(),
            high: bar.high.to_string(),
            low: bar.low.to_string(),
            close: bar.close.price.to_string(),
            volume: bar.volume.to_string(),
            buy_volume: bar.buy_volume.to_string(),
            sell_volume: bar.sell_volume.to_string(),
            notional: bar.notional.to_string(),
            vwap: weighted_mean_text(&bar.notional, &bar.volume),
            trades: bar.trades,
            first_trade_id: has_trades.then(|| trade_id(&bar.open, partition)),
            last_trade_id: has_trades.then(|| trade_id(&bar.close, partition)),
            revision: row.revision,
            closed: row.closed,
            filled: false,
            through: Some(row.through.into()),
        }
    }

    /// A bar without trades at a price: all four prices are that.
    #[must_use]
    pub fn flat(start_ns: i64, end_ns: i64, price: &str, closed: bool) -> Self {
        let nought = || "0".to_owned();
        Self {
            start: format_time(start_ns),
            end: format_time(end_ns),
            open: price.to_owned(),
            high: price.to_owned(),
            low: price.to_owned(),
            close: price.to_owned(),
            volume: nought(),
            buy_volume: nought(),
            sell_volume: nought(),
            notional: nought(),
            vwap: None,
            trades: 0,
            first_trade_id: None,
            last_trade_id: None,
            revision: 0,
            closed,
            filled: true,
            through: None,
        }
    }
}

fn trade_id(edge: &EdgeTrade, partition: u32) -> String {
    match &edge.id {
        Some(id) => id.to_string(),
        None => place(edge.position, partition),
    }
}

/// The name of a place in the log: "epoch-partition-offset".
pub(crate) fn place(position: Position, partition: u32) -> String {
    format!("{}-{partition}-{}", position.epoch, position.offset)
}

impl From<Position> for PositionJson {
    fn from(position: Position) -> Self {
        Self {
            epoch: position.epoch,
            offset: position.offset,
        }
    }
}
