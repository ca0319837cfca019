//! Bars, in the REST API and in the live stream.

use market::{BarRow, EdgeTrade, Position, format_time, weighted_mean_text};
use serde::{Deserialize, Serialize};

use crate::record_position::RecordPosition;

/// A bar. Numbers that may not fit 64 bits or a double are exact decimals as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The sum of the quantities.
    pub volume: String,
    /// The volume of the trades whose aggressor was the buyer.
    pub buy_volume: String,
    /// The volume of the trades whose aggressor was the seller.
    pub sell_volume: String,
    /// The sum of price times quantity.
    pub notional: String,
    /// The notional divided by the volume, to 18 significant digits, rounded half to even; `null`
    /// without volume.
    pub vwap: Option<String>,
    /// The number of trades.
    pub trades: u64,
    /// The id of the first trade, or its position `epoch-partition-offset` if it has no id; `null`
    /// in a filled bar, and if cancels have emptied the window.
    pub first_trade_id: Option<String>,
    /// The same for the last trade.
    pub last_trade_id: Option<String>,
    /// The number of trades that were applied after the close.
    pub revision: u64,
    /// Whether the window is over and its lateness has passed.
    pub closed: bool,
    /// Whether the bar is the fold of its trades, as far as the ticks can show. It is not after a
    /// refold that was refused, because the ticks are not all kept any more. Left out if true.
    #[serde(default = "provable_by_default", skip_serializing_if = "is_true")]
    pub provable: bool,
    /// Whether the window is empty and the bar was filled in at the prior close. Left out if
    /// false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub filled: bool,
    /// The log position of the last record that changed the bar; `null` in a filled bar.
    pub through: Option<PositionJson>,
}

/// A position in the bar's partition of the log. Of two states of a bar the one with the greater
/// `through` is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_true(value: &bool) -> bool {
    *value
}

const fn provable_by_default() -> bool {
    true
}

impl BarJson {
    /// Returns the JSON of a stored bar. `partition` is the partition of `trades` that holds the
    /// records of its instrument.
    #[must_use]
    pub fn from_row(row: &BarRow, partition: u32) -> Self {
        Self::from_row_ending_at(row, row.window.end_ns(), partition)
    }

    /// Does the same for a window that ends at `end_ns`, such as a day in a time zone, whose
    /// length the interval does not determine.
    #[must_use]
    pub fn from_row_ending_at(row: &BarRow, end_ns: i64, partition: u32) -> Self {
        let bar = &row.bar;
        // A window that cancels have emptied appears in the live stream only. Its first and last
        // trades no longer count.
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
            first_trade_id: has_trades.then(|| trade_id_or_position_text(&bar.open, partition)),
            last_trade_id: has_trades.then(|| trade_id_or_position_text(&bar.close, partition)),
            revision: row.revision,
            closed: row.closed,
            provable: row.provable,
            filled: false,
            through: Some(row.through.into()),
        }
    }

    /// Returns a bar without trades whose four prices are `price`.
    #[must_use]
    pub fn flat(start_ns: i64, end_ns: i64, price: &str, closed: bool) -> Self {
        let zero = || "0".to_owned();
        Self {
            start: format_time(start_ns),
            end: format_time(end_ns),
            open: price.to_owned(),
            high: price.to_owned(),
            low: price.to_owned(),
            close: price.to_owned(),
            volume: zero(),
            buy_volume: zero(),
            sell_volume: zero(),
            notional: zero(),
            vwap: None,
            trades: 0,
            first_trade_id: None,
            last_trade_id: None,
            revision: 0,
            closed,
            provable: true,
            filled: true,
            through: None,
        }
    }
}

fn trade_id_or_position_text(edge: &EdgeTrade, partition: u32) -> String {
    match &edge.id {
        Some(id) => id.to_string(),
        None => RecordPosition {
            partition,
            position: edge.position,
        }
        .to_string(),
    }
}

impl From<Position> for PositionJson {
    fn from(position: Position) -> Self {
        Self {
            epoch: position.epoch,
            offset: position.offset,
        }
    }
}

impl From<PositionJson> for Position {
    fn from(position: PositionJson) -> Self {
        Self {
            epoch: position.epoch,
            offset: position.offset,
        }
    }
}
