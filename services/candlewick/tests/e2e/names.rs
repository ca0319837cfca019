//! Names and ids as venues really have them: accepted, stored, listed and streamed as they are.

use serde_json::json;

use crate::support::{
    LiveClient, StreamEncoding, TestProcess, bars, eventually, trades, until, verify,
};

const TIME: &str = "2024-03-01T12:00:00Z";

#[test]
fn symbols_of_every_shape_are_served_and_streamed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    let symbols = [
        "BTC/USDT:USDT",
        "M&M.NS",
        "ES1!",
        "BRK B",
        "O:TSLA230127C00125000",
        "币安人生USDT",
        "İŞCTR",
        "a:1m",
        "%2F",
        "'\"\\",
    ];
    let sent = symbols.map(
        |symbol| json!({"venue": "sy", "symbol": symbol, "time": TIME, "price": "1", "id": "1"}),
    );
    client.send_trades(&sent);
    for symbol in symbols {
        let listed = until(symbol, || {
            bars(&client, "sy", symbol, "1m").first().cloned()
        });
        assert_eq!(listed["trades"], 1, "{symbol}");
        let tick = until(symbol, || trades(&client, "sy", symbol).first().cloned());
        assert_eq!(tick["id"], "1", "{symbol}");
        let mut live =
            LiveClient::connect(&standalone, StreamEncoding::Json, ("sy", symbol), &["1m"]);
        eventually(symbol, &None, || {
            live.receive_all();
            live.difference()
        });
    }
    let page = client.get_all_pages("/api/v1/symbols?venue=sy&limit=2");
    let mut listed: Vec<_> = page
        .iter()
        .map(|row| row["symbol"].as_str().unwrap())
        .collect();
    let mut expected = symbols.to_vec();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    // A path may hold the decomposed form, as some file systems write it; a record may not.
    let decomposed = "I\u{307}S\u{327}CTR";
    assert_eq!(bars(&client, "sy", decomposed, "1m").len(), 1);
    let refused = json!([
        {"venue": "sy", "symbol": "I\u{307}S\u{327}CTR", "time": TIME, "price": "1", "id": "1"},
        {"venue": "sy", "symbol": ".", "time": TIME, "price": "1", "id": "1"},
        {"venue": "sy", "symbol": "..", "time": TIME, "price": "1", "id": "1"},
    ]);
    let body = refused.to_string();
    let response = client.post_trades("application/json", body.as_bytes(), &[]);
    assert_eq!(response.problem(422)["rejected_total"], 3);
    standalone.terminate().success();
    verify(&data, symbols.len() as u64);
}

#[test]
fn ids_are_kept_as_they_were_given() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let standalone = TestProcess::start(&data);
    let client = standalone.client();
    let long = [
        "007".to_owned(),
        "7".to_owned(),
        "00220725".to_owned(),
        "10111013188257230009901629".to_owned(),
        format!("0x{}", "ab".repeat(32)),
        "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW"
            .to_owned(),
        "~".repeat(128),
    ];
    let sent = long
        .clone()
        .map(|id| json!({"venue": "a", "symbol": "IDS", "time": TIME, "price": "7", "id": id}));
    client.send_trades(&sent);
    // A scope at a venue whose ids are unique within the symbol is refused with a reason.
    let scoped = json!([{"venue": "a", "symbol": "IDS", "time": TIME, "price": "7", "id": "5",
        "scope": "XNAS"}]);
    let response = client
        .post_trades("application/json", scoped.to_string().as_bytes(), &[])
        .problem(422);
    assert_eq!(
        response["rejected"][0]["code"], "scope_unexpected",
        "{response}"
    );
    let mut expected = long.to_vec();
    expected.sort();
    eventually("the ids", &expected, || {
        let listed = trades(&client, "a", "IDS").into_iter();
        let mut ids: Vec<_> = listed
            .map(|trade| trade["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    });
    standalone.terminate().success();
    verify(&data, long.len() as u64);
}

#[test]
fn one_symbol_or_venue_more_than_there_may_be_is_refused_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let options = ["--max-venues", "1", "--max-symbols", "2"];
    let trade = |venue: &str, symbol: &str, id: u64| json!({"venue": venue, "symbol": symbol, "time": TIME, "price": "1", "id": id.to_string()});
    for run in 0..2 {
        let standalone = TestProcess::start_with(&data, "127.0.0.1:0", &options);
        let client = standalone.client();
        // After a restart the process knows of the symbols from the store alone.
        let sent = json!([
            trade("v", "A", run),
            trade("v", "B", run),
            trade("v", "C", run),
            trade("w", "A", run),
        ]);
        let body = sent.to_string();
        let response = client.post_trades("application/json", body.as_bytes(), &[]);
        let response = response.json(200);
        assert_eq!(response["accepted"], 2);
        assert_eq!(response["rejected"][0]["code"], "symbol_limit");
        assert_eq!(response["rejected"][0]["field"], "symbol");
        assert_eq!(response["rejected"][1]["code"], "venue_limit");
        let declared = client.put("/api/v1/venues/w/settings", "{}");
        let problem = declared.problem(422);
        assert_eq!(problem["type"], "urn:candlewick:problem:limit_reached");
        assert_eq!(problem["reason"], "venue_limit");
        standalone.terminate().success();
    }
    verify(&data, 4);
}
