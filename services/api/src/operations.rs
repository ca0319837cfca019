//! Probes, metrics and the version.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use backend::Backend;
use eventlog::Log;
use host::{ComponentReport, Health, HealthReport, ReadyStatus};
use schemas::api::VersionJson;

use crate::hub::Hub;
use crate::json_response::json_response;
use crate::params::QueryParams;
use crate::problem::Problem;
use crate::state::ApiState;

/// The probes and metrics of a process of any role.
#[derive(Clone)]
pub struct ProbesAndMetrics {
    health: Health,
    render_metrics: Arc<dyn Fn() -> String + Send + Sync>,
    hub: Option<Hub>,
}

impl ProbesAndMetrics {
    /// Returns the probes of a process with this health. `render_metrics` returns the process's
    /// metrics in the Prometheus text format.
    #[must_use]
    pub fn new(health: Health, render_metrics: Arc<dyn Fn() -> String + Send + Sync>) -> Self {
        Self {
            health,
            render_metrics,
            hub: None,
        }
    }

    /// Makes the process ready only once the hub knows the forming bars.
    pub(crate) fn with_hub(mut self, hub: Hub) -> Self {
        self.hub = Some(hub);
        self
    }

    /// Returns the routes `/healthz`, `/readyz` and `/metrics`.
    pub(crate) fn routes<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        Router::new()
            .route("/healthz", get(get_liveness))
            .route("/readyz", get(get_readiness))
            .route("/metrics", get(get_metrics))
            .with_state(self)
    }
}

/// `GET /healthz`: whether the process should keep running.
async fn get_liveness(State(operations): State<ProbesAndMetrics>) -> Response {
    health_response(&operations.health.liveness())
}

/// `GET /readyz`: whether the process should receive requests.
async fn get_readiness(State(operations): State<ProbesAndMetrics>) -> Response {
    let mut readiness = operations.health.readiness();
    if operations.hub.is_some_and(|hub| !hub.is_ready()) {
        readiness.status = ReadyStatus::NotReady;
        readiness.components.push(ComponentReport {
            name: "hub".to_owned(),
            ready: false,
            reason: Some("the forming bars are not known yet".to_owned()),
        });
    }
    health_response(&readiness)
}

fn health_response(report: &HealthReport) -> Response {
    match report.is_ready() {
        true => json_response(StatusCode::OK, report),
        false => json_response(StatusCode::SERVICE_UNAVAILABLE, report),
    }
}

/// `GET /metrics`: the Prometheus text format.
async fn get_metrics(State(operations): State<ProbesAndMetrics>) -> Response {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    (
        [(CONTENT_TYPE, content_type)],
        (operations.render_metrics)(),
    )
        .into_response()
}

/// `GET /api/v1/version`.
pub(crate) async fn get_version<B: Backend>(
    State(state): State<ApiState<B>>,
    uri: Uri,
) -> Result<Response, Problem> {
    QueryParams::read(&uri, &[])?;
    let version = VersionJson {
        version: state.version.to_owned(),
        log_id: state.log_id.clone(),
        epoch: state.log.epoch(),
        partitions: state.log.partition_count(),
    };
    Ok(json_response(StatusCode::OK, &version))
}
