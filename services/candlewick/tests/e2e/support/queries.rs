//! Queries of bars, trades and counts over REST.

use std::collections::BTreeSet;

use serde_json::Value;

use super::table::{START, put};
use super::{INTERVALS, SeriesKey, Tables, TestClient, eventually, until};

/// So small that a day of minutes takes several pages.
const PAGE: u32 = 300;

/// Reads the bars of a series page by page.
pub(crate) fn bars(client: &TestClient, venue: &str, symbol: &str, interval: &str) -> Vec<Value> {
    bars_by(client, venue, symbol, &format!("interval={interval}"))
}

/// Reads the bars of a query page by page.
pub(crate) fn bars_by(client: &TestClient, venue: &str, symbol: &str, query: &str) -> Vec<Value> {
    let symbol = client::path_segment(symbol);
    let path = format!("/api/v1/bars/{venue}/{symbol}?{query}&start=0&limit={PAGE}");
    let bars = client.get_all_pages(&path);
    let starts: Vec<_> = bars.iter().map(|bar| time_ns(&bar["start"])).collect();
    assert!(starts.is_sorted(), "{path} is not in order");
    bars
}

/// Reads the tables of the expected symbols in every interval. No other symbol may be listed. A new
/// symbol is listed once it is stored.
pub(crate) fn tables(client: &TestClient, expected: &Tables) -> Tables {
    let symbols = expected
        .keys()
        .map(|key| (key.venue.clone(), key.symbol.clone()));
    let symbols: BTreeSet<_> = symbols.collect();
    eventually("the symbols listed", &symbols, || {
        let listed = client.get_all_pages("/api/v1/symbols?limit=3");
        let named = |row: &Value| (text(&row["venue"]), text(&row["symbol"]));
        listed.iter().map(named).collect()
    });
    let mut tables = Tables::new();
    for (venue, symbol) in &symbols {
        for interval in INTERVALS {
            let key = SeriesKey {
                venue: venue.clone(),
                symbol: symbol.clone(),
                interval: interval.to_owned(),
            };
            insert(&mut tables, &key, &bars(client, venue, symbol, interval));
        }
    }
    tables
}

/// Adds the bars of a series to tables.
pub(crate) fn insert(tables: &mut Tables, key: &SeriesKey, bars: &[Value]) {
    for bar in bars {
        let named = |name: &&str| ((*name).to_owned(), text(&bar[*name]));
        let columns = [
            "open",
            "high",
            "low",
            "close",
            "volume",
            "buy_volume",
            "sell_volume",
            "notional",
            "trades",
            "first_trade_id",
            "last_trade_id",
        ];
        let mut row: super::table::BarColumns = columns.iter().map(named).collect();
        let start_us = time_ns(&bar["start"]) / 1_000;
        row.insert(START.to_owned(), start_us.to_string());
        put(tables, key.clone(), row);
    }
}

/// Reads the trades of a symbol that count, in order, page by page.
pub(crate) fn trades(client: &TestClient, venue: &str, symbol: &str) -> Vec<Value> {
    let symbol = client::path_segment(symbol);
    client.get_all_pages(&format!(
        "/api/v1/trades/{venue}/{symbol}?start=0&limit=10000"
    ))
}

/// Returns the number of trades of a symbol's days.
pub(crate) fn counted_trades(client: &TestClient, venue: &str, symbol: &str) -> u64 {
    let days = bars(client, venue, symbol, "1d");
    days.iter().map(|bar| bar["trades"].as_u64().unwrap()).sum()
}

/// Waits until all records that were sent since the process started are folded and archived:
/// `counted` trades and `duplicates`.
pub(crate) fn wait_settled(client: &TestClient, counted: u64, duplicates: u64) {
    let names = [
        "candlewick_aggregator_trades_total",
        "candlewick_aggregator_duplicates_total",
    ];
    let sent = counted + duplicates;
    let of = |metrics: &std::collections::BTreeMap<String, f64>, name: &str| {
        metrics.get(name).copied().unwrap_or(0.0).to_string()
    };
    until("everything sent is folded and archived", || {
        let metrics = client.metrics();
        let folded: f64 = names.iter().filter_map(|name| metrics.get(*name)).sum();
        let archived = of(&metrics, "candlewick_archiver_ticks_total");
        let dead = of(&metrics, "candlewick_aggregator_dead_letters_total");
        assert_eq!(dead, "0", "dead letters");
        (folded.to_string() == sent.to_string() && archived == sent.to_string()).then_some(())
    });
    let expected = [counted, duplicates].map(|count| count.to_string());
    eventually("trades and duplicates", &expected, || {
        let metrics = client.metrics();
        names.map(|name| of(&metrics, name))
    });
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => panic!("{other} is neither text nor number"),
    }
}

pub(crate) fn time_ns(value: &Value) -> i64 {
    market::parse_time(value.as_str().unwrap()).unwrap()
}
