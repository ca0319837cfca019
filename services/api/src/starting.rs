//! What is answered before the process has found its servers.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use crate::{ErrorCode, Operations, Problem};

/// Every endpoint, once there is one.
#[derive(Clone, Default)]
pub struct DeferredRouter {
    router: Arc<OnceLock<Router>>,
}

impl DeferredRouter {
    /// From now on requests are answered by this. The first call decides.
    pub fn serve(&self, router: Router) {
        let _ = self.router.set(router);
    }
}

/// Answers probes and scrapes, and everything by `later` as soon as that can; before, a request
/// for anything else is answered with 503.
///
/// A process listens from its first moment on, so that its probes are answered with reasons while
/// it waits for its servers.
pub fn starting_router(operations: Operations, later: DeferredRouter) -> Router {
    let starting = operations.routes().fallback(not_yet);
    Router::new()
        .fallback(dispatch)
        .with_state((starting, later))
}

async fn dispatch(
    State((starting, later)): State<(Router, DeferredRouter)>,
    request: Request,
) -> Response {
    let router = later.router.get().unwrap_or(&starting).clone();
    let answer = TowerToHyperService::new(router).call(request).await;
    answer.unwrap_or_else(|never| match never {})
}

async fn not_yet() -> Response {
    let detail = "the process waits for its servers; /readyz says for which";
    Problem::new(ErrorCode::Busy, detail).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use host::Health;

    use super::*;

    async fn ask(router: &Router, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let router = TowerToHyperService::new(router.clone());
        let answer = router.call(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 65_536).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn probes_are_answered_from_the_start_and_the_rest_once_it_is_there() {
        let health = Health::default();
        let store = health.register("timescaledb");
        store.not_ready("connection refused");
        let later = DeferredRouter::default();
        let operations = Operations::new(health, Arc::new(|| "metric 1\n".to_owned()));
        let router = starting_router(operations, later.clone());
        assert_eq!(ask(&router, "/healthz").await.0, 200);
        assert_eq!(ask(&router, "/metrics").await.1, "metric 1\n");
        let (status, told) = ask(&router, "/readyz").await;
        assert!(
            status == 503 && told.contains("connection refused"),
            "{told}"
        );
        let (status, told) = ask(&router, "/api/v1/symbols").await;
        assert!(status == 503 && told.contains("/readyz"), "{told}");

        let whole = Router::new().route("/api/v1/symbols", get(|| async { "all" }));
        later.serve(whole);
        assert_eq!(
            ask(&router, "/api/v1/symbols").await,
            (200, "all".to_owned())
        );
    }
}
