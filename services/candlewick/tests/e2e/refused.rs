//! Bad trades over HTTP: each is named, and the other trades of its batch are accepted.

use serde_json::Value;

use crate::support::{TestClient, TestProcess, bars, counted_trades, trades, verify, wait_settled};

const JSON: &str = "application/json";

/// A valid trade, from which the cases are made by replacing a part.
const GOOD: &str = r#"{"venue":"v","symbol":"X","id":ID,"time":"2024-05-01T12:00:00Z","price":"1.5","quantity":"2","side":"buy"}"#;

/// The replaced part, its replacement, the field of the rejection, and its code.
const CASES: &str = r#"
"2" | "-2" | quantity | quantity_negative
"2" | -0.000000001 | quantity | quantity_negative
"2" | "many" | quantity | invalid_value
"2" | 1234567890123456789 | quantity | invalid_value
"2" | [2] | quantity | wrong_type
"1.5" | "abc" | price | invalid_value
"1.5" | "NaN" | price | invalid_value
"1.5" | "Infinity" | price | invalid_value
"1.5" | "" | price | invalid_value
"1.5" | "1,5" | price | invalid_value
"1.5" | 1.2345678901234567890 | price | invalid_value
"1.5" | 1e99 | price | invalid_value
"1.5" | true | price | wrong_type
"1.5" | {"value":1} | price | wrong_type
"1.5" | -1.5 | price | price_not_positive
"1.5" | 0 | price | price_not_positive
"price":"1.5", | | price | missing_field
"price":"1.5" | "price":"1.5","price":"1" | price | repeated_field
"2024-05-01T12:00:00Z" | "2190-05-01T12:00:00Z" | time | time_in_future
"2024-05-01T12:00:00Z" | 9223372036854775807 | time | time_in_future
"2024-05-01T12:00:00Z" | "1969-12-31T23:59:59Z" | time | 1970
"2024-05-01T12:00:00Z" | -1 | time | 1970
"2024-05-01T12:00:00Z" | "2024-05-01 noon" | time | invalid_value
"2024-05-01T12:00:00Z" | "2024-13-01T12:00:00Z" | time | invalid_value
"2024-05-01T12:00:00Z" | 99999999999999999999 | time | invalid_value
"2024-05-01T12:00:00Z" | 1.5 | time | invalid_value
"2024-05-01T12:00:00Z" | false | time | wrong_type
"symbol":"X" | "symbol":"X  Y" | symbol | invalid_value
"symbol":"X" | "symbol":".." | symbol | invalid_value
"symbol":"X" | "symbol":"Ünicode" | symbol | invalid_value
"symbol":"X" | "symbol":"\u0000" | symbol | invalid_value
"symbol":"X" | "symbol":"" | symbol | invalid_value
"symbol":"X" | "symbol":5 | symbol | wrong_type
"venue":"v" | "venue":"../v" | venue | invalid_value
"id":ID | "id":1.5 | id | invalid_value
"id":ID | "id":"a b" | id | invalid_value
"side":"buy" | "side":"buy","scope":"a\u0000b" | scope | invalid_value
"side":"buy" | "side":"buy","scope":"NYSE" | scope | scope_unexpected
"side":"buy" | "side":"long" | side | invalid_value
"side":"buy" | "side":"buy","colour":"red" | colour | unknown_field
"#;

/// Returns the cases, one for each line.
fn cases() -> Vec<[&'static str; 4]> {
    let lines = CASES.trim().lines();
    let parts = lines.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    parts.map(|parts| parts.try_into().unwrap()).collect()
}

fn good(id: u64) -> String {
    GOOD.replace("ID", &id.to_string())
}

/// Returns the only rejection of a response.
fn only(rejected: &Value) -> Value {
    let list = rejected.as_array().unwrap();
    assert_eq!(list.len(), 1, "{rejected}");
    list[0].clone()
}

fn assert_named(rejection: &Value, index: u64, field: &str, code: &str) {
    assert_eq!(rejection["index"], index, "{rejection}");
    assert_eq!(rejection["field"], field, "{rejection}");
    match code {
        // The reader checks the earliest time of a text, and the rules that of a number.
        "1970" => assert!(rejection.to_string().contains(code), "{rejection}"),
        code => assert_eq!(rejection["code"], code, "{rejection}"),
    }
    let message = rejection["message"].as_str().unwrap();
    assert!(message.contains(field), "{rejection}");
}

