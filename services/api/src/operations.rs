//! Probes, metrics and the version.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use eventlog::Log;
use host::{Clock, ComponentReport, HealthReport, HealthStatus};
use serde::Serialize;
use store::{BarReader, TickStore};

use crate::answer::json;
use crate::params::Params;
use crate::{ApiState, Problem};

/// `GET /healthz`: whether the process should go on running.
pub(crate) async fn health<L: Log, B: BarReader, T: TickStore, C: Clock>(
    State(state): State<ApiState<L, B, T, C>>,
) -> Response {
    report(&state.health.liveness())
}

/// `GET /readyz`: whether the process should be sent work.
pub(crate) async fn readiness<L: Log, B: BarReader, T: TickStore, C: Clock>(
    State(state): State<ApiState<L, B, T, C>>,
) -> Response {
    let mut found = state.health.readiness();
    if !state.hub.is_ready() {
        found.status = HealthStatus::NotReady;
        found.components.push(ComponentReport {
            name: "hub".to_owned(),
            ready: false,
            reason: Some("the forming bars are not known yet".to_owned()),
        });
    }
    report(&found)
}

fn report(report: &HealthReport) -> Response {
    match report.is_ready() {
        true => json(StatusCode::OK, report),
        false => json(StatusCode::SERVICE_UNAVAILABLE, report),
    }
}

/// `GET /metrics`: the Prometheus text format.
pub(crate) async fn metrics<L: Log, B: BarReader, T: TickStore, C: Clock>(
    State(state): State<ApiState<L, B, T, C>>,
) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, kind)], (state.render_metrics)()).into_response()
}

/// What answers: the binary and the log behind it.
#[derive(Serialize)]
struct Version<'a> {
    version: &'a str,
    log_id: &'a str,
    epoch: u64,
    partitions: u32,
}

/// `GET /api/v1/version`.
pub(crate) async fn version<L: Log, B: BarReader, T: TickStore, C: Clock>(
    State(state): State<ApiState<L, B, T, C>>,
    uri: Uri,
) -> Result<Response, Problem> {
    Params::read(&uri, &[])?;
    let version = Version {
        version: state.version,
        log_id: &state.log_id,
        epoch: state.log.epoch(),
        partitions: state.log.partitions(),
    };
    Ok(json(StatusCode::OK, &version))
}
