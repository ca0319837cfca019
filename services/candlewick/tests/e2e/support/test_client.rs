//! A client of REST whose responses are asserted.

use std::collections::BTreeMap;

use client::{Method, RestClient, RestError, RestResponse};
use serde_json::Value;

/// A client of one process.
#[derive(Debug, Clone)]
pub(crate) struct TestClient {
    rest: RestClient,
}

/// A response of any status.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl TestResponse {
    /// Returns the body as JSON, and asserts the status.
    pub(crate) fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        let parsed = serde_json::from_str(&self.text);
        parsed.unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Returns the body as JSON, and asserts that it is a problem as RFC 9457 defines it.
    pub(crate) fn problem(&self, status: u16) -> Value {
        let problem = self.json(status);
        assert_eq!(
            self.content_type, "application/problem+json",
            "{}",
            self.text
        );
        assert_eq!(problem["status"], status, "{}", self.text);
        let has_text = |member: &str| {
            problem[member]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        };
        assert!(
            ["type", "title", "detail"].into_iter().all(has_text),
            "{}",
            self.text
        );
        problem
    }
}

impl From<RestResponse> for TestResponse {
    fn from(response: RestResponse) -> Self {
        Self {
            status: response.status,
            content_type: response.content_type,
            text: String::from_utf8(response.body).unwrap(),
        }
    }
}

impl TestClient {
    pub(crate) fn new(base_url: &str) -> Self {
        Self {
            rest: RestClient::new(base_url).unwrap(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> TestResponse {
        expect_response(path, self.rest.get(path))
    }

    pub(crate) fn put(&self, path: &str, body: &str) -> TestResponse {
        expect_response(path, self.rest.put_json(path, body))
    }

    pub(crate) fn delete(&self, path: &str) -> TestResponse {
        expect_response(path, self.rest.send(&Method::DELETE, path, &[], None))
    }

    /// Posts a body of trades.
    pub(crate) fn post_trades(
        &self,
        content_type: &str,
        body: &[u8],
        headers: &[(&str, &str)],
    ) -> TestResponse {
        expect_response(TRADES_PATH, self.send_body(content_type, body, headers))
    }

    /// Posts a body of trades; returns `None` if the process is gone.
    pub(crate) fn try_post_trades(&self, content_type: &str, body: &[u8]) -> Option<TestResponse> {
        let response = self.send_body(content_type, body, &[]).ok()?;
        Some(TestResponse::from(response)).filter(|response| !response.text.is_empty())
    }

    fn send_body(
        &self,
        content_type: &str,
        body: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<RestResponse, RestError> {
        let headers = [&[("content-type", content_type)], headers].concat();
        self.rest
            .send(&Method::POST, TRADES_PATH, &headers, Some(body))
    }

    /// Posts trades in JSON, which must all be accepted.
    pub(crate) fn send_trades(&self, trades: &[Value]) {
        let body = serde_json::to_vec(trades).unwrap();
        let response = self.post_trades("application/json", &body, &[]).json(200);
        assert_eq!(response["accepted"], trades.len(), "{response}");
    }

    /// Declares a venue.
    pub(crate) fn declare_venue(&self, venue: &str, settings: &Value) {
        let path = format!("/api/v1/venues/{venue}/settings");
        self.put(&path, &settings.to_string()).json(200);
    }

    /// Reads every element of a list, page by page.
    pub(crate) fn get_all_pages(&self, path: &str) -> Vec<Value> {
        let elements = self.rest.get_all_pages(path);
        elements.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Returns the value of every metric, summed over its labels.
    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        let response = self.get("/metrics");
        assert_eq!(response.status, 200);
        let mut metrics = BTreeMap::new();
        for line in response.text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let name = name.split('{').next().unwrap();
            *metrics.entry(name.to_owned()).or_insert(0.0) += value.parse::<f64>().unwrap();
        }
        metrics
    }
}

const TRADES_PATH: &str = "/api/v1/trades";

fn expect_response(path: &str, response: Result<RestResponse, RestError>) -> TestResponse {
    let response = response.unwrap_or_else(|error| panic!("{path}: {error}"));
    TestResponse::from(response)
}
