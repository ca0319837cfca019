//! Serving requests before the process has connected to its servers.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use crate::operations::ProbesAndMetrics;
use crate::problem::{ErrorCode, Problem};

/// The router of every endpoint, which is set once the process is ready.
#[derive(Clone, Default)]
pub struct DeferredRouter {
    router: Arc<OnceLock<Router>>,
}

impl DeferredRouter {
    /// Serves all further requests with `router`. Only the first call has an effect.
    pub fn set_router_once(&self, router: Router) {
        let _ = self.router.set(router);
    }
}

/// Returns a router that serves the probes and the metrics until `deferred` is set, and everything
/// through `deferred` afterwards. Until then any other request gets the status 503.
///
/// A process listens from its start, so that its probes give reasons while it waits for its
/// servers.
pub fn starting_router(operations: ProbesAndMetrics, deferred: DeferredRouter) -> Router {
    let starting = operations.routes().fallback(not_started_response);
    Router::new()
        .fallback(dispatch_to_current_router)
        .with_state((starting, deferred))
}

async fn dispatch_to_current_router(
    State((starting, deferred)): State<(Router, DeferredRouter)>,
    request: Request,
) -> Response {
    let router = deferred.router.get().unwrap_or(&starting).clone();
    let response = TowerToHyperService::new(router).call(request).await;
    response.unwrap_or_else(|never| match never {})
}

async fn not_started_response() -> Response {
    let detail = "the process waits for its servers; /readyz says for which";
    Problem::new(ErrorCode::Busy, detail).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use host::Health;

    use super::*;

    async fn get_path(router: &Router, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let router = TowerToHyperService::new(router.clone());
        let response = router.call(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), 65_536).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn probes_are_served_from_the_start_and_the_rest_once_the_router_is_set() {
        let health = Health::default();
        let store = health.register("timescaledb");
        store.not_ready("connection refused");
        let deferred = DeferredRouter::default();
        let operations = ProbesAndMetrics::new(health, Arc::new(|| "metric 1\n".to_owned()));
        let router = starting_router(operations, deferred.clone());
        assert_eq!(get_path(&router, "/healthz").await.0, 200);
        assert_eq!(get_path(&router, "/metrics").await.1, "metric 1\n");
        let (status, body) = get_path(&router, "/readyz").await;
        assert!(
            status == 503 && body.contains("connection refused"),
            "{body}"
        );
        let (status, body) = get_path(&router, "/api/v1/symbols").await;
        assert!(status == 503 && body.contains("/readyz"), "{body}");

        let whole = Router::new().route("/api/v1/symbols", get(|| async { "all" }));
        deferred.set_router_once(whole);
        assert_eq!(
            get_path(&router, "/api/v1/symbols").await,
            (200, "all".to_owned())
        );
    }
}
