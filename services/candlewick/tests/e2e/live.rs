//! The live stream compared with REST: late trades, closes, and clients that follow the protocol.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::support::{
    INTERVALS, LiveClient, StreamEncoding, TestClient, TestProcess, bars, eventually, until,
    verify, wait_settled,
};

/// 2024-05-01T00:00:00Z.
const DAY_1_NS: i64 = 1_714_521_600_000_000_000;
const SECOND_NS: i64 = 1_000_000_000;
const HOUR_NS: i64 = 3_600 * SECOND_NS;
const DAY_NS: i64 = 24 * HOUR_NS;

/// Declares a venue whose windows close soon after their end, and whose symbols are idle soon.
fn declare(client: &TestClient) {
    client.declare_venue(
        "v",
        &json!({"id_scheme": "unique", "idle_ms": 300, "lateness_ms": 100}),
    );
}

fn trade(symbol: &str, id: u64, time_ns: i64, price: &str) -> Value {
    let side = if id.is_multiple_of(3) { "sell" } else { "buy" };
    json!({
        "venue": "v", "symbol": symbol, "id": id, "time": time_ns,
        "price": price, "quantity": "0.25", "side": side,
    })
}

/// Takes messages until the live_client holds what REST returns.
fn follow(live_client: &mut LiveClient) {
    eventually("what differs from REST", &None, || {
        live_client.receive_all();
        live_client.difference()
    });
}

#[test]
fn a_late_trade_corrects_its_bar_and_the_longer_ones_live_and_in_rest_alike() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    declare(&client);
    let connect = |protocol| LiveClient::connect(&standalone, protocol, ("v", "X"), &INTERVALS);
    let mut live_clients = [
        connect(StreamEncoding::Json),
        connect(StreamEncoding::MessagePack),
    ];

    let noon = DAY_1_NS + 12 * HOUR_NS;
    client.send_trades(&[
        trade("X", 1, noon + 10 * SECOND_NS, "100"),
        trade("X", 2, noon + 20 * SECOND_NS, "101"),
    ]);
    // The next day's first trade closes every window of this one.
    client.send_trades(&[trade("X", 3, DAY_1_NS + DAY_NS + SECOND_NS, "90")]);
    wait_settled(&client, 3, 0);
    let is_closed = |bar: &Value| bar["closed"] == true;
    for interval in INTERVALS {
        let first = &bars(&client, "v", "X", interval)[0];
        assert!(is_closed(first) && first["revision"] == 0, "{first}");
    }
    for live_client in &mut live_clients {
        follow(live_client);
        assert!(
            live_client.corrections.is_empty(),
            "{:?}",
            live_client.corrections
        );
    }

    client.send_trades(&[trade("X", 4, noon + 5 * SECOND_NS, "120")]);
    wait_settled(&client, 4, 0);
    for interval in INTERVALS {
        let bar = &bars(&client, "v", "X", interval)[0];
        let fields = ["open", "high", "close", "volume", "first_trade_id"];
        let values = fields.map(|field| bar[field].as_str().unwrap());
        assert_eq!(values, ["120", "120", "101", "0.75", "4"], "{interval}");
        assert!(is_closed(bar), "{interval}: {bar}");
        assert_eq!((&bar["trades"], &bar["revision"]), (&json!(3), &json!(1)));
    }
    for live_client in &mut live_clients {
        follow(live_client);
        let corrected: Vec<_> = live_client.corrections.values().collect();
        assert_eq!(corrected, [&1; INTERVALS.len()], "once in every interval");
        println!("a late trade: {:?}", live_client.kinds);
    }
    verify(&data, 4);
    standalone.terminate().success();
}

#[test]
fn the_last_window_of_an_idle_symbol_closes_by_itself_and_is_announced_once() {
    let folder = tempfile::tempdir().unwrap();
    let standalone = TestProcess::start(&folder.path().join("data"));
    let client = standalone.client();
    declare(&client);
    let mut live_client =
        LiveClient::connect(&standalone, StreamEncoding::Json, ("v", "X"), &INTERVALS);
    // Half a second before midnight: every window ends soon.
    let last_ns = DAY_1_NS + DAY_NS - SECOND_NS / 2;
    client.send_trades(&[trade("X", 1, last_ns, "100")]);
    wait_settled(&client, 1, 0);
    until("the close of every window", || {
        let newest = INTERVALS.map(|interval| bars(&client, "v", "X", interval)[0].clone());
        newest.iter().all(|bar| bar["closed"] == true).then_some(())
    });
    follow(&mut live_client);

    // Time passes, as the closes of another symbol show, and no close is announced again.
    client.send_trades(&[trade("Y", 1, last_ns, "1")]);
    until("the close of the other symbol's minute", || {
        (bars(&client, "v", "Y", "1m").first()?["closed"] == true).then_some(())
    });
    follow(&mut live_client);
    let closes: Vec<_> = live_client.closes.values().collect();
    assert_eq!(closes, [&1; INTERVALS.len()], "{:?}", live_client.closes);
    println!("an idle symbol: {:?}", live_client.kinds);
    standalone.terminate().success();
}

