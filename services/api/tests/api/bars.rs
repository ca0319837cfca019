//! Bars: pages, cursors, filling, days.

use serde_json::Value;

use crate::world::{World, json_array, trade_json};

const JSON: &str = "application/json";

/// Trades in minutes 30, 31 and 34 of 2013-10-08T13, and one later that closes those windows.
async fn world_with_some_minutes() -> World {
    let world = World::start().await;
    let trades = [
        trade_json(1, "2013-10-08T13:30:00Z", "100.10"),
        trade_json(2, "2013-10-08T13:30:59.999999999Z", "99.5"),
        trade_json(3, "2013-10-08T13:31:00Z", "101"),
        trade_json(4, "2013-10-08T13:34:20Z", "1e2"),
        trade_json(5, "2013-10-08T13:40:00Z", "98.0000000000000001"),
    ];
    let response = world.post(JSON, json_array(&trades)).await;
    assert_eq!(response.json()["accepted"], 5, "{}", response.text);
    world
}

fn starts_of(bars: &[Value]) -> Vec<&str> {
    bars.iter()
        .map(|bar| &bar["start"].as_str().unwrap()[11..16])
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_bars_come_without_a_range_and_the_forming_one_is_marked() {
    let world = world_with_some_minutes().await;
    let response = world.get("/api/v1/bars/v/A%2FB?limit=2").await;
    insta::assert_snapshot!("newest_bars", response.snapshot_text());
    let longer = world.get("/api/v1/bars/v/A%2FB?interval=5m").await.data();
    assert_eq!(starts_of(&longer), ["13:30", "13:40"]);
    let none = world.get("/api/v1/bars/v/other").await;
    assert_eq!(none.text, r#"{"data":[],"next_cursor":null}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_hold_the_bars_that_start_within_them() {
    let world = world_with_some_minutes().await;
    for (query, expected) in [
        (
            "start=2013-10-08T13:30:00Z&end=2013-10-08T13:31:00Z",
            vec!["13:30"],
        ),
        (
            "start=2013-10-08T13:30:01Z&end=2013-10-08T13:34:01Z",
            vec!["13:31", "13:34"],
        ),
        ("start=1381239060000000000", vec!["13:31", "13:34", "13:40"]),
        ("end=2013-10-08T13:40:00Z&limit=2", vec!["13:31", "13:34"]),
        ("start=2014-10-08T13:30:00Z", vec![]),
    ] {
        let bars = world.get(&format!("/api/v1/bars/v/A%2FB?{query}")).await;
        assert_eq!(starts_of(&bars.data()), expected, "{query}");
    }
}

/// Follows cursors from the first page to the last.
async fn read_all_pages(world: &World, query: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut path = format!("/api/v1/bars/v/A%2FB?{query}");
    loop {
        let page = world.get(&path).await;
        found.extend(page.data());
        match page.json()["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/bars/v/A%2FB?{query}&cursor={cursor}"),
            None => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_add_up_to_the_whole() {
    let world = world_with_some_minutes().await;
    let range = "start=2013-10-08T13:00:00Z&end=2013-10-08T14:00:00Z";
    for variant in [
        "",
        "&fill=flat",
        "&interval=1d&zone=Asia/Tokyo",
        "&interval=5m&fill=flat",
    ] {
        let query = format!("{range}{variant}");
        let whole = read_all_pages(&world, &query).await;
        for limit in 1..4 {
            assert_eq!(
                read_all_pages(&world, &format!("{query}&limit={limit}")).await,
                whole,
                "{query}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_windows_are_filled_at_the_prior_close_which_may_lie_before_the_range() {
    let world = world_with_some_minutes().await;
    let path = "/api/v1/bars/v/A%2FB?fill=flat&start=2013-10-08T13:33:00Z&limit=2";
    let page = world.get(path).await;
    insta::assert_snapshot!("filled_bars", page.snapshot_text());
    for (query, expected) in [
        // Nothing before the first trade, nothing after the newest bar.
        (
            "start=1970-01-01T00:00:00Z",
            "13:30 13:31+ 13:34+ 13:40+ 11",
        ),
        ("", "13:30 13:31+ 13:34+ 13:40+ 11"),
        ("limit=3", "13:40+ 3"),
        // Up to an end that is given.
        (
            "start=2013-10-08T13:40:00Z&end=2013-10-08T13:43:00Z",
            "13:40+ 3",
        ),
        ("start=2013-10-08T13:50:00Z&end=2013-10-08T13:53:00Z", "+ 3"),
        ("end=2013-10-08T13:00:00Z", " 0"),
    ] {
        let bars = world
            .get(&format!("/api/v1/bars/v/A%2FB?fill=flat&{query}"))
            .await
            .data();
        let traded: Vec<_> = bars
            .iter()
            .filter(|bar| bar["filled"].is_null())
            .cloned()
            .collect();
        for start in starts_of(&traded) {
            assert!(expected.contains(start), "{query}: {start}");
        }
        assert!(
            expected.ends_with(&format!(" {}", bars.len())),
            "{query}: {}",
            bars.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn days_begin_where_the_zone_says_and_change_length_with_its_clocks() {
    let world = World::start().await;
    // New York put its clocks forward on 2025-03-09: that day, from 22:00 the evening before,
    // has 23 hours.
    let trades = [
        trade_json(1, "2025-03-08T02:59:59Z", "1"),
        trade_json(2, "2025-03-08T03:00:00Z", "2"),
        trade_json(3, "2025-03-09T02:59:59Z", "3"),
        trade_json(4, "2025-03-09T03:00:00Z", "4"),
        trade_json(5, "2025-03-10T01:59:59Z", "5"),
        trade_json(6, "2025-03-10T02:00:00Z", "6"),
        trade_json(7, "2025-03-20T12:00:00Z", "7"),
    ];
    assert_eq!(world.post(JSON, json_array(&trades)).await.status, 200);
    let query = "interval=1d&day_start=22:00&zone=America/New_York";
    let shown = |bars: &[Value]| -> Vec<String> {
        let day = |bar: &Value| {
            let text = |field: &str| bar[field].as_str().unwrap().to_owned();
            format!(
                "{} {} {}-{} {} {}",
                text("start"),
                text("end"),
                text("open"),
                text("close"),
                bar["trades"],
                bar["closed"]
            )
        };
        bars.iter().map(day).collect()
    };
    let newest = world
        .get(&format!("/api/v1/bars/v/A%2FB?{query}"))
        .await
        .data();
    let expected = [
        "2025-03-07T03:00:00Z 2025-03-08T03:00:00Z 1-1 1 true",
        "2025-03-08T03:00:00Z 2025-03-09T03:00:00Z 2-3 2 true",
        "2025-03-09T03:00:00Z 2025-03-10T02:00:00Z 4-5 2 true",
        "2025-03-10T02:00:00Z 2025-03-11T02:00:00Z 6-6 1 true",
        "2025-03-20T02:00:00Z 2025-03-21T02:00:00Z 7-7 1 false",
    ];
    assert_eq!(shown(&newest), expected);
    let start = "start=2025-03-08T03:00:00Z&end=2025-03-09T03:00:00Z";
    let one = world
        .get(&format!("/api/v1/bars/v/A%2FB?{query}&{start}"))
        .await
        .data();
    assert_eq!(shown(&one), expected[1..2]);
    let end = "end=2025-03-10T03:00:00Z&limit=2";
    let two = world
        .get(&format!("/api/v1/bars/v/A%2FB?{query}&{end}"))
        .await
        .data();
    assert_eq!(shown(&two), expected[2..4]);
    let filled = world
        .get(&format!("/api/v1/bars/v/A%2FB?{query}&fill=flat"))
        .await
        .data();
    assert_eq!(filled.len(), 14);
    let utc = world.get("/api/v1/bars/v/A%2FB?interval=1d&zone=UTC").await;
    assert_eq!(
        utc.data(),
        world.get("/api/v1/bars/v/A%2FB?interval=1d").await.data()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_trade_corrects_the_bar_and_counts_as_a_revision() {
    let world = world_with_some_minutes().await;
    let late = trade_json(9, "2013-10-08T13:31:30Z", "250");
    assert_eq!(world.post(JSON, late).await.status, 200);
    let path = "/api/v1/bars/v/A%2FB?start=2013-10-08T13:31:00Z&limit=1";
    let bars = world.get(path).await.data();
    assert_eq!(bars[0]["close"], "250");
    assert_eq!(bars[0]["revision"], 1);
    assert_eq!(bars[0]["closed"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_average_is_rounded_to_eighteen_digits_and_volume_may_be_missing() {
    let world = World::start().await;
    let quote = r#"{"venue":"v","symbol":"Q","time":1381239000000000000,"price":"3"}"#;
    let thirds = r#"[{"venue":"v","symbol":"T","time":1381239000000000000,"price":1,"quantity":2},
                     {"venue":"v","symbol":"T","time":1381239000000000001,"price":2,"quantity":1}]"#;
    assert_eq!(world.post(JSON, quote).await.status, 200);
    assert_eq!(world.post(JSON, thirds).await.status, 200);
    let quoted = world.get("/api/v1/bars/v/Q").await.data();
    assert_eq!(quoted[0]["vwap"], Value::Null);
    assert_eq!(quoted[0]["volume"], "0");
    let averaged = world.get("/api/v1/bars/v/T").await.data();
    assert_eq!(averaged[0]["vwap"], "1.33333333333333333");
    let position = averaged[0]["first_trade_id"].as_str().unwrap();
    assert!(position.starts_with("1-"), "{position}");
}
