//! Whether the process should be sent work, and whether it should be killed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// The health of a process: that of its components. Clones share one registry.
///
/// The process is ready when every component is, and not shutting down. It is live unless a component
/// has [failed](HealthComponent::failed) beyond what waiting can mend.
#[derive(Clone, Debug, Default)]
pub struct Health {
    registry: Arc<Mutex<Registry>>,
}

#[derive(Debug, Default)]
struct Registry {
    components: Vec<(String, State)>,
    draining: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Ready,
    NotReady(String),
    Failed(String),
}

/// One component's say in the health of the process. Clones speak for the same component.
#[derive(Clone, Debug)]
pub struct HealthComponent {
    health: Health,
    index: usize,
}

/// What a probe is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HealthReport {
    /// Whether all components are ready.
    pub status: HealthStatus,
    /// Every component, in the order of registration.
    pub components: Vec<ComponentReport>,
}

/// A component in a [`HealthReport`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComponentReport {
    /// The name it registered with.
    pub name: String,
    /// Whether it does its work; in a liveness report, whether it still can.
    pub ready: bool,
    /// Why it is not ready.
    pub reason: Option<String>,
}

/// A [`HealthReport`] in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All components are ready.
    Ready,
    /// A component is not.
    NotReady,
}

impl Health {
    /// Adds a component, which is not ready until it says so; a name registered before is taken over.
    pub fn register(&self, name: &str) -> HealthComponent {
        let starting = State::NotReady("starting".to_owned());
        let mut registry = self.lock();
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

    /// Makes the process not ready for good, whatever its components say: it is shutting down.
    pub fn drain(&self, reason: &str) {
        self.lock().draining = Some(reason.to_owned());
    }

    /// Whether the process should go on running.
    pub fn liveness(&self) -> HealthReport {
        let registry = self.lock();
        let reports = registry.components.iter().map(|(name, state)| match state {
            State::Ready | State::NotReady(_) => ComponentReport::new(name, None),
            State::Failed(reason) => ComponentReport::new(name, Some(reason)),
        });
        HealthReport::of(reports.collect())
    }

    /// Whether the process should be sent work.
    pub fn readiness(&self) -> HealthReport {
        let registry = self.lock();
        let reports = registry.components.iter().map(|(name, state)| match state {
            State::Ready => ComponentReport::new(name, None),
            State::NotReady(reason) | State::Failed(reason) => {
                ComponentReport::new(name, Some(reason))
            }
        });
        let process = registry
            .draining
            .iter()
            .map(|why| ComponentReport::new("process", Some(why)));
        HealthReport::of(reports.chain(process).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HealthComponent {
    /// The component does its work.
    pub fn ready(&self) {
        self.set(State::Ready);
    }

    /// The component cannot do its work for now.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(State::NotReady(reason.into()));
    }

    /// The component cannot do its work until the process is started anew.
    pub fn failed(&self, reason: impl Into<String>) {
        self.set(State::Failed(reason.into()));
    }

    fn set(&self, state: State) {
        let mut registry = self.health.lock();
        let (name, current) = &mut registry.components[self.index];
        if *current == state {
            return;
        }
        match &state {
            State::Ready => tracing::info!(component = %name, "ready"),
            State::NotReady(reason) => tracing::warn!(component = %name, %reason, "not ready"),
            State::Failed(reason) => tracing::error!(component = %name, %reason, "failed"),
        }
        *current = state;
    }
}

impl HealthReport {
    fn of(components: Vec<ComponentReport>) -> Self {
        let status = match components.iter().all(|component| component.ready) {
            true => HealthStatus::Ready,
            false => HealthStatus::NotReady,
        };
        Self { status, components }
    }

    /// Whether the status is [`HealthStatus::Ready`].
    pub fn is_ready(&self) -> bool {
        self.status == HealthStatus::Ready
    }
}

impl ComponentReport {
    fn new(name: &str, reason: Option<&String>) -> Self {
        Self {
            name: name.to_owned(),
            ready: reason.is_none(),
            reason: reason.cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn a_component_is_not_ready_until_it_says_so() {
        let health = Health::default();
        assert!(health.readiness().is_ready());
        let (store, feed) = (health.register("store"), health.register("feed"));
        store.ready();
        let expected = json!({"status": "not_ready", "components": [
            {"name": "store", "ready": true, "reason": null},
            {"name": "feed", "ready": false, "reason": "starting"},
        ]});
        assert_eq!(to_value(health.readiness()).unwrap(), expected);
        feed.ready();
        assert_eq!(to_value(health.readiness()).unwrap()["status"], "ready");
        feed.not_ready("lag is 90 s");
        assert_eq!(
            health.readiness().components[1].reason.as_deref(),
            Some("lag is 90 s")
        );
        assert!(health.liveness().is_ready());
    }

    #[test]
    fn only_a_failed_component_ends_liveness() {
        let health = Health::default();
        health.register("store").failed("the file is corrupt");
        assert!(!health.liveness().is_ready());
        assert!(!health.readiness().is_ready());
        health.register("store").ready();
        assert!(health.liveness().is_ready());
        assert_eq!(health.liveness().components.len(), 1);
    }

    #[test]
    fn a_draining_process_stays_not_ready_and_live() {
        let health = Health::default();
        health.drain("shutting down");
        health.register("store").ready();
        let report = health.readiness();
        assert!(!report.is_ready() && health.liveness().is_ready());
        assert_eq!(
            report.components[1].reason.as_deref(),
            Some("shutting down")
        );
    }
}