#[test]
fn each_bad_trade_is_named_and_its_neighbours_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    let mut sent = 0;
    for [part, bad, field, code] in cases() {
        assert!(GOOD.contains(part), "{part}");
        let bad = GOOD.replacen(part, bad, 1).replace("ID", "1000000");

        let answer = client.post_trades(JSON, bad.as_bytes(), &[]).problem(422);
        assert_named(&only(&answer["rejected"]), 0, field, code);

        let neighbours = [sent + 1, sent + 2].map(good);
        let array = format!("[{},{bad},{}]", neighbours[0], neighbours[1]);
        let answer = client.post_trades(JSON, array.as_bytes(), &[]).json(200);
        assert_eq!(answer["accepted"], 2, "{answer}");
        assert_named(&only(&answer["rejected"]), 1, field, code);

        let neighbours = [sent + 3, sent + 4].map(good);
        let lines = format!("{}\n{}\n{bad}\n", neighbours[0], neighbours[1]);
        let answer = client.post_trades("application/x-ndjson", lines.as_bytes(), &[]);
        let answer = answer.json(200);
        assert_eq!(answer["accepted"], 2, "{answer}");
        assert_named(&only(&answer["rejected"]), 2, field, code);
        sent += 4;
    }
    wait_settled(&client, sent, 0);
    let ids = trades(&client, "v", "X");
    assert_eq!(ids.len() as u64, sent, "each neighbour, and nothing bad");
    let rejected = client.metrics()["candlewick_ingest_rejected_total"];
    assert_eq!(rejected.to_string(), (3 * cases().len()).to_string());
    println!(
        "{} kinds of bad trades refused, {sent} neighbours kept",
        cases().len()
    );
    verify(&data, sent);
    standalone.terminate().success();
}

/// Asserts that a body is refused as a whole; returns the problem.
fn whole(client: &TestClient, kind: &str, body: &[u8], status: u16, code: &str) -> Value {
    let problem = client.post_trades(kind, body, &[]).problem(status);
    assert_eq!(problem["type"], format!("urn:candlewick:problem:{code}"));
    problem
}

#[test]
fn bodies_that_cannot_be_read_are_refused_whole_and_the_process_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let standalone = TestProcess::start(&folder.path().join("data"));
    let client = standalone.client();

    // Truncated, at a position that the problem names.
    let cut = format!("[{},\n{}", good(1), &good(2)[..40]);
    let problem = whole(&client, JSON, cut.as_bytes(), 400, "invalid_body");
    assert!(
        problem["detail"].as_str().unwrap().contains("line 2"),
        "{problem}"
    );
    // A number that is not JSON.
    let nan = good(1).replace(r#""1.5""#, "NaN");
    whole(&client, JSON, nan.as_bytes(), 400, "invalid_body");
    whole(&client, JSON, b"\xff\xfe", 400, "invalid_body");
    whole(&client, JSON, b"", 400, "invalid_body");
    whole(
        &client,
        "application/msgpack",
        b"\x93\x81",
        400,
        "invalid_body",
    );
    let problem = whole(&client, "text/csv", b"1,2,3", 415, "unsupported_media_type");
    assert_eq!(problem["field"], "Content-Type");

    // Too large; and so large that the process does not read it to its end.
    whole(&client, JSON, &vec![b' '; 17 << 20], 413, "body_too_large");
    if let Some(answer) = client.try_post_trades(JSON, &vec![b' '; 70 << 20]) {
        assert_eq!(answer.problem(413)["status"], 413);
    }
    // Deeply nested: as a whole, within an element, and with no other fault.
    let deep = |open: &str, close: &str| open.repeat(200_000) + &close.repeat(200_000);
    let body = deep("[", "]");
    let answer = client.post_trades(JSON, body.as_bytes(), &[]);
    assert!([400, 422].contains(&answer.status), "{}", answer.text);
    let bad = good(1).replace(r#""1.5""#, &deep("[", "]"));
    let lines = format!("{}\n{bad}\n{}", good(1), good(2));
    let answer = client.post_trades("application/x-ndjson", lines.as_bytes(), &[]);
    let answer = answer.json(200);
    assert_eq!(answer["accepted"], 2, "{answer}");
    assert_eq!(only(&answer["rejected"])["index"], 1);
    let mut body = vec![0x91; 200_000];
    body.push(0x01);
    let answer = client.post_trades("application/msgpack", &body, &[]);
    assert!([400, 422].contains(&answer.status), "{}", answer.text);

    wait_settled(&client, 2, 0);
    assert_eq!(counted_trades(&client, "v", "X"), 2);
    assert_eq!(client.get("/healthz").status, 200);
    standalone.terminate().success();
}

/// Prices of zero and below are accepted if the venue allows them.
#[test]
fn prices_of_zero_and_below_are_taken_where_the_venue_allows_them() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    client.declare_venue("v", &serde_json::json!({"nonpositive_prices": true}));
    let priced = |id, price: &str| good(id).replace("1.5", price);
    let body = format!(
        "[{},{},{}]",
        priced(1, "0"),
        priced(2, "-37.63"),
        priced(3, "1")
    );
    let answer = client.post_trades(JSON, body.as_bytes(), &[]).json(200);
    assert_eq!(answer["accepted"], 3, "{answer}");
    wait_settled(&client, 3, 0);
    let bar = &bars(&client, "v", "X", "1d")[0];
    let fields = ["open", "high", "low", "close", "notional"].map(|name| &bar[name]);
    assert_eq!(fields, ["0", "1", "-37.63", "1", "-73.26"], "{bar}");
    verify(&data, 3);
    standalone.terminate().success();
}
