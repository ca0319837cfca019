//! Probes, metrics and the version.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use clock::Clock;
use eventlog::Log;
use host::{ComponentReport, Health, HealthReport, HealthStatus};
use schemas::api::VersionJson;
use store::{BarReader, TickStore};

use crate::json_response::json_response;
use crate::params::Params;
use crate::{ApiState, Hub, Problem};

/// What probes and scrapes are answered from, in a process of any role.
#[derive(Clone)]
pub struct Operations {
    health: Health,
    render_metrics: Arc<dyn Fn() -> String + Send + Sync>,
    hub: Option<Hub>,
}

impl Operations {
    /// Of a process with this health, whose metrics `render_metrics` writes in the Prometheus
    /// text format.
    #[must_use]
    pub fn new(health: Health, render_metrics: Arc<dyn Fn() -> String + Send + Sync>) -> Self {
        Self {
            health,
            render_metrics,
            hub: None,
        }
    }

    /// The same for a process that is not ready before the hub knows the forming bars.
    pub(crate) fn with_hub(mut self, hub: Hub) -> Self {
        self.hub = Some(hub);
        self
    }

    /// `/healthz`, `/readyz` and `/metrics`.
    pub(crate) fn routes<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        Router::new()
            .route("/healthz", get(health))
            .route("/readyz", get(readiness))
            .route("/metrics", get(metrics))
            .with_state(self)
    }
}

/// `GET /healthz`: whether the process should go on running.
async fn health(State(operations): State<Operations>) -> Response {
    report(&operations.health.liveness())
}

/// `GET /readyz`: whether the process should be sent work.
async fn readiness(State(operations): State<Operations>) -> Response {
    let mut found = operations.health.readiness();
    if operations.hub.is_some_and(|hub| !hub.is_ready()) {
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
        true => json_response(StatusCode::OK, report),
        false => json_response(StatusCode::SERVICE_UNAVAILABLE, report),
    }
}

/// `GET /metrics`: the Prometheus text format.
async fn metrics(State(operations): State<Operations>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, kind)], (operations.render_metrics)()).into_response()
}

/// `GET /api/v1/version`.
pub(crate) async fn version<L: Log, B: BarReader, T: TickStore, C: Clock>(
    State(state): State<ApiState<L, B, T, C>>,
    uri: Uri,
) -> Result<Response, Problem> {
    Params::read(&uri, &[])?;
    let version = VersionJson {
        version: state.version.to_owned(),
        log_id: state.log_id.clone(),
        epoch: state.log.epoch(),
        partitions: state.log.partitions(),
    };
    Ok(json_response(StatusCode::OK, &version))
}
