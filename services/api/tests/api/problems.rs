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

/// Monrovia's days are divided by no interval before 1972. Without trades then they are days
/// without a bar like others.
#[tokio::test(flavor = "multi_thread")]
async fn days_without_trades_need_no_interval_that_divides_them() {
    let world = World::start().await;
    let trade = r#"{"venue":"v","symbol":"S","time":"2013-10-08T13:30:00Z","price":1}"#;
    assert_eq!(world.post("application/json", trade).await.status, 200);
    let path = "/api/v1/bars/v/S?interval=1d&zone=Africa/Monrovia";
    let newest = world.get(path).await.data();
    assert_eq!(newest.len(), 1);
    for query in [
        "start=0",
        "start=0&fill=flat",
        "start=1970-06-01T00:00:00Z&limit=1",
    ] {
        let oldest = world.get(&format!("{path}&{query}")).await.data();
        assert_eq!(oldest, newest, "{query}");
    }
    let none = world
        .get(&format!("{path}&start=0&end=1971-01-01T00:00:00Z"))
        .await;
    assert_eq!(none.data(), Vec::<serde_json::Value>::new());
    let unknown = world
        .get("/api/v1/bars/v/T?interval=1d&zone=Africa/Monrovia&start=0")
        .await;
    assert_eq!(unknown.data(), Vec::<serde_json::Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_are_not_percent_encoded_are_problems() {
    let world = World::start().await;
    for path in [
        "/api/v1/bars/v/%zz",
        "/api/v1/bars/%2/S",
        "/api/v1/trades/v/S%",
        "/api/v1/bars/v/S%ff",
        "/api/v1/venues/%zz/settings",
        "/api/v1/symbols?venue=%zz",
    ] {
        let response = world.get(path).await;
        assert_eq!(response.status, 400, "{path}: {}", response.text);
        let problem = response.json();
        assert_eq!(problem["type"], "urn:candlewick:problem:invalid_parameter");
    }
    let problem = world.get("/api/v1/bars/v/%zz").await.json();
    assert_eq!(problem["field"], "path");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("%zz is not percent-encoding"),
        "{detail}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_is_given_twice_is_a_problem_that_names_it() {
    let world = World::start().await;
    let trade = r#"{"venue":"v","symbol":"S","id":1,"time":"2013-10-08T13:30:00Z","price":1}"#;
    let (json, key) = (
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "1"),
    );
    let identity = ("Content-Encoding", "identity");
    let edit = "/api/v1/trades/v/S/1";
    for (method, path, headers, field) in [
        (
            "POST",
            "/api/v1/trades",
            vec![json, key, key],
            "Idempotency-Key",
        ),
        ("POST", "/api/v1/trades", vec![json, json], "Content-Type"),
        (
            "POST",
            "/api/v1/trades",
            vec![json, identity, identity],
            "Content-Encoding",
        ),
        (
            "PUT",
            edit,
            vec![key, ("Idempotency-Key", "2")],
            "Idempotency-Key",
        ),
        ("DELETE", edit, vec![key, key], "Idempotency-Key"),
    ] {
        let body = if method == "DELETE" { "" } else { trade };
        let path = match method {
            "DELETE" => format!("{path}?time=2013-10-08T13:30:00Z"),
            _ => path.to_owned(),
        };
        let response = world.send(method, &path, &headers, body.into()).await;
        assert_eq!(response.status, 400, "{method} {field}: {}", response.text);
        let problem = response.json();
        assert_eq!(problem["field"], field);
        assert_eq!(
            problem["detail"],
            format!("the header {field} is given twice")
        );
    }
    let once = world
        .send("POST", "/api/v1/trades", &[json, key], trade.into())
        .await;
    assert_eq!(once.status, 200, "{}", once.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_that_a_request_finds_is_named_in_readyz() {
    let world = World::start().await;
    let trade = r#"{"venue":"v","symbol":"S","time":"2013-10-08T13:30:00Z","price":1}"#;
    assert_eq!(world.post("application/json", trade).await.status, 200);
    let mut ready = world.get("/readyz").await;
    while ready.status == 503 {
        ready = world.get("/readyz").await;
    }
    assert!(!ready.text.contains("stored-data"), "{}", ready.text);
    for table in [
        "UPDATE bars SET body = x'c1'",
        "UPDATE open_bars SET body = x'c1'",
    ] {
        world.execute_on_bars(table).await;
    }
    let response = world.get("/api/v1/bars/v/S?start=0").await;
    assert_eq!(response.status, 500, "{}", response.text);
    let readiness = world.get("/readyz").await.json();
    let components = readiness["components"].as_array().unwrap();
    let component = components
        .iter()
        .find(|component| component["name"] == "stored-data");
    let component = component.unwrap_or_else(|| panic!("{readiness}"));
    let reason = component["reason"].as_str().unwrap();
    assert!(reason.contains("bars"), "{reason}");
    // Other requests are served.
    assert_eq!(component["ready"], true);
    assert_eq!(world.get("/api/v1/bars/v/T").await.status, 200);
}
