//! Requests and records that a store may refuse: none stops the cluster.

use eventlog::NewRecord;
use market::{Instrument, Trade, TradeId};
use schemas::TradesTopicRecord;
use serde_json::json;

use crate::bars::DAY_NS;
use crate::cluster::{PARTITIONS, TestCluster, wait_for_any_reason, wait_ready};
use crate::support::{TestClient, TestResponse, bars, counted_trades, eventually};

fn trade(id: u64, price: &str, scope: Option<&str>) -> Trade {
    Trade {
        time_ns: DAY_NS,
        price: price.parse().unwrap(),
        quantity: None,
        side: None,
        id: Some(TradeId::Number(id)),
        scope: scope.map(Into::into),
        sender: None,
    }
}

/// Appends a trade as a foreign producer may.
fn append(cluster: &TestCluster, key: &str, trade: &Trade) {
    let instrument: Instrument = key.parse().unwrap();
    let key = instrument.key().as_bytes();
    let partition = schemas::partition_of(key, u32::try_from(PARTITIONS).unwrap());
    let mut value = Vec::new();
    TradesTopicRecord::encode_trade(trade, &mut value);
    let entry = NewRecord {
        key: key.to_vec().into(),
        value: value.into(),
    };
    cluster.append("trades", partition, entry);
}

fn post_body(client: &TestClient, body: &str) -> TestResponse {
    client.post_trades("application/json", body.as_bytes(), &[])
}

fn post(client: &TestClient, symbol: &str, id: u64, price: &str) {
    let body = json!([{"venue": "v", "symbol": symbol, "id": id, "time": DAY_NS, "price": price}]);
    post_body(client, &body.to_string()).json(200);
}

/// Returns the number of trades in the first bar; 0 without bars.
fn trades_of_first_bar(client: &TestClient) -> u64 {
    let bars = bars(client, "v", "A", "1m");
    let trades = bars.first().and_then(|bar| bar["trades"].as_u64());
    trades.unwrap_or(0)
}

/// Returns the reasons of the dead letters, sorted.
fn dead_letter_reasons(cluster: &TestCluster) -> Vec<String> {
    let output = cluster.dead_letters(&["list"]).success();
    let reasons = output.lines().filter_map(|line| {
        let mut cells = line.split_whitespace();
        let (place, reason) = (cells.next()?, cells.next()?);
        let (partition, offset) = place.split_once('/')?;
        let is_place = partition.parse::<u32>().is_ok() && offset.parse::<u64>().is_ok();
        is_place.then(|| reason.to_owned())
    });
    let mut reasons: Vec<_> = reasons.collect();
    reasons.sort();
    reasons
}

#[test]
fn an_edit_and_a_cancel_before_their_trade_and_a_hostile_scope_stop_nothing() {
    let cluster = TestCluster::new("hostile");
    let aggregator = cluster.start_ready("aggregator");
    let archiver = cluster.start_ready("archiver");
    let api = cluster.start_ready("api");
    let client = api.client();
    client.declare_venue("v", &json!({"id_scheme": "unique"}));
    // Again within one commit: the settings of a venue are one row.
    client.declare_venue("v", &json!({"lateness_ms": 100}));
    client.declare_venue("v", &json!({"lateness_ms": 200}));

    // The trade has not come yet, and both requests are folded within one commit.
    let edit = json!({"time": DAY_NS, "price": "9"}).to_string();
    client.put("/api/v1/trades/v/A/7", &edit).json(202);
    let path = format!("/api/v1/trades/v/A/7?time={DAY_NS}");
    client.delete(&path).json(202);
    post(&client, "A", 7, "5");
    post(&client, "A", 8, "6");
    eventually("the trade that was not cancelled", &1, || {
        trades_of_first_bar(&client)
    });

    // At the door of the API, and past it.
    let body = json!([{"venue": "v", "symbol": "A", "id": 9, "time": DAY_NS, "price": "1",
        "scope": "a\u{0}b"}]);
    let refused = post_body(&client, &body.to_string()).problem(422);
    assert!(
        refused.to_string().contains("unexpected character"),
        "{refused}"
    );
    append(&cluster, "v:A", &trade(9, "1", Some("a\0b")));
    append(&cluster, "v:A", &trade(10, "1", Some("NYSE")));
    post(&client, "A", 11, "7");
    let reasons = ["malformed", "scope_unexpected"]
        .map(str::to_owned)
        .to_vec();
    eventually("the dead letters", &reasons, || {
        dead_letter_reasons(&cluster)
    });
    // Until the refold the bar counts the trade that was cancelled before it came.
    cluster.wait_until_refolded();
    eventually("the trades after them", &2, || {
        counted_trades(&client, "v", "A")
    });
    wait_ready(&aggregator);
    cluster.verify(2);
    for process in [api, archiver, aggregator] {
        process.terminate().success();
    }
}

