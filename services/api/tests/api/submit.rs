//! Sending trades.

use market::{Decimal, Trade, TradeId};
use schemas::TradesBatch;

use crate::world::{World, json_array, trade_json};

const JSON: &str = "application/json";
const TIME: &str = "2013-10-08T13:30:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn bad_elements_are_listed_and_the_others_kept() {
    let world = World::start().await;
    let good = trade_json(1, TIME, "1");
    let body = json_array(&[
        good.clone(),
        "7".to_owned(),
        good.replace("side", "sides"),
        good.replace(r#""id":1"#, r#""id":1,"id":2"#),
        good.replace(r#""price":1,"#, ""),
        good.replace(r#""price":1"#, r#""price":{"deep":[[1]]}"#),
        good.replace(r#""price":1"#, r#""price":1.0000000000000000001"#),
        good.replace(r#""price":1"#, r#""price":-1"#),
        good.replace(TIME, "yesterday"),
        good.replace(TIME, "2200-01-01T00:00:00Z"),
        good.replace("0.5", "-0.5"),
        good.replace(r#""sell""#, r#""short""#),
        good.replace(r#""id":1"#, r#""id":1.5"#),
        good.replace(r#""v""#, r#""v v""#),
        good.replace(r#""id":1"#, r#""id":"x-\u0031","scope":null"#),
    ]);
    let response = world.post(JSON, body).await;
    insta::assert_snapshot!("partly_rejected", response.snapshot_text());
    let trades = world.get("/api/v1/trades/v/A%2FB").await.data();
    assert_eq!(trades.len(), 2);
    assert_eq!(trades[1]["id"], "x-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_rejected_trades_is_a_problem_and_an_empty_one_is_not() {
    let world = World::start().await;
    let response = world.post(JSON, trade_json(1, TIME, "-1")).await;
    insta::assert_snapshot!("all_rejected", response.snapshot_text());
    let nothing = world.post(JSON, "[]").await;
    assert_eq!(
        nothing.text,
        r#"{"accepted":0,"rejected_total":0,"rejected":[],"appended":[]}"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_without_trades_has_a_small_response() {
    const COUNT: u32 = 16 * 1024 * 1024 - 5;
    let world = World::start().await;
    let mut body = vec![0xdd];
    body.extend(COUNT.to_be_bytes());
    body.resize(5 + COUNT as usize, 1);
    let response = world.post("application/msgpack", body).await;
    assert_eq!(response.status, 422);
    assert!(
        response.text.len() < 200_000,
        "{} bytes",
        response.text.len()
    );
    assert_eq!(response.json()["rejected_total"], COUNT);
    assert_eq!(response.json()["rejected"].as_array().unwrap().len(), 1_000);
    assert_eq!(response.json()["rejected"][999]["index"], 999);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_read_one_by_one() {
    let world = World::start().await;
    let mut lines = trade_json(1, TIME, "1").into_bytes();
    lines.extend(b"\r\n\nnot json\n\xff\n[1]\n{\"venue\":");
    lines.extend(b"\n   ");
    lines.extend(trade_json(2, TIME, "1").into_bytes());
    let response = world
        .post("application/x-ndjson; charset=utf-8", lines)
        .await;
    assert_eq!(response.json()["accepted"], 2);
    let rejected = response.json()["rejected"].as_array().unwrap().clone();
    let indexes: Vec<_> = rejected
        .iter()
        .map(|row| row["index"].as_u64().unwrap())
        .collect();
    assert_eq!(indexes, [2, 3, 4, 5]);
    assert!(rejected.iter().all(|row| row["code"] == "malformed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_exact_from_the_request_to_the_response() {
    let world = World::start().await;
    let body = r#"{"venue":"v","symbol":"A/B","id":18446744073709551615,
        "time":1381239000123456789,"price":0.100000000000000001,"quantity":1e-18}"#;
    assert_eq!(world.post(JSON, body).await.status, 200);
    let trade = &world.get("/api/v1/trades/v/A%2FB").await.data()[0];
    assert_eq!(trade["id"], "18446744073709551615");
    assert_eq!(trade["time"], "2013-10-08T13:30:00.123456789Z");
    assert_eq!(trade["price"], "0.100000000000000001");
    assert_eq!(trade["quantity"], "0.000000000000000001");
    let bar = &world.get("/api/v1/bars/v/A%2FB").await.data()[0];
    assert_eq!(bar["notional"], "0.000000000000000000100000000000000001");
}

#[tokio::test(flavor = "multi_thread")]
async fn messagepack_is_read_and_its_floats_are_rejected() {
    let world = World::start().await;
    let exact = serde_json::json!([
        {"venue": "v", "symbol": "A/B", "id": "1", "time": TIME, "price": "1.5", "side": null},
        {"venue": "v", "symbol": "A/B", "id": 2, "time": 1_381_239_000_000_000_000_i64, "price": 7},
        {"venue": "v", "symbol": "A/B", "id": 3, "time": TIME, "price": 1.5},
    ]);
    let body = rmp_serde::to_vec_named(&exact).unwrap();
    let response = world.post("application/msgpack", body).await;
    insta::assert_snapshot!("messagepack", response.snapshot_text());
    let one = rmp_serde::to_vec_named(&exact[0]).unwrap();
    let response = world.post("application/msgpack", one).await;
    assert_eq!(response.json()["accepted"], 1);
    let cut = rmp_serde::to_vec_named(&exact).unwrap();
    let response = world
        .post("application/msgpack", &cut[..cut.len() - 1])
        .await;
    assert_eq!(response.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn trades_may_be_sent_in_the_compact_form() {
    let world = World::start().await;
    let venue = "v".parse().unwrap();
    let mut batch = TradesBatch::new(&venue, &["A/B".parse().unwrap(), "C".parse().unwrap()]);
    for id in 0..100 {
        let trade = Trade {
            time_ns: 1_381_239_000_000_000_000,
            price: Decimal::new(5, 1).unwrap(),
            quantity: None,
            side: None,
            id: Some(TradeId::Number(id)),
            scope: None,
            sender: None,
        };
        batch.push(u32::try_from(id % 2).unwrap(), &trade);
    }
    let body = batch.take_bytes();
    let response = world.post(TradesBatch::CONTENT_TYPE, body.clone()).await;
    // Copies of the venue's settings may lie before the trades.
    let first = response.json()["appended"][0]["first_offset"].as_u64();
    let first = first.unwrap();
    let text = response.text.replace(
        &format!(r#""first_offset":{first},"end_offset":{}}}"#, first + 100),
        r#""first_offset":N,"end_offset":N+100}"#,
    );
    assert_eq!(
        text,
        r#"{"accepted":100,"rejected_total":0,"rejected":[],"appended":[{"partition":3,"epoch":1,"first_offset":N,"end_offset":N+100}]}"#
    );
    assert_eq!(world.get("/api/v1/trades/v/C").await.data().len(), 50);
    let cut = &body[..body.len() - 1];
    assert_eq!(world.post(TradesBatch::CONTENT_TYPE, cut).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_requests_without_ids_idempotent() {
    let world = World::start().await;
    let line = r#"{"venue":"v","symbol":"A/B","time":1381239000000000000,"price":1}"#;
    let headers = |key| [("Content-Type", JSON), ("Idempotency-Key", key)];
    let body = json_array(&[line.to_owned(), line.to_owned()]);
    for key in ["one", "one", "two"] {
        let response = world
            .send("POST", "/api/v1/trades", &headers(key), body.clone().into())
            .await;
        assert_eq!(response.json()["accepted"], 2);
    }
    world.wait_until_folded().await;
    assert_eq!(world.get("/api/v1/trades/v/A%2FB").await.data().len(), 4);
    assert_eq!(
        world.get("/api/v1/bars/v/A%2FB").await.data()[0]["trades"],
        4
    );
    // Another sender uses the same key for other trades.
    let other = line.replace(r#""price":1"#, r#""price":2"#);
    for _ in 0..2 {
        let body = json_array(std::slice::from_ref(&other));
        let response = world
            .send("POST", "/api/v1/trades", &headers("one"), body.into())
            .await;
        assert_eq!(response.json()["accepted"], 1);
    }
    world.wait_until_folded().await;
    assert_eq!(world.get("/api/v1/trades/v/A%2FB").await.data().len(), 5);
    let bad = world
        .send("POST", "/api/v1/trades", &headers("a b"), body.into())
        .await;
    assert_eq!(bad.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_in_the_wrong_unit_is_rejected_with_the_unit_that_would_be_right() {
    let world = World::start().await;
    let trade = r#"{"venue":"v","symbol":"S","time":1709251200000,"price":1}"#;
    let response = world.post(JSON, trade).await;
    insta::assert_snapshot!("wrong_unit", response.snapshot_text());
    let settings = r#"{"old_times":true}"#;
    world.put("/api/v1/venues/v/settings", settings).await;
    assert_eq!(world.post(JSON, trade).await.status, 200);
}
