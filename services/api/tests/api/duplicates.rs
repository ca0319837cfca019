//! Later deliveries of trades, and what differs from the first.

use serde_json::{Value, json};

use crate::world::{HttpResponse, World};

const PATH: &str = "/api/v1/duplicates/v/A%2FB";
/// 2024-05-01T10:00:00Z.
const BEGIN_NS: i64 = 1_714_557_600_000_000_000;
const DAY_NS: i64 = 86_400_000_000_000;

fn trade(id: &str, time_ns: i64, price: &str, quantity: &str) -> Value {
    json!({"venue": "v", "symbol": "A/B", "id": id, "time": time_ns, "price": price,
        "quantity": quantity})
}

async fn send(world: &World, trades: &[Value]) -> HttpResponse {
    let body = serde_json::to_vec(trades).unwrap();
    let response = world.post("application/json", body).await;
    assert_eq!(response.status, 200, "{}", response.text);
    response
}

async fn declare(world: &World, settings: &Value) {
    let path = "/api/v1/venues/v/settings";
    let response = world.put(path, &settings.to_string()).await;
    assert_eq!(response.status, 200, "{}", response.text);
}

/// Returns what the list says of each duplicate: the id, the prices of both deliveries, the
/// outcome and the fields that differ.
fn summaries(duplicates: &[Value]) -> Vec<String> {
    let summary = |duplicate: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        let fields = duplicate["differing_fields"].as_array().unwrap();
        let fields: Vec<_> = fields.iter().map(text).collect();
        format!(
            "{}: {} then {}: {} {}",
            text(&duplicate["later"]["id"]),
            text(&duplicate["first"]["price"]),
            text(&duplicate["later"]["price"]),
            text(&duplicate["outcome"]),
            fields.join(" "),
        )
    };
    duplicates.iter().map(summary).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_with_two_prices_is_a_conflict_and_the_first_counts() {
    let world = World::start().await;
    let fills = [
        trade("4f42", BEGIN_NS, "0.32", "5"),
        trade("4f42", BEGIN_NS, "0.33", "7"),
        trade("4f42", BEGIN_NS, "0.320", "5.0"),
    ];
    send(&world, &fills).await;
    insta::assert_snapshot!("duplicates", world.get(PATH).await.snapshot_text());
    let conflicts = world.get(&format!("{PATH}?conflicts=true")).await.data();
    assert_eq!(
        summaries(&conflicts),
        ["4f42: 0.32 then 0.33: conflict price quantity"]
    );
    let trades = world.get("/api/v1/trades/v/A%2FB").await.data();
    assert_eq!(trades.len(), 1);
    assert_eq!(trades[0]["price"], "0.32");
    // An edit changes what counts, and neither delivery.
    let edit = format!(r#"{{"time":{BEGIN_NS},"price":"0.33","quantity":"7"}}"#);
    let edited = world.put("/api/v1/trades/v/A%2FB/4f42", &edit).await;
    assert_eq!(edited.status, 202, "{}", edited.text);
    world.wait_until_refolded().await;
    let after = world.get(&format!("{PATH}?conflicts=true")).await.data();
    assert_eq!(after, conflicts);
}

/// Contiguous ids belong to no time: the first delivery is found weeks before the later one.
#[tokio::test(flavor = "multi_thread")]
async fn ids_that_begin_again_are_conflicts() {
    let world = World::start().await;
    declare(&world, &json!({"id_scheme": "contiguous"})).await;
    let numbered = |day: i64, prices: [&str; 3]| {
        let trade = |(number, price): (i64, &str)| {
            let time_ns = BEGIN_NS + day * DAY_NS + number;
            trade(&number.to_string(), time_ns, price, "1")
        };
        [(1, prices[0]), (2, prices[1]), (3, prices[2])].map(trade)
    };
    send(&world, &numbered(0, ["5", "6", "7"])).await;
    let appended = send(&world, &numbered(18, ["50", "60", "7"])).await;
    let expected = [
        "1: 5 then 50: conflict time price",
        "2: 6 then 60: conflict time price",
        "3: 7 then 7: conflict time",
    ];
    let listed = world.get(&format!("{PATH}?conflicts=true")).await;
    assert_eq!(summaries(&listed.data()), expected);
    // The window is that of the later deliveries.
    let second_day = BEGIN_NS + 18 * DAY_NS;
    for (query, count) in [
        (format!("end={}", BEGIN_NS + DAY_NS), 0),
        (format!("start={second_day}"), 3),
        (
            format!("start={}&end={}", second_day + 2, second_day + 3),
            1,
        ),
    ] {
        let found = world.get(&format!("{PATH}?{query}")).await.data();
        assert_eq!(found.len(), count, "{query}");
    }
    // So is `since`, by position.
    let range = &appended.json()["appended"][0];
    let position = |offset: &Value| format!("{}-{}-{offset}", range["epoch"], range["partition"]);
    let since = format!("{PATH}?since={}", position(&range["first_offset"]));
    assert_eq!(world.get(&since).await.data().len(), 3);
    let since = format!("{PATH}?since={}", position(&range["end_offset"]));
    assert_eq!(world.get(&since).await.data().len(), 0);
    assert_eq!(listed.json()["complete_to"], position(&range["end_offset"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_begin_again_each_day_are_no_duplicates_if_the_venue_says_so() {
    let world = World::start().await;
    let settings = json!({"id_scheme": "contiguous", "id_scope": "day"});
    declare(&world, &settings).await;
    send(&world, &[trade("1", BEGIN_NS, "5", "1")]).await;
    send(&world, &[trade("1", BEGIN_NS + DAY_NS, "6", "1")]).await;
    send(&world, &[trade("1", BEGIN_NS + DAY_NS + 1, "6", "1")]).await;
    let listed = world.get(PATH).await.data();
    assert_eq!(summaries(&listed), ["1: 6 then 6: conflict time"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_resume_exactly_among_duplicates_of_one_time() {
    let world = World::start().await;
    let mut trades = Vec::new();
    for round in 0..4 {
        for number in 0..15 {
            let time_ns = BEGIN_NS + number / 5 * 3_600_000_000_000;
            // Every second round says something else.
            let price = (1 + round % 2).to_string();
            trades.push(trade(&format!("t{number}"), time_ns, &price, "1"));
        }
    }
    send(&world, &trades).await;
    let whole = world.get(PATH).await.data();
    assert_eq!(whole.len(), 45);
    let times = whole.iter().map(|duplicate| {
        let later = &duplicate["later"];
        let offset = later["position"].as_str().unwrap().rsplit('-').next();
        (
            later["time"].as_str().unwrap(),
            offset.unwrap().parse::<u64>().unwrap(),
        )
    });
    assert!(times.is_sorted());
    for (filter, expected) in [("", 45), ("&conflicts=true", 30)] {
        for limit in [1, 7, 30, 45] {
            let mut found = Vec::new();
            let mut next = format!("{PATH}?limit={limit}{filter}");
            loop {
                let page = world.get(&next).await;
                assert!(page.data().len() <= limit);
                found.extend(page.data());
                match page.json()["next_cursor"].as_str() {
                    Some(cursor) => {
                        next = format!("{PATH}?limit={limit}{filter}&cursor={cursor}");
                    }
                    None => break,
                }
            }
            assert_eq!(found.len(), expected, "{limit}");
            let in_order = whole.iter().filter(|duplicate| found.contains(duplicate));
            assert!(in_order.eq(&found), "{limit}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_delivery_that_is_gone_cannot_be_compared() {
    let world = World::start().await;
    send(&world, &[trade("a", BEGIN_NS, "5", "1")]).await;
    world.delete_ticks().await;
    send(&world, &[trade("a", BEGIN_NS, "50", "1")]).await;
    for query in ["", "?conflicts=true"] {
        let listed = world.get(&format!("{PATH}{query}")).await.data();
        assert_eq!(summaries(&listed), ["a: none then 50: not_comparable "]);
        assert!(listed[0]["first"].is_null());
    }
}

/// Trades without ids are identified by their sender, and a request that is sent again is the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_again_is_the_same() {
    let world = World::start().await;
    declare(&world, &json!({"id_scheme": "none"})).await;
    let line = format!(r#"{{"venue":"v","symbol":"A/B","time":{BEGIN_NS},"price":"1"}}"#);
    let headers = [
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "k"),
    ];
    for _ in 0..2 {
        let response = world.send("POST", "/api/v1/trades", &headers, line.clone().into());
        assert_eq!(response.await.status, 200);
    }
    world.wait_until_folded().await;
    let listed = world.get(PATH).await.data();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["outcome"], "same");
    let conflicts = world.get(&format!("{PATH}?conflicts=true")).await.data();
    assert!(conflicts.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_read_strictly() {
    let world = World::start().await;
    assert!(world.get(PATH).await.data().is_empty());
    for (query, field) in [
        ("conflicts=yes", "conflicts"),
        ("since=7", "since"),
        ("since=1-99-0", "since"),
        ("cursor=d00", "cursor"),
        ("cursor=t00", "cursor"),
        ("start=2&end=1", "start"),
        ("limit=0", "limit"),
        ("symbol=A", "symbol"),
    ] {
        let response = world.get(&format!("{PATH}?{query}")).await;
        assert_eq!(response.status, 400, "{query}");
        assert_eq!(response.json()["field"], field, "{query}");
    }
}