/// A supervisor starts an aggregator again that has ended. Its worker must not begin to count anew.
#[test]
fn records_that_are_left_out_are_counted_across_workers() {
    let cluster = TestCluster::new("counted");
    let mut aggregator = cluster.start_ready("aggregator");
    let api = cluster.start_ready("api");
    let client = api.client();
    client.declare_venue("v", &json!({"id_scheme": "unique"}));
    post(&client, "A", 1, "5");
    eventually("the first trade", &1, || counted_trades(&client, "v", "A"));
    cluster.execute_on_bars("ALTER TABLE open_bars ADD CHECK (high <> 13)");
    cluster.execute_on_bars("ALTER TABLE bars ADD CHECK (high <> 13)");
    for id in 2..5 {
        post(&client, "A", id, "13");
        eventually("the dead letters", &(id - 1), || {
            dead_letter_reasons(&cluster).len() as u64
        });
        // The worker that commits what follows has left the record out.
        wait_ready(&aggregator);
        aggregator.terminate();
        aggregator = cluster.start_ready("aggregator");
    }
    post(&client, "A", 5, "13");
    let part = "3 records were left out within an hour already";
    println!("{}", wait_for_any_reason(&aggregator, "aggregator-", part));
    assert_eq!(dead_letter_reasons(&cluster).len(), 3);
    aggregator.terminate();
    api.terminate().success();
}

#[test]
fn a_legal_record_that_the_store_refuses_is_left_out_as_unstorable() {
    let cluster = TestCluster::new("unstorable");
    let aggregator = cluster.start_ready("aggregator");
    let archiver = cluster.start_ready("archiver");
    let api = cluster.start_ready("api");
    let client = api.client();
    client.declare_venue("v", &json!({"id_scheme": "unique"}));
    post(&client, "A", 1, "5");
    eventually("the first trade", &1, || counted_trades(&client, "v", "A"));
    cluster.execute_on_bars("ALTER TABLE open_bars ADD CHECK (high <> 13)");
    cluster.execute_on_bars("ALTER TABLE bars ADD CHECK (high <> 13)");

    let batch: Vec<_> = (2..200)
        .map(|id| {
            let price = if id == 77 { "13" } else { "6" };
            json!({"venue": "v", "symbol": "A", "id": id, "time": DAY_NS + id, "price": price})
        })
        .collect();
    let body = serde_json::Value::from(batch).to_string();
    post_body(&client, &body).json(200);
    eventually("all trades but one", &198, || trades_of_first_bar(&client));
    assert_eq!(bars(&client, "v", "A", "1m")[0]["high"], "6");
    assert_eq!(dead_letter_reasons(&cluster), ["unstorable"]);
    let shown = cluster.dead_letters(&["list"]).success();
    assert!(shown.contains("violates check constraint"), "{shown}");
    assert!(aggregator.output().contains("left out as unstorable"));
    // The minute is refolded, so that clients drop what was announced with the trade.
    eventually("the refolded minutes", &"1".to_owned(), || {
        let metrics = aggregator.client().metrics();
        metrics["candlewick_aggregator_refolds_total"].to_string()
    });
    wait_ready(&aggregator);
    cluster.wait_until_refolded();
    cluster.verify(198);
    for process in [api, archiver, aggregator] {
        process.terminate().success();
    }
}
