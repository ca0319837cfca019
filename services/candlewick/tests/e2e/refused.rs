//! Bad trades over HTTP: each is told apart, and the rest of its batch is kept.

use serde_json::Value;

use crate::support::{Client, Standalone, counted, settle, trades, verify};

const JSON: &str = "application/json";

/// A good trade, and what becomes of it where one part is replaced by another.
const GOOD: &str = r#"{"venue":"v","symbol":"X","id":ID,"time":"2024-05-01T12:00:00Z","price":"1.5","quantity":"2","side":"buy"}"#;

/// What is replaced, by what, the field that is named, and the code.
const CASES: [(&str, &str, &str, &str); 36] = [
    (r#""2""#, r#""-2""#, "quantity", "quantity_negative"),
    (r#""2""#, "-0.000000001", "quantity", "quantity_negative"),
    (r#""2""#, r#""many""#, "quantity", "invalid_value"),
    (r#""2""#, "[2]", "quantity", "wrong_type"),
    (r#""1.5""#, r#""abc""#, "price", "invalid_value"),
    (r#""1.5""#, r#""NaN""#, "price", "invalid_value"),
    (r#""1.5""#, r#""Infinity""#, "price", "invalid_value"),
    (r#""1.5""#, r#""""#, "price", "invalid_value"),
    (r#""1.5""#, r#""1,5""#, "price", "invalid_value"),
    (r#""1.5""#, "true", "price", "wrong_type"),
    (r#""1.5""#, r#"{"value":1}"#, "price", "wrong_type"),
    (r#""1.5""#, "-1.5", "price", "price_not_positive"),
    (r#""1.5""#, "0", "price", "price_not_positive"),
    (r#""1.5""#, "1.2345678901234567890", "price", "invalid_value"),
    (r#""1.5""#, "1e99", "price", "invalid_value"),
    (r#""2""#, "1234567890123456789", "quantity", "invalid_value"),
    (r#""price":"1.5","#, "", "price", "missing_field"),
    (r#""price":"1.5""#, r#""price":"1.5","price":"1""#, "price", "repeated_field"),
    ("2024-05-01T12:00:00Z", "2190-05-01T12:00:00Z", "time", "time_in_future"),
    ("2024-05-01T12:00:00Z", "1969-12-31T23:59:59Z", "time", "time_before_1970"),
    ("2024-05-01T12:00:00Z", "2024-05-01 noon", "time", "invalid_value"),
    ("2024-05-01T12:00:00Z", "2024-13-01T12:00:00Z", "time", "invalid_value"),
    (r#""2024-05-01T12:00:00Z""#, "-1", "time", "time_before_1970"),
    (r#""2024-05-01T12:00:00Z""#, "9223372036854775807", "time", "time_in_future"),
    (r#""2024-05-01T12:00:00Z""#, "99999999999999999999", "time", "invalid_value"),
    (r#""2024-05-01T12:00:00Z""#, "1.5", "time", "invalid_value"),
    (r#""2024-05-01T12:00:00Z""#, "false", "time", "wrong_type"),
    (r#""symbol":"X""#, r#""symbol":"X Y""#, "symbol", "invalid_value"),
    (r#""symbol":"X""#, r#""symbol":"X:Y""#, "symbol", "invalid_value"),
    (r#""symbol":"X""#, r#""symbol":"Ünïcode""#, "symbol", "invalid_value"),
    (r#""symbol":"X""#, r#""symbol":"\u0000""#, "symbol", "invalid_value"),
    (r#""symbol":"X""#, r#""symbol":"""#, "symbol", "invalid_value"),
    (r#""symbol":"X""#, r#""symbol":5"#, "symbol", "wrong_type"),
    (r#""venue":"v""#, r#""venue":"../v""#, "venue", "invalid_value"),
    (r#""side":"buy""#, r#""side":"long""#, "side", "invalid_value"),
    (r#""side":"buy""#, r#""side":"buy","colour":"red""#, "colour", "unknown_field"),
];

fn good(id: u64) -> String {
    GOOD.replace("ID", &id.to_string())
}

/// The one rejection of an answer.
fn only(rejected: &Value) -> Value {
    let list = rejected.as_array().unwrap();
    assert_eq!(list.len(), 1, "{rejected}");
    list[0].clone()
}

fn assert_named(rejection: &Value, index: u64, field: &str, code: &str) {
    assert_eq!(rejection["index"], index, "{rejection}");
    assert_eq!(rejection["field"], field, "{rejection}");
    assert_eq!(rejection["code"], code, "{rejection}");
    let message = rejection["message"].as_str().unwrap();
    assert!(message.contains(field), "{rejection}");
}

#[test]
fn each_bad_trade_is_named_and_its_neighbours_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = Standalone::start(&data);
    let client = standalone.client();
    let mut sent = 0;
    for (part, bad, field, code) in CASES {
        let whole = good(1_000_000);
        assert!(whole.contains(part), "{part}");
        let bad = whole.replacen(part, bad, 1);

        let answer = client.post(JSON, bad.as_bytes(), &[]).problem(422);
        assert_named(&only(&answer["rejected"]), 0, field, code);

        let neighbours = [sent + 1, sent + 2].map(good);
        let array = format!("[{},{bad},{}]", neighbours[0], neighbours[1]);
        let answer = client.post(JSON, array.as_bytes(), &[]).json(200);
        assert_eq!(answer["accepted"], 2, "{answer}");
        assert_named(&only(&answer["rejected"]), 1, field, code);

        let neighbours = [sent + 3, sent + 4].map(good);
        let lines = format!("{}\n{}\n{bad}\n", neighbours[0], neighbours[1]);
        let answer = client.post("application/x-ndjson", lines.as_bytes(), &[]);
        let answer = answer.json(200);
        assert_eq!(answer["accepted"], 2, "{answer}");
        assert_named(&only(&answer["rejected"]), 2, field, code);
        sent += 4;
    }
    settle(&client, sent, 0);
    let ids = trades(&client, "v", "X");
    assert_eq!(ids.len() as u64, sent, "each neighbour, and nothing bad");
    let rejected = client.metrics()["candlewick_ingest_rejected_total"];
    assert_eq!(rejected.to_string(), (3 * CASES.len()).to_string());
    println!("{} kinds of bad trades refused, {sent} neighbours kept", CASES.len());
    verify(&data);
    standalone.terminate().success();
}

/// What is accepted of one body of bytes, and the problem where it is refused as a whole.
fn whole(client: &Client, kind: &str, body: &[u8], status: u16, code: &str) -> Value {
    let problem = client.post(kind, body, &[]).problem(status);
    assert_eq!(problem["type"], format!("urn:candlewick:problem:{code}"));
    problem
}

#[test]
fn bodies_that_cannot_be_read_are_refused_whole_and_the_process_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let standalone = Standalone::start(&folder.path().join("data"));
    let client = standalone.client();

    // Cut off, at a place that is named.
    let cut = format!("[{},\n{}", good(1), &good(2)[..40]);
    let problem = whole(&client, JSON, cut.as_bytes(), 400, "invalid_body");
    assert!(problem["detail"].as_str().unwrap().contains("line 2"), "{problem}");
    // A number that JSON does not have.
    let nan = good(1).replace(r#""1.5""#, "NaN");
    whole(&client, JSON, nan.as_bytes(), 400, "invalid_body");
    whole(&client, JSON, b"\xff\xfe", 400, "invalid_body");
    whole(&client, JSON, b"", 400, "invalid_body");
    whole(&client, "application/msgpack", b"\x93\x81", 400, "invalid_body");
    let problem = whole(&client, "text/csv", b"1,2,3", 415, "unsupported_media_type");
    assert_eq!(problem["field"], "Content-Type");

    // Oversized, whether or not it would be read.
    for mebibytes in [17, 70] {
        let body = vec![b' '; mebibytes << 20];
        whole(&client, JSON, &body, 413, "body_too_large");
    }
    // Deeply nested: as a whole, within an element, and where only the depth is wrong.
    let deep = |open: &str, close: &str| open.repeat(200_000) + &close.repeat(200_000);
    let body = deep("[", "]");
    let answer = client.post(JSON, body.as_bytes(), &[]);
    assert!([400, 422].contains(&answer.status), "{}", answer.text);
    let bad = good(1).replace(r#""1.5""#, &deep("[", "]"));
    let lines = format!("{}\n{bad}\n{}", good(1), good(2));
    let answer = client.post("application/x-ndjson", lines.as_bytes(), &[]);
    let answer = answer.json(200);
    assert_eq!(answer["accepted"], 2, "{answer}");
    assert_eq!(only(&answer["rejected"])["index"], 1);
    let mut body = vec![0x91; 200_000];
    body.push(0x01);
    let answer = client.post("application/msgpack", &body, &[]);
    assert!([400, 422].contains(&answer.status), "{}", answer.text);

    settle(&client, 2, 0);
    assert_eq!(counted(&client, "v", "X"), 2);
    assert_eq!(client.get("/healthz").status, 200);
    standalone.terminate().success();
}

/// A venue that allows them may have prices of zero and below.
#[test]
fn prices_of_zero_and_below_are_taken_where_the_venue_allows_them() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = Standalone::start(&data);
    let client = standalone.client();
    client.declare("v", &serde_json::json!({"nonpositive_prices": true}));
    let priced = |id, price: &str| good(id).replace("1.5", price);
    let body = format!("[{},{},{}]", priced(1, "0"), priced(2, "-37.63"), priced(3, "1"));
    let answer = client.post(JSON, body.as_bytes(), &[]).json(200);
    assert_eq!(answer["accepted"], 3, "{answer}");
    settle(&client, 3, 0);
    let bar = &crate::support::bars(&client, "v", "X", "1d")[0];
    let fields = ["open", "high", "low", "close", "notional"].map(|name| &bar[name]);
    assert_eq!(fields, ["0", "1", "-37.63", "1", "-73.26"], "{bar}");
    verify(&data);
    standalone.terminate().success();
}
