//! Venues, their settings, their symbols and their gaps.

use crate::world::{World, json_array, trade_json};

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_declared_amended_and_kept_from_changing() {
    let world = World::start().await;
    let path = "/api/v1/venues/v/settings";
    insta::assert_snapshot!("venue_unknown", world.get(path).await.snapshot_text());
    let declared = world
        .put(
            path,
            r#"{"id_scheme":"contiguous","id_scope":"day","lateness_ms":1500}"#,
        )
        .await;
    insta::assert_snapshot!("settings", declared.snapshot_text());
    assert_eq!(world.get(path).await.text, declared.text);
    let amended = world
        .put(path, r#"{"idle_ms":0,"nonpositive_prices":true}"#)
        .await;
    assert_eq!(amended.status, 200);
    assert_eq!(amended.json()["lateness_ms"], 1500);
    assert_eq!(amended.json()["idle_ms"], 0);
    let conflict = world.put(path, r#"{"id_scheme":"unique"}"#).await;
    insta::assert_snapshot!("settings_conflict", conflict.snapshot_text());
    world.wait_until_folded().await;
    let venues = world.get("/api/v1/venues").await;
    assert_eq!(venues.data(), [amended.json()]);
    for (body, field) in [
        (r#"{"lateness_ms":-1}"#, "lateness_ms"),
        (r#"{"lateness_ms":86400001}"#, "lateness_ms"),
        (r#"{"idle_ms":1.5}"#, "idle_ms"),
        (r#"{"idle_ms":"1"}"#, "idle_ms"),
        (r#"{"id_scheme":"numbers"}"#, "id_scheme"),
        (r#"{"id_scope":7}"#, "id_scope"),
        (r#"{"nonpositive_prices":1}"#, "nonpositive_prices"),
        (r#"{"lateness":1}"#, "lateness"),
    ] {
        let response = world.put(path, body).await;
        assert_eq!(response.status, 400, "{body}");
        assert_eq!(response.json()["field"], field, "{body}");
    }
    assert_eq!(world.put(path, "[1]").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_are_listed_for_contiguous_ids_and_rejected_for_others() {
    let world = World::start().await;
    let settings = r#"{"id_scheme":"contiguous"}"#;
    world.put("/api/v1/venues/v/settings", settings).await;
    let mut trades = Vec::new();
    for id in [1, 2, 5, 6, 10, 9_007_199_254_740_993] {
        trades.push(trade_json(id, "2013-10-08T13:30:00Z", "1"));
        trades.push(trade_json(id + 1, "2013-10-08T13:30:00Z", "1").replace("A/B", "C"));
    }
    let response = world.post("application/json", json_array(&trades)).await;
    assert_eq!(response.status, 200);
    let path = "/api/v1/venues/v/gaps";
    let whole = world.get(path).await;
    insta::assert_snapshot!("gaps", whole.snapshot_text());
    let one = world.get(&format!("{path}?symbol=C")).await.data();
    assert_eq!(one, whole.data()[3..]);
    let mut found = Vec::new();
    let mut next = format!("{path}?limit=2");
    loop {
        let page = world.get(&next).await;
        found.extend(page.data());
        match page.json()["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(found, whole.data());
    let other = trade_json(1, "2013-10-08T13:30:00Z", "1").replace(r#""v""#, r#""w""#);
    world.post("application/json", other).await;
    let refused = world.get("/api/v1/venues/w/gaps").await;
    assert_eq!(refused.status, 422);
    assert_eq!(world.get("/api/v1/venues/x/gaps").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn symbols_are_listed_in_order() {
    let world = World::start().await;
    let mut trades = Vec::new();
    for name in ["B", "A", "C"] {
        let text = trade_json(1, "2013-10-08T13:30:00Z", "1");
        trades.push(text.replace("A/B", name));
        trades.push(text.replace("A/B", name).replace(r#""v""#, r#""a""#));
    }
    world.post("application/json", json_array(&trades)).await;
    let whole = world.get("/api/v1/symbols").await.data();
    let names: Vec<_> = whole
        .iter()
        .map(|row| {
            format!(
                "{}:{}",
                row["venue"].as_str().unwrap(),
                row["symbol"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(names, ["a:A", "a:B", "a:C", "v:A", "v:B", "v:C"]);
    let page = world.get("/api/v1/symbols?venue=v&limit=2").await;
    insta::assert_snapshot!("symbols", page.snapshot_text());
    let cursor = page.json()["next_cursor"].as_str().unwrap().to_owned();
    let rest = world
        .get(&format!("/api/v1/symbols?venue=v&limit=2&cursor={cursor}"))
        .await;
    assert_eq!(rest.data(), whole[5..]);
    assert!(rest.json()["next_cursor"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_venue_begins_again_and_its_first_generation_stays_readable() {
    let world = World::start().await;
    let bars = |venue: &str| format!("/api/v1/bars/{venue}/A%2FB");
    let old = trade_json(1, "2013-10-08T13:30:00Z", "1");
    world.post("application/json", old).await;
    let retire = |generation: &str| {
        let body = format!(r#"{{"generation":{generation}}}"#);
        let headers = [("Content-Type", "application/json")];
        let (world, path) = (&world, "/api/v1/venues/v/retire");
        async move { world.send("POST", path, &headers, body.into()).await }
    };
    for generation in ["0", "\"1\"", "null", "10000"] {
        assert_eq!(retire(generation).await.status, 400, "{generation}");
    }
    assert_eq!(retire("2").await.status, 404);
    let first = retire("1").await;
    insta::assert_snapshot!("retired", first.snapshot_text());
    assert_eq!(retire("1").await.text, first.text);
    let settings = "/api/v1/venues/v/settings";
    assert_eq!(world.get(settings).await.status, 404);
    let contiguous = r#"{"id_scheme":"contiguous"}"#;
    let declared = world.put(settings, contiguous).await;
    insta::assert_snapshot!("next_generation", declared.snapshot_text());
    let later = world.put("/api/v1/venues/v@3/settings", contiguous).await;
    assert_eq!(later.status, 404);
    let new = trade_json(1, "2013-10-08T13:35:00Z", "2");
    assert_eq!(world.post("application/json", new).await.status, 200);
    for (venue, start) in [("v", "13:35"), ("v@2", "13:35"), ("v@1", "13:30")] {
        let found = world.get(&bars(venue)).await.data();
        assert_eq!(found.len(), 1, "{venue}");
        assert_eq!(&found[0]["start"].as_str().unwrap()[11..16], start);
    }
    let names = |list: &[serde_json::Value]| -> Vec<String> {
        let name = |row: &serde_json::Value| row["venue"].as_str().unwrap().to_owned();
        list.iter().map(name).collect()
    };
    let venues = world.get("/api/v1/venues").await.data();
    assert_eq!(names(&venues), ["v@1", "v"]);
    let symbols = world.get("/api/v1/symbols").await.data();
    assert_eq!(names(&symbols), ["v@1", "v"]);
    let symbols = world.get("/api/v1/symbols?venue=v").await.data();
    assert_eq!(names(&symbols), ["v"]);
    let cancel = "/api/v1/trades/v@1/A%2FB/1?time=2013-10-08T13:30:00Z";
    let refused = world.delete(cancel).await;
    assert_eq!(refused.json()["reason"], "venue_retired");
}
