//! Trades as they are listed.

use serde_json::Value;

use crate::world::{World, json_array, trade_json};

const JSON: &str = "application/json";

fn ids_of(trades: &[Value]) -> Vec<&str> {
    trades
        .iter()
        .map(|trade| trade["id"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn trades_come_once_in_the_order_of_their_times() {
    let world = World::start().await;
    let settings = r#"{"ties":"id"}"#;
    world.put("/api/v1/venues/v/settings", settings).await;
    let first = [
        trade_json(7, "2013-10-08T15:30:00Z", "1"),
        trade_json(10, "2013-10-08T13:30:00Z", "1"),
        trade_json(9, "2013-10-08T13:30:00Z", "1"),
    ];
    assert_eq!(world.post(JSON, json_array(&first)).await.status, 200);
    let again = [
        trade_json(9, "2013-10-08T13:30:00Z", "1"),
        trade_json(8, "2013-10-08T13:30:01Z", "1"),
    ];
    assert_eq!(world.post(JSON, json_array(&again)).await.status, 200);
    let path = "/api/v1/trades/v/A%2FB";
    let all = world.get(path).await;
    insta::assert_snapshot!("trades", all.snapshot_text());
    assert_eq!(ids_of(&all.data()), ["9", "10", "8", "7"]);
    for (query, expected) in [
        ("limit=2", vec!["8", "7"]),
        ("end=2013-10-08T13:30:01Z", vec!["9", "10"]),
        ("end=2013-10-08T15:30:00Z&limit=1", vec!["8"]),
        ("start=2013-10-08T13:30:01Z", vec!["8", "7"]),
        ("start=2013-10-08T15:30:01Z", vec![]),
    ] {
        let found = world.get(&format!("{path}?{query}")).await.data();
        assert_eq!(ids_of(&found), expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_resume_exactly_among_trades_of_one_time() {
    let world = World::start().await;
    let mut lines = String::new();
    for id in 0..60 {
        let time = format!("2013-10-08T1{}:30:00Z", id / 20);
        lines.push_str(&trade_json(id, &time, "1"));
        lines.push('\n');
    }
    for index in 0..5 {
        let line = r#"{"venue":"v","symbol":"A/B","time":"2013-10-08T11:30:00Z","price":2}"#;
        lines.push_str(line);
        lines.push_str(["\n", "\r\n"][index % 2]);
    }
    assert_eq!(world.post("application/x-ndjson", lines).await.status, 200);
    let path = "/api/v1/trades/v/A%2FB?start=0";
    let whole = world.get(path).await.data();
    assert_eq!(whole.len(), 65);
    for limit in [1, 7, 64, 65] {
        let mut found = Vec::new();
        let mut next = format!("{path}&limit={limit}");
        loop {
            let page = world.get(&next).await;
            found.extend(page.data());
            match page.json()["next_cursor"].as_str() {
                Some(cursor) => {
                    next = format!("{path}&limit={limit}&cursor={cursor}");
                }
                None => break,
            }
        }
        assert_eq!(found, whole, "{limit}");
    }
}
