//! Damage of the stores that requests find, in the health of the process.

use std::sync::OnceLock;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use backend::Backend;
use host::{Health, HealthComponent};
use store::StoreError;

use crate::state::ApiState;

/// The component of the process's health that names the damage.
const COMPONENT: &str = "stored-data";

/// In the extensions of a response: what is stored could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreDamage(pub(crate) String);

impl StoreDamage {
    /// Returns the damage that an error means; `None` if it means none.
    pub(crate) fn from_error(error: &StoreError) -> Option<Self> {
        match error {
            StoreError::Corrupt { .. } => Some(Self(error.to_string())),
            _ => None,
        }
    }
}

/// Reports the damage that requests find.
///
/// The process stays ready: what is damaged is a page or a row, and the other requests are served.
/// The reason stays until the process ends, because the next request may read something else.
pub(crate) struct StoreDamageReporter {
    health: Health,
    /// Registered with the first damage.
    component: OnceLock<HealthComponent>,
}

impl StoreDamageReporter {
    pub(crate) const fn new(health: Health) -> Self {
        Self {
            health,
            component: OnceLock::new(),
        }
    }

    /// Reports damage with the store's words, which name it.
    pub(crate) fn report(&self, damage: &StoreDamage) {
        let component = self
            .component
            .get_or_init(|| self.health.register(COMPONENT));
        component.degraded(format!(
            "requests fail: {}; docs/operations.md says what to do",
            damage.0
        ));
    }
}

/// Reports the damage that a request has found.
pub(crate) async fn report_store_damage<B: Backend>(
    State(state): State<ApiState<B>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    if let Some(damage) = response.extensions().get::<StoreDamage>() {
        state.store_damage().report(damage);
    }
    response
}
