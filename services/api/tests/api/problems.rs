//! Problems, and the probes.

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn problems_name_the_fault_and_what_is_accepted() {
    let world = World::start().await;
    for (name, path) in [
        ("no_endpoint", "/api/v2/bars"),
        ("unknown_parameter", "/api/v1/bars/v/S?intervall=1m"),
        ("repeated_parameter", "/api/v1/bars/v/S?limit=1&limit=1"),
        ("bad_interval", "/api/v1/bars/v/S?interval=2m"),
        (
            "bad_time",
            "/api/v1/bars/v/S?start=2013-10-08T13:30:00+02:00",
        ),
        ("bad_limit", "/api/v1/trades/v/S?limit=0"),
        ("bad_cursor", "/api/v1/symbols?cursor=b00"),
        ("bad_venue", "/api/v1/bars/v%20v/S"),
        (
            "bad_day_start",
            "/api/v1/bars/v/S?interval=1d&day_start=22:10",
        ),
        ("bad_zone", "/api/v1/bars/v/S?interval=1d&zone=Mars/Olympus"),
        (
            "day_start_of_hours",
            "/api/v1/bars/v/S?interval=1h&day_start=22:00",
        ),
        ("bad_fill", "/api/v1/bars/v/S?fill=previous"),
    ] {
        let response = world.get(path).await;
        insta::assert_snapshot!(name, response.snapshot_text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_and_media_are_checked() {
    let world = World::start().await;
    let response = world
        .send("DELETE", "/api/v1/symbols", &[], Vec::new())
        .await;
    insta::assert_snapshot!("no_method", response.snapshot_text());
    let allowed = response.headers.iter().find(|(name, _)| name == "allow");
    assert_eq!(allowed.unwrap().1, "GET,HEAD");
    let response = world.post("text/csv", "").await;
    insta::assert_snapshot!("unsupported_media_type", response.snapshot_text());
    let response = world.post("application/json", "{\"venue\":").await;
    insta::assert_snapshot!("not_json", response.snapshot_text());
    let deep = "[".repeat(1_000_000);
    assert_eq!(world.post("application/json", deep).await.status, 400);
    let large = vec![b' '; 16 * 1024 * 1024 + 1];
    let response = world.post("application/json", large).await;
    insta::assert_snapshot!("body_too_large", response.snapshot_text());
    let encoded = [
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
    ];
    let response = world
        .send("POST", "/api/v1/trades", &encoded, vec![1])
        .await;
    assert_eq!(response.status, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_the_version_are_served() {
    let world = World::start().await;
    let version = world.get("/api/v1/version").await;
    insta::assert_snapshot!("version", version.snapshot_text());
    assert_eq!(world.get("/healthz").await.status, 200);
    world.wait_until_folded().await;
    let mut ready = world.get("/readyz").await;
    while ready.status == 503 {
        ready = world.get("/readyz").await;
    }
    assert_eq!(ready.json()["status"], "ready");
    let metrics = world.get("/metrics").await;
    assert_eq!(metrics.text, "# no metrics\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_no_interval_divides_are_a_problem() {
    let world = World::start().await;
    let settings = r#"{"old_times":true}"#;
    world.put("/api/v1/venues/v/settings", settings).await;
    let trade = r#"{"venue":"v","symbol":"S","time":0,"price":1}"#;
    assert_eq!(world.post("application/json", trade).await.status, 200);
    // Monrovia was 44 minutes and 30 seconds behind UTC until 1972.
    let path = "/api/v1/bars/v/S?interval=1d&zone=Africa/Monrovia";
    let response = world.get(path).await;
    insta::assert_snapshot!("day_indivisible", response.snapshot_text());
}
