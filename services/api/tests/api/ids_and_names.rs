//! Ids, scopes and symbols as venues really have them, in bodies of JSON.

use serde_json::{Value, json};

use crate::world::World;

const TIME: &str = "2024-05-01T10:00:00Z";

fn trade(symbol: &str, id: &str, price: u32) -> Value {
    json!({"venue": "w", "symbol": symbol, "id": id, "time": TIME, "price": price.to_string()})
}

async fn send(world: &World, trades: &[Value]) -> Value {
    let body = serde_json::to_vec(trades).unwrap();
    let response = world.post("application/json", body).await;
    assert_eq!(response.status, 200, "{}", response.text);
    response.json()
}

async fn prices_by_id(world: &World, symbol: &str) -> Vec<(String, String)> {
    let listed = world.get(&format!("/api/v1/trades/w/{symbol}")).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pair = |trade: &Value| (text(&trade["id"]), text(&trade["price"]));
    let mut pairs: Vec<_> = listed.data().iter().map(pair).collect();
    pairs.sort();
    pairs
}

/// Sends a trade with each id, each at another price, twice, and checks that each counts once and
/// under the id as it was given.
async fn assert_kept_as_given(ids: &[&str]) {
    let world = World::start().await;
    let trades: Vec<_> = (1..)
        .zip(ids)
        .map(|(price, id)| trade("IDS", id, price))
        .collect();
    for _ in 0..2 {
        let response = send(&world, &trades).await;
        assert_eq!(response["accepted"], ids.len());
    }
    let pair = |(price, id): (u32, &&str)| ((*id).to_owned(), price.to_string());
    let mut expected: Vec<_> = (1..).zip(ids).map(pair).collect();
    expected.sort();
    assert_eq!(prices_by_id(&world, "IDS").await, expected);
    let bar = &world.get("/api/v1/bars/w/IDS").await.data()[0];
    assert_eq!(bar["trades"], ids.len());
    let duplicates = world.get("/api/v1/duplicates/w/IDS").await.data();
    assert_eq!(duplicates.len(), ids.len());
    assert!(
        duplicates
            .iter()
            .all(|duplicate| duplicate["outcome"] == "same")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn long_ids_are_kept_as_given() {
    let hash = format!("0x{}", "c3".repeat(32));
    let signature = "9Yz4".repeat(22);
    let number = "90817263548190217364558";
    assert_eq!([hash.len(), signature.len(), number.len()], [66, 88, 23]);
    assert_kept_as_given(&[&hash, &signature, number]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leading_zeros_are_part_of_an_id() {
    assert_kept_as_given(&["0042", "42", "042", "00110325", "0", "00"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_the_venue_does_not_use_is_rejected_with_the_reason() {
    let world = World::start().await;
    let mut scoped = trade("XS", "9", 11);
    scoped["scope"] = json!("ARCA");
    let response = send(&world, &[trade("XS", "9", 10), scoped]).await;
    assert_eq!(response["accepted"], 1);
    assert_eq!(response["rejected_total"], 1);
    let rejected = &response["rejected"][0];
    assert_eq!(rejected["index"], 1);
    assert_eq!(rejected["code"], "scope_unexpected");
    assert!(!rejected["message"].as_str().unwrap().is_empty());
    let expected = [("9".to_owned(), "10".to_owned())];
    assert_eq!(prices_by_id(&world, "XS").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn symbols_of_venues_are_accepted_and_dots_alone_are_not() {
    let world = World::start().await;
    let symbols = [
        "ETH/USDC:USDC",
        "J&KBANK.NS",
        "NQ1!",
        "BF B",
        "O:SPY251219C00650000",
        "tPEPE:USD",
        "币安人生USDT",
        "USD₮",
    ];
    let trades: Vec<_> = symbols.iter().chain(&[".", ".."]).collect();
    let trades: Vec<_> = trades.iter().map(|symbol| trade(symbol, "1", 1)).collect();
    let response = send(&world, &trades).await;
    assert_eq!(response["accepted"], symbols.len());
    let rejected = response["rejected"].as_array().unwrap().iter();
    let indexes: Vec<_> = rejected
        .map(|rejected| rejected["index"].as_u64())
        .collect();
    assert_eq!(indexes, [Some(8), Some(9)]);
    let listed = world.get("/api/v1/symbols?venue=w").await.data();
    let mut listed: Vec<_> = listed
        .iter()
        .map(|row| row["symbol"].as_str().unwrap())
        .collect();
    let mut expected = symbols.to_vec();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
}
