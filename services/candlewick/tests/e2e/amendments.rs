//! Edits, cancels and repairs: bars follow exactly, live and over REST, through kills too.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::support::{
    Finished, INTERVALS, LiveClient, Model, StreamEncoding, TestClient, TestProcess, bars,
    candlewick, eventually, table_number, tables, trades, until,
};

/// 2024-05-01T10:00:00Z.
const BEGIN_NS: i64 = 1_714_557_600_000_000_000;
const SECOND_NS: i64 = 1_000_000_000;
const MINUTE_NS: i64 = 60 * SECOND_NS;
/// The minute that is emptied, counted from [`BEGIN_NS`].
const EMPTIED: i64 = 3;

fn declare(client: &TestClient) {
    let settings = json!({"id_scheme": "unique", "idle_ms": 300, "lateness_ms": 100});
    client.declare_venue("v", &settings);
}

/// Asserts that the bars equal the model's, and that `live_client` shows what REST returns.
fn assert_follows(what: &str, client: &TestClient, model: &Model, live_client: &mut LiveClient) {
    let expected = model.tables("v", "X");
    eventually(what, &expected, || tables(client, &expected));
    eventually("what differs from REST", &None, || {
        live_client.receive_all();
        live_client.difference()
    });
    let listed = model.listed_trades();
    eventually("the trades listed", &listed, || {
        let listed = trades(client, "v", "X").into_iter();
        let shown = listed.map(|trade| (trade["id"].clone(), trade["price"].clone()));
        shown.collect()
    });
    println!("{what}: {} trades, bars and stream are equal", listed.len());
}

/// Edits and cancels `count` random trades, in the process and in the model.
fn amend(client: &TestClient, model: &mut Model, random: &mut Rng, count: u64) {
    for _ in 0..count {
        let ids = model.ids();
        let place = usize::try_from(random.u64(..ids.len() as u64)).unwrap();
        let id = ids[place];
        if random.u64(..3) == 0 {
            let time_ns = model.cancel(id);
            cancel(client, id, time_ns);
        } else {
            let values = model.edit(id, random);
            edit(client, id, &values);
        }
    }
}

fn edit(client: &TestClient, id: u64, values: &Value) {
    let path = format!("/api/v1/trades/v/X/{id}");
    client.put(&path, &values.to_string()).json(202);
}

fn cancel(client: &TestClient, id: u64, time_ns: i64) {
    let path = format!("/api/v1/trades/v/X/{id}?time={time_ns}");
    client.delete(&path).json(202);
}

#[test]
fn bars_follow_edits_and_cancels_exactly_through_kills_and_repairs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut standalone = TestProcess::start(&data);
    let listen = standalone.address().to_string();
    let client = standalone.client();
    declare(&client);
    let mut live_client =
        LiveClient::connect(&standalone, StreamEncoding::Json, ("v", "X"), &INTERVALS);
    let mut random = Rng::with_seed(7);
    let mut model = Model::default();
    for id in 1..=300 {
        let second = i64::try_from(random.u64(..90 * 60)).unwrap();
        model.add(id, BEGIN_NS + second * SECOND_NS, &mut random);
    }
    model.add(301, BEGIN_NS + EMPTIED * MINUTE_NS, &mut random);
    client.send_trades(&model.to_json("v", "X"));
    assert_follows("before any edit", &client, &model, &mut live_client);

    amend(&client, &mut model, &mut random, 40);
    assert_follows("after 40 amendments", &client, &model, &mut live_client);

    for id in model.in_minute(BEGIN_NS + EMPTIED * MINUTE_NS) {
        let time_ns = model.cancel(id);
        cancel(&client, id, time_ns);
    }
    assert_follows(
        "after a minute was emptied",
        &client,
        &model,
        &mut live_client,
    );
    assert!(live_client.emptied > 0, "the stream said nothing of it");

    // An edit and a cancel are sent before their trades.
    let mut late = Model::default();
    for id in [1_001, 1_002] {
        late.add(id, BEGIN_NS + 20 * MINUTE_NS, &mut random);
    }
    let sent = late.to_json("v", "X");
    edit(&client, 1_001, &late.edit(1_001, &mut random));
    let time_ns = late.cancel(1_002);
    cancel(&client, 1_002, time_ns);
    client.send_trades(&sent);
    model.append(late);
    assert_follows(
        "after trades amended ahead",
        &client,
        &model,
        &mut live_client,
    );

    for kill in 1..=3 {
        amend(&client, &mut model, &mut random, 10);
        standalone.kill();
        standalone = TestProcess::start_with(&data, &listen, &[]);
        live_client.reconnect(&standalone, 0, || {});
        assert_follows(
            &format!("after kill {kill}"),
            &client,
            &model,
            &mut live_client,
        );
    }
    repair(&standalone, &client);
    assert_follows("after a repair", &client, &model, &mut live_client);
    assert_verified(&data);
    standalone.terminate().success();
    assert_verified(&data);
}

