//! A fold of a few trades in whole numbers, independent of Candlewick's code.

use fastrand::Rng;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::table::{BarColumns, START, put};
use super::{INTERVALS, SeriesKey, Tables};

/// The lengths of [`INTERVALS`].
const MINUTES: [i64; 7] = [1, 5, 15, 30, 60, 240, 1_440];
const MINUTE_NS: i64 = 60_000_000_000;

/// A trade: price and quantity in hundredths.
#[derive(Debug, Clone)]
struct Trade {
    time_ns: i64,
    price: u64,
    quantity: u64,
    is_buy: bool,
}

/// Trades of one symbol by their ids.
#[derive(Debug, Default)]
pub(crate) struct Model {
    trades: BTreeMap<u64, Trade>,
}

impl Model {
    /// Adds a trade of random values.
    pub(crate) fn add(&mut self, id: u64, time_ns: i64, random: &mut Rng) {
        self.trades.insert(id, Trade::random(time_ns, random));
    }

    /// Gives a trade other random values; returns the body of the request that does the same.
    pub(crate) fn edit(&mut self, id: u64, random: &mut Rng) -> Value {
        let trade = self.trades.get_mut(&id).unwrap();
        *trade = Trade::random(trade.time_ns, random);
        trade.values()
    }

    /// Removes a trade; returns its time.
    pub(crate) fn cancel(&mut self, id: u64) -> i64 {
        self.trades.remove(&id).unwrap().time_ns
    }

    /// Adds the trades of another model.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.trades.append(&mut other.trades);
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        self.trades.keys().copied().collect()
    }

    /// Returns the ids of the trades of a minute.
    pub(crate) fn in_minute(&self, start_ns: i64) -> Vec<u64> {
        let within = |trade: &Trade| (start_ns..start_ns + MINUTE_NS).contains(&trade.time_ns);
        let found = self.trades.iter().filter(|(_, trade)| within(trade));
        found.map(|(id, _)| *id).collect()
    }

    /// Returns the trades as the JSON of REST.
    pub(crate) fn to_json(&self, venue: &str, symbol: &str) -> Vec<Value> {
        let whole = |(id, trade): (&u64, &Trade)| {
            let mut value = trade.values();
            value["venue"] = json!(venue);
            value["symbol"] = json!(symbol);
            value["id"] = json!(id);
            value
        };
        self.trades.iter().map(whole).collect()
    }

    /// Returns ids and prices in the order in which REST lists trades.
    pub(crate) fn listed_trades(&self) -> Vec<(Value, Value)> {
        let shown = |(id, trade): (u64, &Trade)| {
            (json!(id.to_string()), json!(decimal(trade.price.into(), 2)))
        };
        self.in_order().into_iter().map(shown).collect()
    }

    /// Folds the trades into the bars of every interval.
    pub(crate) fn tables(&self, venue: &str, symbol: &str) -> Tables {
        let mut tables = Tables::new();
        for (interval, minutes) in INTERVALS.into_iter().zip(MINUTES) {
            let length_ns = minutes * MINUTE_NS;
            let mut windows: BTreeMap<i64, Vec<(u64, &Trade)>> = BTreeMap::new();
            for (id, trade) in self.in_order() {
                let start_ns = trade.time_ns - trade.time_ns % length_ns;
                windows.entry(start_ns).or_default().push((id, trade));
            }
            for (start_ns, trades) in windows {
                let key = SeriesKey {
                    venue: venue.to_owned(),
                    symbol: symbol.to_owned(),
                    interval: interval.to_owned(),
                };
                put(&mut tables, key, row(start_ns, &trades));
            }
        }
        tables
    }

    fn in_order(&self) -> Vec<(u64, &Trade)> {
        let mut trades: Vec<_> = self.trades.iter().map(|(id, trade)| (*id, trade)).collect();
        trades.sort_by_key(|(id, trade)| (trade.time_ns, *id));
        trades
    }
}

impl Trade {
    fn random(time_ns: i64, random: &mut Rng) -> Self {
        Self {
            time_ns,
            price: random.u64(1..99_999),
            quantity: random.u64(1..999),
            is_buy: random.u64(..2) == 0,
        }
    }

    fn values(&self) -> Value {
        json!({
            "time": self.time_ns,
            "price": decimal(self.price.into(), 2),
            "quantity": decimal(self.quantity.into(), 2),
            "side": if self.is_buy { "buy" } else { "sell" },
        })
    }
}

/// Folds the trades of a window, which are in order, into a bar.
fn row(start_ns: i64, trades: &[(u64, &Trade)]) -> BarColumns {
    let (first, last) = (trades[0], trades[trades.len() - 1]);
    let prices = || trades.iter().map(|(_, trade)| trade.price);
    let volume = |takes: &dyn Fn(&Trade) -> bool| -> String {
        let taken = trades.iter().filter(|(_, trade)| takes(trade));
        decimal(taken.map(|(_, trade)| u128::from(trade.quantity)).sum(), 2)
    };
    let notional =
        |(_, trade): &(u64, &Trade)| u128::from(trade.price) * u128::from(trade.quantity);
    let columns = [
        (START, (start_ns / 1_000).to_string()),
        ("open", decimal(first.1.price.into(), 2)),
        ("high", decimal(prices().max().unwrap().into(), 2)),
        ("low", decimal(prices().min().unwrap().into(), 2)),
        ("close", decimal(last.1.price.into(), 2)),
        ("volume", volume(&|_| true)),
        ("buy_volume", volume(&|trade| trade.is_buy)),
        ("sell_volume", volume(&|trade| !trade.is_buy)),
        ("notional", decimal(trades.iter().map(notional).sum(), 4)),
        ("trades", trades.len().to_string()),
        ("first_trade_id", first.0.to_string()),
        ("last_trade_id", last.0.to_string()),
    ];
    columns
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Formats a number with `places` digits after the point, without trailing zeros.
fn decimal(number: u128, places: usize) -> String {
    let digits = format!("{number:0width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}
