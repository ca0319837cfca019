//! Edits and cancels.

use serde_json::{Value, json};

use crate::world::{HttpResponse, World, json_array, trade_json};

const JSON: &str = "application/json";
const TIME: &str = "2013-10-08T13:30:00Z";
const LATER: &str = "2013-10-08T13:31:00Z";
const TRADES: &str = "/api/v1/trades/v/A%2FB";
const BARS: &str = "/api/v1/bars/v/A%2FB";

fn new_values(time: &str, price: &str) -> String {
    json!({"time": time, "price": price, "quantity": "2", "side": "buy"}).to_string()
}

/// Returns the amendment's id of a response which says that the log holds the amendment.
fn accepted_id(response: &HttpResponse) -> String {
    assert_eq!(response.status, 202, "{}", response.text);
    let response = response.json();
    let position = response["position"].as_str().unwrap();
    let parts: Vec<u64> = position
        .split('-')
        .map(|part| part.parse().unwrap())
        .collect();
    assert_eq!(parts.len(), 3, "{position}");
    response["amendment"].as_str().unwrap().to_owned()
}

fn members<const N: usize>(bar: &Value, names: [&str; N]) -> [Value; N] {
    names.map(|name| bar[name].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn edited_values_are_shown_and_cancelled_trades_are_not() {
    let world = World::start().await;
    let sent = [
        trade_json(1, TIME, "1"),
        trade_json(2, TIME, "2"),
        trade_json(3, TIME, "3"),
        trade_json(4, LATER, "4"),
    ];
    assert_eq!(world.post(JSON, json_array(&sent)).await.status, 200);
    accepted_id(
        &world
            .put(&format!("{TRADES}/2"), &new_values(TIME, "7"))
            .await,
    );
    accepted_id(&world.delete(&format!("{TRADES}/3?time={TIME}")).await);
    world.wait_until_refolded().await;

    insta::assert_snapshot!("amended_trades", world.get(TRADES).await.snapshot_text());
    let bars = world.get(BARS).await.data();
    let names = [
        "open",
        "high",
        "low",
        "close",
        "volume",
        "trades",
        "last_trade_id",
    ];
    let expected = json!(["1", "7", "1", "7", "2.5", 2, "2"]);
    assert_eq!(json!(members(&bars[0], names)), expected);
    assert_eq!(bars[1]["trades"], 1);
    let hour = world.get(&format!("{BARS}?interval=1h")).await.data();
    let expected = json!(["1", "7", "1", "4", "3", 3, "4"]);
    assert_eq!(json!(members(&hour[0], names)), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_may_come_before_its_trade_and_the_last_one_counts() {
    let world = World::start().await;
    assert_eq!(world.post(JSON, trade_json(1, TIME, "1")).await.status, 200);
    accepted_id(
        &world
            .put(&format!("{TRADES}/9"), &new_values(LATER, "5"))
            .await,
    );
    accepted_id(
        &world
            .put(&format!("{TRADES}/9"), &new_values(LATER, "6"))
            .await,
    );
    world.wait_until_refolded().await;
    assert_eq!(world.get(TRADES).await.data().len(), 1);
    assert_eq!(
        world.post(JSON, trade_json(9, LATER, "1")).await.status,
        200
    );
    world.wait_until_refolded().await;
    let trades = world.get(TRADES).await.data();
    let values = ["id", "price", "quantity", "side"];
    assert_eq!(
        json!(members(&trades[1], values)),
        json!(["9", "6", "2", "buy"])
    );
    let bars = world.get(BARS).await.data();
    assert_eq!(
        json!(members(&bars[1], ["close", "volume", "trades"])),
        json!(["6", "2", 1])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_without_trades_is_hidden() {
    let world = World::start().await;
    let sent = [trade_json(1, TIME, "1"), trade_json(2, LATER, "2")];
    assert_eq!(world.post(JSON, json_array(&sent)).await.status, 200);
    assert_eq!(world.get(BARS).await.data().len(), 2);
    accepted_id(&world.delete(&format!("{TRADES}/2?time={LATER}")).await);
    // An edit of a trade that was cancelled brings nothing back.
    accepted_id(
        &world
            .put(&format!("{TRADES}/2"), &new_values(LATER, "3"))
            .await,
    );
    world.wait_until_refolded().await;
    let bars = world.get(BARS).await.data();
    assert_eq!((bars.len(), &bars[0]["close"]), (1, &json!("1")));
    let filled = format!("{BARS}?start=2013-10-08T13:30:00Z&end=2013-10-08T13:32:00Z&fill=flat");
    let filled = world.get(&filled).await.data();
    assert_eq!((filled.len(), &filled[1]["filled"]), (2, &json!(true)));
    let day = world.get(&format!("{BARS}?interval=1d")).await.data();
    assert_eq!(day[0]["trades"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_one_amendment() {
    let world = World::start().await;
    assert_eq!(world.post(JSON, trade_json(1, TIME, "1")).await.status, 200);
    let path = format!("{TRADES}/1");
    let put = async |key: Option<&'static str>, price: &str| {
        let headers: Vec<_> = key
            .into_iter()
            .map(|key| ("Idempotency-Key", key))
            .collect();
        let body = new_values(TIME, price).into_bytes();
        accepted_id(&world.send("PUT", &path, &headers, body).await)
    };
    let first = put(Some("one"), "5").await;
    assert_ne!(put(None, "6").await, put(None, "7").await);
    // It came first, so it does not count again.
    assert_eq!(put(Some("one"), "5").await, first);
    world.wait_until_refolded().await;
    assert_eq!(world.get(TRADES).await.data()[0]["price"], "7");
    // The same key with other values is another edit.
    assert_ne!(put(Some("one"), "8").await, first);
    world.wait_until_refolded().await;
    assert_eq!(world.get(TRADES).await.data()[0]["price"], "8");
    assert_ne!(put(Some("two"), "5").await, first);
    world.wait_until_refolded().await;
    assert_eq!(world.get(TRADES).await.data()[0]["price"], "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_without_an_id_is_known_by_its_position() {
    let world = World::start().await;
    let declared = world
        .put("/api/v1/venues/none/settings", r#"{"id_scheme":"none"}"#)
        .await;
    assert_eq!(declared.status, 200);
    for venue in ["none", "v"] {
        let one = json!({"venue": venue, "symbol": "S", "time": TIME, "price": "1"});
        let body = json!([one, one, one]).to_string();
        assert_eq!(world.post(JSON, body).await.status, 200);
        let path = format!("/api/v1/trades/{venue}/S");
        let listed = world.get(&path).await.data();
        let ids: Vec<_> = listed
            .iter()
            .map(|trade| trade["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), 3);
        accepted_id(
            &world
                .put(&format!("{path}/{}", ids[0]), &new_values(TIME, "9"))
                .await,
        );
        accepted_id(
            &world
                .delete(&format!("{path}/{}?time={TIME}", ids[2]))
                .await,
        );
        world.wait_until_refolded().await;
        let after = world.get(&path).await.data();
        let found: Vec<_> = after
            .iter()
            .map(|trade| members(trade, ["id", "price"]))
            .collect();
        assert_eq!(
            json!(found),
            json!([[ids[0], "9"], [ids[1], "1"]]),
            "{venue}"
        );

        let (start, offset) = ids[0].rsplit_once('-').unwrap();
        let (epoch, partition) = start.split_once('-').unwrap();
        let partition: u32 = partition.parse().unwrap();
        let elsewhere = format!("{epoch}-{}-{offset}", (partition + 1) % 4);
        let response = world
            .delete(&format!("{path}/{elsewhere}?time={TIME}"))
            .await;
        assert_eq!(
            (response.status, &response.json()["field"]),
            (400, &json!("id")),
            "{venue}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_may_look_like_a_position() {
    let world = World::start().await;
    let name = "1-0-3";
    let one = json!({"venue": "v", "symbol": "S", "id": name, "time": TIME, "price": "1"});
    assert_eq!(world.post(JSON, one.to_string()).await.status, 200);
    accepted_id(
        &world
            .put(
                &format!("/api/v1/trades/v/S/{name}"),
                &new_values(TIME, "9"),
            )
            .await,
    );
    world.wait_until_refolded().await;
    let trades = world.get("/api/v1/trades/v/S").await.data();
    assert_eq!(
        json!(members(&trades[0], ["id", "price"])),
        json!([name, "9"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_amendment_is_a_problem_that_names_the_member() {
    let world = World::start().await;
    assert_eq!(world.post(JSON, trade_json(1, TIME, "1")).await.status, 200);
    for (venue, scheme) in [("none", "none"), ("numbered", "contiguous")] {
        let body = json!({"id_scheme": scheme, "id_scope": "exchange"}).to_string();
        let path = format!("/api/v1/venues/{venue}/settings");
        assert_eq!(world.put(&path, &body).await.status, 200);
    }
    let good = new_values(TIME, "1");
    let scoped = good.replace('{', r#"{"scope":"X","#);
    for (name, path, body) in [
        ("undeclared", "nobody/S/1", good.as_str()),
        ("no_object", "v/S/1", "[]"),
        ("unknown_member", "v/S/1", r#"{"venue":"v"}"#),
        ("no_time", "v/S/1", r#"{"price":1}"#),
        ("no_price", "v/S/1", r#"{"time":1}"#),
        ("bad_side", "v/S/1", r#"{"time":1,"price":1,"side":"up"}"#),
        ("other_id", "v/S/1", r#"{"time":1,"price":1,"id":2}"#),
        ("price_not_positive", "v/S/1", r#"{"time":1,"price":0}"#),
        (
            "future",
            "v/S/1",
            r#"{"time":"2200-01-01T00:00:00Z","price":1}"#,
        ),
        ("bad_id", "v/S/a%20b", good.as_str()),
        ("not_a_number", "numbered/S/x", scoped.as_str()),
        ("no_scope", "numbered/S/7", good.as_str()),
        ("not_a_position", "none/S/7", good.as_str()),
        ("not_yet", "none/S/1-PARTITION-99", good.as_str()),
    ] {
        let partition = schemas::partition_of(b"none:S", 4).to_string();
        let path = path.replace("PARTITION", &partition);
        let response = world.put(&format!("/api/v1/trades/{path}"), body).await;
        assert!(
            (400..500).contains(&response.status),
            "{name}: {}",
            response.text
        );
        insta::assert_snapshot!(format!("amend_{name}"), response.snapshot_text());
    }
    for (name, query) in [
        ("cancel_without_time", ""),
        ("cancel_bad_time", "?time=yesterday"),
        ("cancel_unknown_parameter", "?time=1&price=2"),
        ("cancel_bad_scope", "?time=1&scope="),
    ] {
        let response = world.delete(&format!("{TRADES}/1{query}")).await;
        insta::assert_snapshot!(name, response.snapshot_text());
    }
    world.wait_until_refolded().await;
    assert_eq!(world.get(TRADES).await.data()[0]["price"], "1");
    assert_eq!(world.get("/api/v1/bars/v/S").await.data().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_of_old_times_is_cancelled_by_the_integer_it_was_sent_with() {
    let world = World::start().await;
    let path = "/api/v1/trades/v/A%2FB/1?time=1709251200000";
    let settings = r#"{"old_times":true}"#;
    world.put("/api/v1/venues/v/settings", settings).await;
    let trade = r#"{"venue":"v","symbol":"A/B","time":1709251200000,"id":"1","price":1}"#;
    assert_eq!(world.post(JSON, trade).await.status, 200);
    accepted_id(&world.delete(path).await);
    // Where the venue does not allow such times, the unit is named.
    world
        .put("/api/v1/venues/v/settings", r#"{"old_times":false}"#)
        .await;
    let refused = world.delete(path).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.text.contains("as milliseconds this is 2024-03-01"),
        "{}",
        refused.text
    );
}
