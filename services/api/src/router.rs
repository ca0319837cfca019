//! The routes, and the layers around all of them.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use backend::Backend;
use clock::{Clock, timeout};
use tower_http::catch_panic::CatchPanicLayer;

use crate::metrics::measure_request;
use crate::operations::ProbesAndMetrics;
use crate::problem::{ErrorCode, Problem};
use crate::state::ApiState;
use crate::store_damage::report_store_damage;
use crate::{
    amend, bars, duplicates, operations, repairs, stream, submit, symbols, trades, venues,
};

/// How long a request may take, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the router of every endpoint.
pub fn router<B: Backend>(state: ApiState<B>) -> Router {
    let clock = state.clock.clone();
    let probes = ProbesAndMetrics::new(state.health.clone(), Arc::clone(&state.render_metrics))
        .with_hub(state.hub.clone());
    Router::new()
        .route("/api/v1/bars/{venue}/{symbol}", get(bars::list_bars))
        .route("/api/v1/trades/{venue}/{symbol}", get(trades::list_trades))
        .route(
            "/api/v1/duplicates/{venue}/{symbol}",
            get(duplicates::list_duplicates),
        )
        .route("/api/v1/trades", post(submit::post_trades))
        .route(
            "/api/v1/trades/{venue}/{symbol}/{id}",
            put(amend::edit_trade).delete(amend::cancel_trade),
        )
        .route("/api/v1/repairs", post(repairs::post_repair))
        .route("/api/v1/prices/{venue}/{symbol}", get(bars::newest_price))
        .route("/api/v1/symbols", get(symbols::list_symbols))
        .route("/api/v1/venues", get(venues::list_venues))
        .route(
            "/api/v1/venues/{venue}/settings",
            get(venues::get_venue_settings).put(venues::put_venue_settings),
        )
        .route("/api/v1/venues/{venue}/retire", post(venues::retire_venue))
        .route("/api/v1/venues/{venue}/gaps", get(venues::list_venue_gaps))
        .route("/api/v1/stream", get(stream::open_stream))
        .route("/api/v1/version", get(operations::get_version))
        .merge(probes.routes())
        .fallback(endpoint_not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(state.clone(), report_store_damage::<B>))
        .layer(from_fn_with_state(
            clock.clone(),
            limit_request_time::<B::Clock>,
        ))
        .layer(CatchPanicLayer::custom(panic_response))
        .layer(from_fn_with_state(clock, measure_request::<B::Clock>))
        .with_state(state)
}

/// Returns the router of the probes and the metrics, for a process that serves nothing else.
pub fn probes_and_metrics_router(operations: ProbesAndMetrics) -> Router {
    operations
        .routes()
        .fallback(endpoint_not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(panic_response))
}

async fn limit_request_time<C: Clock>(
    State(clock): State<C>,
    request: Request,
    next: Next,
) -> Response {
    let response = timeout(&clock, REQUEST_TIMEOUT, next.run(request)).await;
    response.unwrap_or_else(|_| {
        let seconds = REQUEST_TIMEOUT.as_secs();
        let detail = format!("the request was not served within {seconds} s");
        Problem::new(ErrorCode::Timeout, detail).into_response()
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the layer hands the panic over"
)]
fn panic_response(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    Problem::log_internal_error(&text.unwrap_or("a panic without a text")).into_response()
}

async fn endpoint_not_found(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(128).collect();
    Problem::new(ErrorCode::NotFound, format!("there is no {path}"))
        .with_accepted("the endpoints that docs/api.md lists")
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(128).collect();
    let detail = format!("{path} does not accept {method:.16}");
    Problem::new(ErrorCode::MethodNotAllowed, detail).with_accepted("what the header Allow lists")
}
