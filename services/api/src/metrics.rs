//! The metrics of HTTP requests.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use clock::Clock;
use metrics::Unit;

const REQUESTS: &str = "candlewick_http_requests_total";
const SECONDS: &str = "candlewick_http_request_seconds";

/// The metrics of HTTP requests.
pub struct HttpMetrics;

impl HttpMetrics {
    /// Describes each metric to the installed recorder. Call it once per process.
    pub fn describe() {
        metrics::describe_counter!(
            REQUESTS,
            Unit::Count,
            "HTTP requests by route template, method and status."
        );
        metrics::describe_histogram!(
            SECONDS,
            Unit::Seconds,
            "How long HTTP requests took, by route template."
        );
    }
}

/// Counts and times each request by the template of its route.
pub(crate) async fn measure_request<C: Clock>(
    State(clock): State<C>,
    request: Request,
    next: Next,
) -> Response {
    let begin_ns = clock.monotonic_ns();
    let method = method_label(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    let took = Duration::from_nanos(clock.monotonic_ns().saturating_sub(begin_ns));
    let status = response.status().as_u16().to_string();
    metrics::counter!(REQUESTS, "route" => route.clone(), "method" => method, "status" => status)
        .increment(1);
    metrics::histogram!(SECONDS, "route" => route).record(took);
    response
}

/// Returns the method as a label. Methods that are not standard become `other`, because clients may
/// send any.
fn method_label(method: &Method) -> &'static str {
    const NAMES: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    NAMES
        .into_iter()
        .find(|name| *name == method.as_str())
        .unwrap_or("other")
}