#[test]
fn a_client_that_comes_back_goes_on_where_it_was_or_is_told_that_it_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let standalone = TestProcess::start(&folder.path().join("data"));
    let client = standalone.client();
    declare(&client);
    let noon = DAY_1_NS + 12 * HOUR_NS;
    let mut live_client =
        LiveClient::connect(&standalone, StreamEncoding::Json, ("v", "X"), &["1m", "1d"]);
    client.send_trades(&[trade("X", 1, noon, "100")]);
    wait_settled(&client, 1, 0);
    follow(&mut live_client);

    live_client.reconnect(&standalone, 0, || {
        client.send_trades(&[trade("X", 2, noon + 70 * SECOND_NS, "101")]);
        wait_settled(&client, 2, 0);
    });
    assert_eq!(live_client.recovered, [true, true]);
    follow(&mut live_client);

    live_client.reconnect(&standalone, 1, || {
        client.send_trades(&[trade("X", 3, noon + SECOND_NS, "102")]);
        wait_settled(&client, 3, 0);
    });
    assert_eq!(live_client.recovered, [true, true, false, false]);
    follow(&mut live_client);
    assert_eq!(bars(&client, "v", "X", "1m")[0]["revision"], 1);
    standalone.terminate().success();
}

/// Generates random trades of two symbols: ascending, except that some are late, and some repeated.
struct TradeGenerator {
    random: Rng,
    now_ns: i64,
    id: u64,
    counted: u64,
    duplicates: u64,
}

impl TradeGenerator {
    const SYMBOLS: [&str; 2] = ["X", "Y"];

    fn batch(&mut self) -> Vec<Value> {
        let mut batch = Vec::new();
        for _ in 0..self.random.u64(1..6) {
            let step_ns = self.random.u64(..6_000_000_000);
            self.now_ns += i64::try_from(step_ns).unwrap();
            let late_ns = match self.random.u64(..8) {
                0 => self.random.u64(..3_600_000_000_000),
                _ => 0,
            };
            let time_ns = self.now_ns - i64::try_from(late_ns).unwrap();
            let symbol = Self::SYMBOLS[usize::try_from(self.random.u64(..2)).unwrap()];
            let price = format!("{}.{}", self.random.u64(1..200), self.random.u64(..100));
            self.id += 1;
            batch.push(trade(symbol, self.id, time_ns, &price));
        }
        self.counted += batch.len() as u64;
        if self.random.u64(..10) == 0 {
            batch.push(batch[0].clone());
            self.duplicates += 1;
        }
        batch
    }
}

#[test]
fn clients_that_follow_the_protocol_end_with_the_bars_of_rest() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    declare(&client);
    let [x, y] = TradeGenerator::SYMBOLS;
    let mut live_clients = [
        (StreamEncoding::Json, x),
        (StreamEncoding::MessagePack, x),
        (StreamEncoding::Json, y),
    ]
    .map(|(protocol, symbol)| {
        let intervals = ["1m", "5m", "1h", "1d"];
        LiveClient::connect(&standalone, protocol, ("v", symbol), &intervals)
    });
    let mut market = TradeGenerator {
        random: Rng::with_seed(5),
        now_ns: DAY_1_NS + 23 * HOUR_NS,
        id: 0,
        counted: 0,
        duplicates: 0,
    };
    for _ in 0..400 {
        client.send_trades(&market.batch());
        for live_client in &mut live_clients {
            match market.random.u64(..40) {
                0 => {
                    // Every second time with an epoch that the server does not know.
                    let reconnections = live_client.recovered.len() / 4;
                    let epoch_offset = (reconnections % 2) as u64;
                    live_client.reconnect(&standalone, epoch_offset, || ());
                }
                1..20 => live_client.receive_all(),
                // A client may also be slow.
                _ => {}
            }
        }
    }
    wait_settled(&client, market.counted, market.duplicates);
    for live_client in &mut live_clients {
        follow(live_client);
        let answered = |answer| {
            let recovered = live_client.recovered.iter();
            recovered.filter(|one| **one == answer).count()
        };
        let [went_on, could_not] = [true, false].map(answered);
        println!(
            "{} bars as REST has them; {:?}; {went_on} channels went on, {could_not} could not",
            live_client.bar_count(),
            live_client.kinds,
        );
        assert!(went_on > 0 && could_not > 0, "too few reconnections");
        for kind in ["bar", "delta", "close", "correction"] {
            assert!(live_client.kinds.contains_key(kind), "no {kind} ever came");
        }
    }
    verify(&data, market.counted);
    standalone.terminate().success();
}
