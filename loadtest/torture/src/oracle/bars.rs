//! Bars, computed with big integers.

use std::collections::BTreeMap;

use market::{BarRow, Decimal, EdgeTrade, Interval, POWERS_OF_TEN, Side, TieOrder};
use num_bigint::BigInt;

use super::CountedTrade;

/// Digits after the point of sums of quantities, and of prices times quantities.
const QUANTITY_SCALE: usize = 18;
const NOTIONAL_SCALE: usize = 36;

/// A bar computed from its trades.
#[derive(Debug, Clone)]
pub(crate) struct OracleBar {
    open: EdgeTrade,
    close: EdgeTrade,
    high: Decimal,
    low: Decimal,
    volume: BigInt,
    buy_volume: BigInt,
    sell_volume: BigInt,
    notional: BigInt,
    trades: u64,
}

/// Returns the bars of every interval, by instrument, interval and start.
pub(crate) fn compute_bars(
    trades: &[CountedTrade],
) -> BTreeMap<(String, Interval, i64), OracleBar> {
    let mut bars: BTreeMap<_, OracleBar> = BTreeMap::new();
    for counted in trades {
        for interval in Interval::ALL {
            let time_ns = counted.trade.time_ns;
            let start_ns = time_ns - time_ns.rem_euclid(interval.length_ns());
            let key = (counted.instrument.clone(), interval, start_ns);
            bars.entry(key)
                .or_insert_with(|| OracleBar::empty_at_price_of(counted))
                .add_trade(counted);
        }
    }
    bars
}

impl OracleBar {
    fn empty_at_price_of(first: &CountedTrade) -> Self {
        let edge = EdgeTrade::from_trade(&first.trade, first.position);
        let price = first.trade.price;
        Self {
            open: edge.clone(),
            close: edge,
            high: price,
            low: price,
            volume: BigInt::ZERO,
            buy_volume: BigInt::ZERO,
            sell_volume: BigInt::ZERO,
            notional: BigInt::ZERO,
            trades: 0,
        }
    }

    fn add_trade(&mut self, counted: &CountedTrade) {
        let trade = &counted.trade;
        let edge = EdgeTrade::from_trade(trade, counted.position);
        let ties = counted.ties;
        if order_in_bar(&edge, ties) < order_in_bar(&self.open, ties) {
            self.open = edge.clone();
        }
        if order_in_bar(&edge, ties) > order_in_bar(&self.close, ties) {
            self.close = edge;
        }
        self.high = self.high.max(trade.price);
        self.low = self.low.min(trade.price);
        self.trades += 1;
        let Some(quantity) = trade.quantity else {
            return;
        };
        let units = to_scaled_integer(quantity);
        self.notional += to_scaled_integer(trade.price) * &units;
        match trade.side {
            Some(Side::Buy) => self.buy_volume += &units,
            Some(Side::Sell) => self.sell_volume += &units,
            None => {}
        }
        self.volume += units;
    }

    /// Lists the fields in which a stored bar differs: name, stored value, expected value.
    pub(crate) fn describe_differing_fields(&self, stored: &BarRow) -> Vec<String> {
        let bar = &stored.bar;
        let pairs = [
            ("open", edge_to_text(&bar.open), edge_to_text(&self.open)),
            ("high", bar.high.to_string(), self.high.to_string()),
            ("low", bar.low.to_string(), self.low.to_string()),
            ("close", edge_to_text(&bar.close), edge_to_text(&self.close)),
            (
                "volume",
                bar.volume.to_string(),
                scaled_integer_to_trimmed_text(&self.volume, QUANTITY_SCALE),
            ),
            (
                "buy_volume",
                bar.buy_volume.to_string(),
                scaled_integer_to_trimmed_text(&self.buy_volume, QUANTITY_SCALE),
            ),
            (
                "sell_volume",
                bar.sell_volume.to_string(),
                scaled_integer_to_trimmed_text(&self.sell_volume, QUANTITY_SCALE),
            ),
            (
                "notional",
                bar.notional.to_string(),
                scaled_integer_to_trimmed_text(&self.notional, NOTIONAL_SCALE),
            ),
            ("trades", bar.trades.to_string(), self.trades.to_string()),
        ];
        let differing = pairs.into_iter().filter(|(_, is, should)| is != should);
        differing
            .map(|(name, is, should)| format!("{name} is {is}, should be {should}"))
            .collect()
    }
}

/// Returns the key that orders trades within a bar: time, then, unless the log alone decides, id
/// (none last) and scope; then the position in the log.
fn order_in_bar(edge: &EdgeTrade, ties: TieOrder) -> impl Ord + '_ {
    let by_id = (ties == TieOrder::Id).then_some((edge.id.is_none(), &edge.id, &edge.scope));
    (edge.time_ns, by_id, edge.position)
}

/// Returns the compared values of an edge trade as text.
fn edge_to_text(edge: &EdgeTrade) -> String {
    let id = edge.id.as_ref().map(ToString::to_string);
    let EdgeTrade {
        time_ns,
        scope,
        position,
        price,
        ..
    } = edge;
    let (epoch, offset) = (position.epoch, position.offset);
    format!("{price} ({time_ns}, {id:?}, {scope:?}, {epoch}-{offset})")
}

fn to_scaled_integer(value: Decimal) -> BigInt {
    let scale = usize::from(value.scale());
    BigInt::from(value.mantissa()) * BigInt::from(POWERS_OF_TEN[QUANTITY_SCALE - scale])
}

/// Formats a decimal without trailing zeros.
fn scaled_integer_to_trimmed_text(units: &BigInt, scale: usize) -> String {
    let digits = units.magnitude().to_string();
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    let fraction = fraction.trim_end_matches('0');
    let sign = if units.sign() == num_bigint::Sign::Minus {
        "-"
    } else {
        ""
    };
    match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::scaled_integer_to_trimmed_text;

    #[test]
    fn sums_are_written_as_stores_write_them() {
        let cases = [
            (0, "0"),
            (5, "0.05"),
            (150, "1.5"),
            (-1_200, "-12"),
            (7_001, "70.01"),
        ];
        for (units, expected) in cases {
            assert_eq!(scaled_integer_to_trimmed_text(&units.into(), 2), expected);
        }
    }
}