/// Repairs an hour from the command line, and waits until every bar of it is refolded.
fn repair(standalone: &TestProcess, client: &TestClient) {
    let places = || -> Vec<_> {
        let hour = bars(client, "v", "X", "1h")[0].clone();
        let minutes = bars(client, "v", "X", "1m");
        let within = minutes
            .into_iter()
            .filter(|bar| bar["start"].as_str() < hour["end"].as_str());
        within
            .map(|bar| bar["through"]["offset"].as_u64().unwrap())
            .collect()
    };
    let before = places();
    let url = standalone.url();
    let mut command = candlewick(&["repair", "--server", &url, "--venue", "v", "--symbol", "X"]);
    command.args([
        "--start",
        "2024-04-30T00:00:00Z",
        "--end",
        "2024-05-01T11:00:00Z",
    ]);
    let output = Finished::of(&mut command).success();
    assert_eq!(output, "60 minutes will be refolded (1 records appended)\n");
    until("every minute was refolded", || {
        let after = places();
        let all = after
            .iter()
            .zip(&before)
            .all(|(after, before)| after > before);
        all.then_some(())
    });
}

/// Asserts that `verify` finds every bar equal and no minute marked.
fn assert_verified(data: &std::path::Path) {
    let data = data.to_str().unwrap();
    until("verify finds nothing marked", || {
        let mut command = candlewick(&["verify", "--no-progress", "--data", data]);
        let output = Finished::of(&mut command).success();
        assert_eq!(table_number(&output, "differences"), 0, "{output}");
        let clean = table_number(&output, "to be refolded") == 0;
        assert!(
            !clean || table_number(&output, "1m bars compared") > 0,
            "{output}"
        );
        clean.then_some(())
    });
}

#[test]
fn trades_without_ids_are_amended_by_their_positions() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    client.declare_venue("v", &json!({"id_scheme": "none"}));
    let trade = |price: &str| json!({"venue": "v", "symbol": "X", "time": BEGIN_NS, "price": price, "quantity": "1"});
    client.send_trades(&[trade("1"), trade("2"), trade("3")]);
    let listed = until("the trades", || {
        let listed = trades(&client, "v", "X");
        (listed.len() == 3).then_some(listed)
    });
    let path = |place: usize| {
        let position = listed[place]["position"].as_str().unwrap();
        format!("/api/v1/trades/v/X/{position}")
    };
    let values = json!({"time": BEGIN_NS, "price": "9", "quantity": "5"});
    client.put(&path(0), &values.to_string()).json(202);
    client
        .delete(&format!("{}?time={BEGIN_NS}", path(1)))
        .json(202);
    let id = |place: usize| listed[place]["id"].clone();
    let expected = json!(["9", "9", "3", "3", "6", 2, id(0), id(2)]);
    eventually("the bar", &expected, || {
        let bar = bars(&client, "v", "X", "1m")[0].clone();
        let names = [
            "open",
            "high",
            "low",
            "close",
            "volume",
            "trades",
            "first_trade_id",
            "last_trade_id",
        ];
        json!(names.map(|name| bar[name].clone()))
    });
    let prices: Vec<_> = trades(&client, "v", "X")
        .iter()
        .map(|trade| trade["price"].clone())
        .collect();
    assert_eq!(prices, ["9", "3"]);
    let problem = client.delete("/api/v1/trades/v/X/7?time=1").problem(400);
    assert_eq!(problem["field"], "id");
    assert_verified(&data);
    standalone.terminate().success();
}
