//! Cursors and the queries that they belong to.

use crate::world::{World, json_array, trade_json};

/// For each list: a query of several pages, queries of the same elements with other pages, and
/// other queries.
const LISTS: [(&str, &[&str], &[&str]); 5] = [
    (
        "/api/v1/bars/v/A%2FB?interval=1m&start=0&limit=1",
        &["/api/v1/bars/v/A%2fB?limit=2&start=0&interval=1m"],
        &[
            "/api/v1/bars/v/C?interval=1m&start=0",
            "/api/v1/bars/v/A%2FB?interval=5m&start=0",
            "/api/v1/bars/v/A%2FB?start=0",
            "/api/v1/bars/v/A%2FB?interval=1m",
            "/api/v1/bars/v/A%2FB?interval=1m&start=0&fill=flat",
            "/api/v1/bars/v/A%2FB?interval=1m&start=0&end=2013-10-08T13:31:00Z",
        ],
    ),
    (
        "/api/v1/trades/v/A%2FB?start=0&limit=1",
        &["/api/v1/trades/v/A%2FB?start=0"],
        &[
            "/api/v1/trades/v/C?start=0",
            "/api/v1/trades/v/A%2FB",
            "/api/v1/trades/v/A%2FB?start=0&end=2013-10-08T13:31:00Z",
        ],
    ),
    (
        "/api/v1/duplicates/v/A%2FB?limit=1",
        &["/api/v1/duplicates/v/A%2FB"],
        &[
            "/api/v1/duplicates/v/C",
            "/api/v1/duplicates/v/A%2FB?conflicts=true",
            "/api/v1/duplicates/v/A%2FB?start=1",
        ],
    ),
    (
        "/api/v1/symbols?venue=v&limit=1",
        &["/api/v1/symbols?venue=v"],
        &["/api/v1/symbols", "/api/v1/symbols?venue=w"],
    ),
    (
        "/api/v1/venues/v/gaps?symbol=A%2FB&limit=1",
        &["/api/v1/venues/v/gaps?symbol=A/B"],
        &[
            "/api/v1/venues/v/gaps",
            "/api/v1/venues/v/gaps?symbol=C",
            "/api/v1/venues/w/gaps?symbol=A/B",
        ],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_query_is_refused() {
    let world = World::start().await;
    for venue in ["v", "w"] {
        let path = format!("/api/v1/venues/{venue}/settings");
        let declared = world.put(&path, r#"{"id_scheme":"contiguous"}"#).await;
        assert_eq!(declared.status, 200, "{}", declared.text);
    }
    let mut trades = Vec::new();
    for id in [1, 3, 5, 7, 3, 5] {
        let trade = trade_json(id, &format!("2013-10-08T13:3{id}:00Z"), "1");
        trades.push(trade.replace("A/B", "C"));
        trades.push(trade.replace(r#""v""#, r#""w""#));
        trades.push(trade);
    }
    let sent = world.post("application/json", json_array(&trades)).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    for (first, same, others) in LISTS {
        let page = world.get(first).await.json();
        let cursor = page["next_cursor"].as_str();
        let cursor = cursor.unwrap_or_else(|| panic!("{first}: {page}"));
        let with_cursor = |path: &str| {
            let separator = if path.contains('?') { '&' } else { '?' };
            format!("{path}{separator}cursor={cursor}")
        };
        for same in same {
            let rest = world.get(&with_cursor(same)).await;
            assert_ne!(rest.data(), page["data"].as_array().unwrap()[..], "{same}");
        }
        for other in others {
            let response = world.get(&with_cursor(other)).await;
            assert_eq!(response.status, 400, "{other}: {}", response.text);
            let problem = response.json();
            assert_eq!(problem["field"], "cursor", "{other}");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("another query"), "{other}: {detail}");
        }
    }
}
