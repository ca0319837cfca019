//! Repairs.

use serde_json::{Value, json};

use crate::world::{World, json_array, trade_json};

const REPAIRS: &str = "/api/v1/repairs";
const BARS: &str = "/api/v1/bars/v/A%2FB?start=0&interval=";

async fn post_repair(world: &World, body: &Value) -> crate::world::HttpResponse {
    let body = body.to_string().into_bytes();
    world.send("POST", REPAIRS, &[], body).await
}

async fn get_bars(world: &World) -> Vec<Value> {
    let mut bars = Vec::new();
    for interval in ["1m", "5m", "15m", "30m", "1h", "4h", "1d"] {
        bars.extend(world.get(&format!("{BARS}{interval}")).await.data());
    }
    // What changes is which record was the last to touch them.
    for bar in &mut bars {
        bar["through"] = Value::Null;
    }
    bars
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_leaves_right_bars_as_they_are() {
    let world = World::start().await;
    let trades: Vec<_> = (0..40)
        .map(|id| {
            let (hour, minute) = (10 + id / 20, id % 20 * 3);
            let time = format!("2013-10-08T{hour}:{minute:02}:07Z");
            trade_json(id, &time, &format!("{}.5", 1 + id % 7))
        })
        .collect();
    world.post("application/json", json_array(&trades)).await;
    let before = get_bars(&world).await;
    let range = json!({
        "venue": "v", "symbol": "A/B",
        "start": "2013-10-07T00:00:00Z", "end": "2013-10-09T11:30:00+02:00",
    });
    let response = post_repair(&world, &range).await;
    assert_eq!(response.status, 202, "{}", response.text);
    let expected = json!({"records": 1, "minutes": 120, "beyond_horizon": 0});
    assert_eq!(response.json(), expected);
    world.wait_until_refolded().await;
    assert_eq!(get_bars(&world).await, before);

    let nothing = json!({
        "venue": "v", "symbol": "A/B",
        "start": "2014-10-07T00:00:00Z", "end": "2014-10-09T00:00:00Z",
    });
    let expected = json!({"records": 0, "minutes": 0, "beyond_horizon": 0});
    assert_eq!(post_repair(&world, &nothing).await.json(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_repair_is_a_problem_that_names_the_member() {
    let world = World::start().await;
    world
        .post(
            "application/json",
            trade_json(1, "2013-10-08T10:00:00Z", "1"),
        )
        .await;
    let day = ("2013-10-08T00:00:00Z", "2013-10-09T00:00:00Z");
    for (name, body) in [
        (
            "no_range",
            json!({"venue": "v", "symbol": "S", "start": day.0}),
        ),
        (
            "backwards",
            json!({"venue": "v", "symbol": "S", "start": day.1, "end": day.0}),
        ),
        (
            "seconds",
            json!({"venue": "v", "symbol": "S", "start": "2013-10-08T00:00:01Z", "end": day.1}),
        ),
        (
            "before_1970",
            json!({"venue": "v", "symbol": "S", "start": "1969-10-08T00:00:00Z", "end": day.1}),
        ),
        (
            "too_long",
            json!({"venue": "v", "symbol": "S", "start": day.0, "end": "2013-11-08T00:01:00Z"}),
        ),
        (
            "bad_symbol",
            json!({"venue": "v", "symbol": "S  S", "start": day.0, "end": day.1}),
        ),
        (
            "unknown",
            json!({"venue": "v", "symbols": ["S"], "start": day.0, "end": day.1}),
        ),
        (
            "undeclared",
            json!({"venue": "nobody", "symbol": "S", "start": day.0, "end": day.1}),
        ),
    ] {
        let response = post_repair(&world, &body).await;
        assert!(
            (400..500).contains(&response.status),
            "{name}: {}",
            response.text
        );
        insta::assert_snapshot!(format!("repair_{name}"), response.snapshot_text());
    }
}
