//! The bars of a cluster.

use serde_json::{Value, json};

use crate::cluster::TestCluster;
use crate::support::{
    Finished, LiveClient, SYMBOLS as TAPES, StreamEncoding, TestClient, assert_equal, bars,
    counted_trades, eventually, expected, replay, tables, tapes,
};

/// 2024-05-01T00:00:00Z.
pub(crate) const DAY_NS: i64 = 1_714_521_600_000_000_000;
const SECOND_NS: i64 = 1_000_000_000;

/// Returns a trade of a symbol. There is one for each second.
pub(crate) fn trade(symbol: &str, id: u64) -> Value {
    let time_ns = DAY_NS + i64::try_from(id).unwrap() * SECOND_NS;
    json!({
        "venue": "v", "symbol": symbol, "id": id, "time": time_ns,
        "price": format!("{}.5", 100 + id % 7), "quantity": "0.25",
        "side": if id.is_multiple_of(3) { "sell" } else { "buy" },
    })
}

/// The symbols of the tests. There are enough that every partition has some.
pub(crate) const SYMBOLS: [&str; 12] = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L"];

/// Sends the trades of every symbol with these ids.
pub(crate) fn send(client: &TestClient, ids: std::ops::Range<u64>) {
    for id in ids {
        let trades: Vec<_> = SYMBOLS.iter().map(|symbol| trade(symbol, id)).collect();
        client.send_trades(&trades);
    }
}

/// Waits until `each` trades of every symbol are in their bars.
pub(crate) fn wait_counted(client: &TestClient, each: u64) {
    for symbol in SYMBOLS {
        eventually(symbol, &each, || counted_trades(client, "v", symbol));
    }
}

#[test]
fn what_is_posted_is_in_the_bars_of_every_pod_and_proved() {
    let cluster = TestCluster::new("posted");
    let aggregator = cluster.start_ready("aggregator");
    let archiver = cluster.start_ready("archiver");
    let (first, second) = (cluster.start_ready("api"), cluster.start_ready("api"));
    let client = first.client();
    let mut live_clients = [&first, &second].map(|pod| {
        LiveClient::connect(
            pod,
            StreamEncoding::MessagePack,
            ("v", "A"),
            &["1m", "1h", "1d"],
        )
    });

    send(&client, 1..151);
    // One trade is sent twice, and one is late.
    client.send_trades(&[trade("A", 7), trade("A", 151)]);
    client.send_trades(&[trade("A", 0)]);
    for pod in [&first, &second] {
        for symbol in SYMBOLS {
            let each = if symbol == "A" { 152 } else { 150 };
            eventually(symbol, &each, || counted_trades(&pod.client(), "v", symbol));
        }
    }
    let minutes = bars(&client, "v", "B", "1m");
    let counts: Vec<_> = minutes.iter().map(|bar| bar["trades"].as_u64()).collect();
    assert_eq!(counts, [Some(59), Some(60), Some(31)]);
    for live_client in &mut live_clients {
        eventually("what differs from REST", &None, || {
            live_client.receive_all();
            live_client.difference()
        });
    }
    assert_eq!(
        bars(&client, "v", "A", "1m"),
        bars(&second.client(), "v", "A", "1m"),
        "both pods say the same"
    );
    cluster.verify(12 * 150 + 2);
    for process in [first, second, archiver, aggregator] {
        process.terminate().success();
    }
}

#[test]
fn tapes_replayed_into_the_cluster_give_the_expected_bars_of_the_tapes() {
    let cluster = TestCluster::new("tape");
    let folder = tempfile::tempdir().unwrap();
    let aggregators = [(); 2].map(|()| cluster.start_ready("aggregator"));
    let archiver = cluster.start_ready("archiver");
    let api = cluster.start_ready("api");
    let mut command = replay(&api, folder.path(), "us", &tapes(&TAPES), &[]);
    println!("{}", Finished::of(&mut command).success());

    let expected = expected("us", &TAPES);
    let days = expected.iter().filter(|(key, _)| key.interval == "1d");
    let trades: u64 = days
        .flat_map(|(_, table)| table.values())
        .map(|row| row["trades"].parse::<u64>().unwrap())
        .sum();
    let client = api.client();
    eventually("trades", &trades, || {
        TAPES
            .iter()
            .map(|symbol| counted_trades(&client, "us", symbol))
            .sum()
    });
    assert_equal("the tapes", &expected, &tables(&client, &expected));
    cluster.verify(trades);
    for process in aggregators.into_iter().chain([archiver, api]) {
        process.terminate().success();
    }
}
