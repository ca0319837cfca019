//! What HTTP requests count.

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
pub struct Metrics;

impl Metrics {
    /// Tells the installed recorder what each metric means. Call it once a process.
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

/// Counts and times each request under the template of its route.
pub(crate) async fn measure<C: Clock>(
    State(clock): State<C>,
    request: Request,
    next: Next,
) -> Response {
    let begin_ns = clock.monotonic_ns();
    let method = method_name(request.method());
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

/// One of a closed set: methods are the client's to invent.
fn method_name(method: &Method) -> &'static str {
    const NAMES: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    NAMES
        .into_iter()
        .find(|name| *name == method.as_str())
        .unwrap_or("other")
}
