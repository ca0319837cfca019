//! Which request goes where, and what surrounds them all.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use clock::{Clock, timeout};
use eventlog::Log;
use store::{BarReader, TickStore};
use tower_http::catch_panic::CatchPanicLayer;

use crate::metrics::measure;
use crate::{
    ApiState, ErrorCode, Operations, Problem, amend, bars, operations, repairs, stream, submit,
    symbols, trades, venues,
};

/// How long a request may take, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Every endpoint, answered from `state`.
pub fn router<L, B, T, C>(state: ApiState<L, B, T, C>) -> Router
where
    L: Log,
    B: BarReader + Clone + 'static,
    T: TickStore,
    C: Clock,
{
    let clock = state.clock.clone();
    let probes = Operations::new(state.health.clone(), Arc::clone(&state.render_metrics))
        .with_hub(state.hub.clone());
    Router::new()
        .route("/api/v1/bars/{venue}/{symbol}", get(bars::list))
        .route("/api/v1/trades/{venue}/{symbol}", get(trades::list))
        .route("/api/v1/trades", post(submit::post))
        .route(
            "/api/v1/trades/{venue}/{symbol}/{id}",
            put(amend::edit).delete(amend::cancel),
        )
        .route("/api/v1/repairs", post(repairs::post))
        .route("/api/v1/prices/{venue}/{symbol}", get(bars::newest_price))
        .route("/api/v1/symbols", get(symbols::list))
        .route("/api/v1/venues", get(venues::list))
        .route(
            "/api/v1/venues/{venue}/settings",
            get(venues::settings).put(venues::declare),
        )
        .route("/api/v1/venues/{venue}/gaps", get(venues::gaps))
        .route("/api/v1/stream", get(stream::open))
        .route("/api/v1/version", get(operations::version))
        .merge(probes.routes())
        .fallback(no_endpoint)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(clock.clone(), limit_time::<C>))
        .layer(CatchPanicLayer::custom(after_panic))
        .layer(from_fn_with_state(clock, measure::<C>))
        .with_state(state)
}

/// Probes and scrapes alone, for a process that serves nothing else.
pub fn operations_router(operations: Operations) -> Router {
    operations
        .routes()
        .fallback(no_endpoint)
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(after_panic))
}

async fn limit_time<C: Clock>(State(clock): State<C>, request: Request, next: Next) -> Response {
    let answer = timeout(&clock, REQUEST_TIMEOUT, next.run(request)).await;
    answer.unwrap_or_else(|_| {
        let seconds = REQUEST_TIMEOUT.as_secs();
        let detail = format!("the request was not served within {seconds} s");
        Problem::new(ErrorCode::Timeout, detail).into_response()
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the layer hands the panic over"
)]
fn after_panic(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    Problem::internal(&text.unwrap_or("a panic without a text")).into_response()
}

async fn no_endpoint(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(128).collect();
    Problem::new(ErrorCode::NotFound, format!("there is no {path}"))
        .accepted("the endpoints that docs/api.md lists")
}

async fn no_method(method: Method, uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(128).collect();
    let detail = format!("{path} does not take {method:.16}");
    Problem::new(ErrorCode::MethodNotAllowed, detail).accepted("what the header Allow lists")
}
