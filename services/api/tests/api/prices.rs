//! Newest prices.

use serde_json::{Value, json};

use crate::world::{World, json_array, trade_json};

const PRICES: &str = "/api/v1/prices/v/A%2FB";
const TIMES: [&str; 3] = [
    "2013-10-08T13:30:00Z",
    "2013-10-08T13:31:00Z",
    "2013-10-08T13:32:00Z",
];

async fn get_price(world: &World) -> Value {
    let response = world.get(PRICES).await;
    assert_eq!(response.status, 200, "{}", response.text);
    response.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_price_is_that_of_the_newest_trade() {
    for (has_prices, source) in [(true, "hot"), (false, "bars")] {
        let world = World::start_with(has_prices).await;
        let unknown = world.get(PRICES).await;
        let kind = &unknown.json()["type"];
        assert_eq!(
            (unknown.status, kind),
            (404, &json!("urn:candlewick:problem:price_unknown"))
        );
        let sent = [
            trade_json(1, TIMES[0], "1"),
            trade_json(2, TIMES[2], "2.50"),
        ];
        world.post("application/json", json_array(&sent)).await;
        let expected = json!({"time": TIMES[2], "price": "2.5", "source": source});
        assert_eq!(get_price(&world).await, expected);
        // One that is late changes an older minute, and not the newest price.
        world
            .post("application/json", trade_json(3, TIMES[1], "9"))
            .await;
        assert_eq!(get_price(&world).await["price"], "2.5");
        // The newest minute is emptied: the price is that of the minute before.
        let path = format!("/api/v1/trades/v/A%2FB/2?time={}", TIMES[2]);
        assert_eq!(world.delete(&path).await.status, 202);
        world.wait_until_refolded().await;
        let after = get_price(&world).await;
        assert_eq!(
            [&after["time"], &after["price"]],
            [&json!(TIMES[1]), &json!("9")]
        );
    }
}
