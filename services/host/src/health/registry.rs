//! The components of a process and their states.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::report::{ComponentReport, HealthReport};

/// The health of a process: that of its components. Clones share one registry.
///
/// The process is ready when every component is, and not shutting down. It is live unless a
/// component has [failed](HealthComponent::failed) in a way that waiting cannot mend.
#[derive(Clone, Debug, Default)]
pub struct Health {
    registry: Arc<Mutex<HealthRegistry>>,
}

/// One component of the health of a process. Clones report for the same component.
#[derive(Clone, Debug)]
pub struct HealthComponent {
    health: Health,
    index: usize,
}

#[derive(Debug, Default)]
struct HealthRegistry {
    components: Vec<(String, ComponentState)>,
    /// Why the process is shutting down, if it is.
    drain_reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ComponentState {
    Ready,
    Degraded(String),
    NotReady(String),
    Failed(String),
    Withdrawn,
}

impl Health {
    /// Registers a component, which is not ready until it reports so. If the name is registered
    /// already, the new component replaces that one.
    pub fn register(&self, name: &str) -> HealthComponent {
        let starting = ComponentState::NotReady("starting".to_owned());
        let mut registry = self.lock_registry();
        let known = registry
            .components
            .iter()
            .position(|(other, _)| other == name);
        let index = known.unwrap_or(registry.components.len());
        match registry.components.get_mut(index) {
            Some((_, state)) => *state = starting,
            None => registry.components.push((name.to_owned(), starting)),
        }
        HealthComponent {
            health: self.clone(),
            index,
        }
    }

    /// Makes the process permanently not ready, because it is shutting down. The states that its
    /// components report no longer matter.
    pub fn start_draining(&self, reason: &str) {
        self.lock_registry().drain_reason = Some(reason.to_owned());
    }

    /// Reports whether the process should keep running.
    pub fn liveness(&self) -> HealthReport {
        let registry = self.lock_registry();
        let reports = registry.components_not_withdrawn();
        let reports = reports.map(|(name, state)| ComponentReport {
            name: name.clone(),
            ready: !matches!(state, ComponentState::Failed(_)),
            reason: match state {
                ComponentState::Failed(reason) => Some(reason.clone()),
                _ => None,
            },
        });
        HealthReport::from_components(reports.collect())
    }

    /// Reports whether the process should be sent work.
    pub fn readiness(&self) -> HealthReport {
        let registry = self.lock_registry();
        let reports = registry.components_not_withdrawn();
        let reports = reports.map(|(name, state)| ComponentReport {
            name: name.clone(),
            ready: matches!(state, ComponentState::Ready | ComponentState::Degraded(_)),
            reason: state.reason().cloned(),
        });
        let process = registry.drain_reason.iter().map(|reason| ComponentReport {
            name: "process".to_owned(),
            ready: false,
            reason: Some(reason.clone()),
        });
        HealthReport::from_components(reports.chain(process).collect())
    }

    fn lock_registry(&self) -> MutexGuard<'_, HealthRegistry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HealthComponent {
    /// Reports that the component does its work.
    pub fn ready(&self) {
        self.set_state(ComponentState::Ready);
    }

    /// Reports that the component does most of its work. The process stays ready, and probes
    /// return the reason.
    pub fn degraded(&self, reason: impl Into<String>) {
        self.set_state(ComponentState::Degraded(reason.into()));
    }

    /// Removes the component from the reports until it reports another state.
    pub fn withdraw(&self) {
        self.set_state(ComponentState::Withdrawn);
    }

    /// Reports that the component cannot do its work for now.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set_state(ComponentState::NotReady(reason.into()));
    }

    /// Reports that the component cannot do its work until the process is restarted.
    pub fn failed(&self, reason: impl Into<String>) {
        self.set_state(ComponentState::Failed(reason.into()));
    }

    fn set_state(&self, state: ComponentState) {
        let mut registry = self.health.lock_registry();
        let (name, current) = &mut registry.components[self.index];
        if *current == state {
            return;
        }
        match &state {
            ComponentState::Ready => tracing::info!(component = %name, "ready"),
            ComponentState::Withdrawn => tracing::info!(component = %name, "withdrawn"),
            ComponentState::Degraded(reason) => {
                tracing::warn!(component = %name, %reason, "degraded");
            }
            ComponentState::NotReady(reason) => {
                tracing::warn!(component = %name, %reason, "not ready");
            }
            ComponentState::Failed(reason) => {
                tracing::error!(component = %name, %reason, "failed");
            }
        }
        *current = state;
    }
}

impl HealthRegistry {
    /// Returns the components that are not withdrawn.
    fn components_not_withdrawn(&self) -> impl Iterator<Item = &(String, ComponentState)> {
        let components = self.components.iter();
        components.filter(|(_, state)| *state != ComponentState::Withdrawn)
    }
}

impl ComponentState {
    const fn reason(&self) -> Option<&String> {
        match self {
            Self::Ready | Self::Withdrawn => None,
            Self::Degraded(reason) | Self::NotReady(reason) | Self::Failed(reason) => Some(reason),
        }
    }
}
