//! Sends requests with illegal texts to the pods, each of which has to refuse them.

use std::time::Duration;

use client::{Method, path_segment};
use clock::{Clock, SystemClock};
use serde_json::{Value, json};

use super::hostile_records::{illegal_id_or_scope_texts, illegal_symbols};
use crate::cluster::TortureCluster;
use crate::random::Random;
use crate::rest::send_blocking_request;

const RETRY_DELAY: Duration = Duration::from_millis(250);
/// Paths that no text could make legal.
const ILLEGAL_PATHS: [&str; 4] = [
    "/api/v1/bars/unique/S%00?interval=1m",
    "/api/v1/bars/unique/S1?interval=1m&cursor=%00%ff",
    "/api/v1/bars/unique/S1?interval=1m&cursor=AAAAAAAAAAAA",
    "/api/v1/trades/unique/S1?cursor=forged",
];

/// A request that must be refused.
pub(super) struct HostileRequest {
    what: String,
    method: Method,
    path: String,
    body: Option<String>,
}

impl HostileRequest {
    /// Sends the request until a pod answers it for good, and records an answer that is no refusal.
    pub(super) async fn send(self, cluster: &TortureCluster) {
        let pods = cluster.api_clients();
        let mut turn = 0;
        let (status, text) = loop {
            let (method, path) = (self.method.clone(), self.path.clone());
            let body = self.body.clone();
            let response = send_blocking_request(&pods[turn % pods.len()], move |rest| {
                let headers = [("content-type", "application/json")];
                let body = body.as_ref().map(|body| body.as_bytes());
                let headers = body.map_or(&[][..], |_| &headers);
                rest.send(&method, &path, headers, body)
            });
            match response.await {
                // A pod that cannot reach the brokers may answer so before it looks at the request.
                Ok(response) if !matches!(response.status, 429 | 503 | 504) => {
                    break (response.status, response.text().into_owned());
                }
                Ok(_) | Err(_) => {}
            }
            turn += 1;
            SystemClock.sleep(RETRY_DELAY).await;
        };
        let mut state = cluster.sent_trades.lock();
        state.hostile_requests += 1;
        if !(400..500).contains(&status) {
            let Self { what, path, .. } = self;
            let text = format!("{what}, {path}: {status} {text}");
            state.wrong_answers.push(text);
        }
    }
}

/// Returns a request for each illegal text.
pub(super) fn hostile_requests(random: &mut Random) -> Vec<HostileRequest> {
    let time_ns = SystemClock.now_ns();
    let trade = json!({
        "venue": "places", "symbol": "S1", "id": random.next_u64().to_string(), "scope": "east",
        "time": time_ns, "price": "1.5",
    });
    let mut requests = Vec::new();
    let mut post = |what: &str, field: &str, text: &str| {
        let mut body = trade.clone();
        body[field] = Value::from(text);
        requests.push(HostileRequest {
            what: format!("{what} in {field}"),
            method: Method::POST,
            path: "/api/v1/trades".to_owned(),
            body: Some(body.to_string()),
        });
    };
    for (what, text) in illegal_id_or_scope_texts() {
        post(what, "scope", &text);
        post(what, "id", &text);
        post(what, "venue", &text);
    }
    for (what, text) in illegal_symbols() {
        post(what, "symbol", &text);
    }
    for (what, text) in illegal_id_or_scope_texts() {
        let scope = path_segment(&text);
        requests.push(HostileRequest {
            what: format!("{what} in the scope of a cancel"),
            method: Method::DELETE,
            path: format!("/api/v1/trades/places/S1/7?time={time_ns}&scope={scope}"),
            body: None,
        });
        let body = json!({"time": time_ns, "price": "1.5", "scope": text});
        requests.push(HostileRequest {
            what: format!("{what} in the scope of an edit"),
            method: Method::PUT,
            path: "/api/v1/trades/places/S1/7".to_owned(),
            body: Some(body.to_string()),
        });
    }
    requests.extend(ILLEGAL_PATHS.map(|path| HostileRequest {
        what: "a path or a cursor".to_owned(),
        method: Method::GET,
        path: path.to_owned(),
        body: None,
    }));
    requests
}
