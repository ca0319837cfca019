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
    Degraded(String),
    NotReady(String),
    Failed(String),
    Withdrawn,
}

impl State {
    const fn reason(&self) -> Option<&String> {
        match self {
            Self::Ready | Self::Withdrawn => None,
            Self::Degraded(reason) | Self::NotReady(reason) | Self::Failed(reason) => Some(reason),
        }
    }
}

/// One component's say in the health of the process. Clones speak for the same component.
#[derive(Clone, Debug)]
pub struct HealthComponent {
    health: Health,
    index: usize,
}

/// What an outage of a dependency means for the process.
#[derive(Clone, Debug)]
pub enum DependencyHealth {
    /// The process cannot do its work without the dependency: the component is not ready.
    Required(HealthComponent),
    /// The process does most of its work: the component is [degraded](HealthComponent::degraded).
    Optional(HealthComponent),
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
    /// Why it is not ready, or what it does not do although it is.
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
        let reports = registry.present().map(|(name, state)| ComponentReport {
            name: name.clone(),
            ready: !matches!(state, State::Failed(_)),
            reason: match state {
                State::Failed(reason) => Some(reason.clone()),
                _ => None,
            },
        });
        HealthReport::of(reports.collect())
    }

    /// Whether the process should be sent work.
    pub fn readiness(&self) -> HealthReport {
        let registry = self.lock();
        let reports = registry.present().map(|(name, state)| ComponentReport {
            name: name.clone(),
            ready: matches!(state, State::Ready | State::Degraded(_)),
            reason: state.reason().cloned(),
        });
        let process = registry.draining.iter().map(|why| ComponentReport {
            name: "process".to_owned(),
            ready: false,
            reason: Some(why.clone()),
        });
        HealthReport::of(reports.chain(process).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DependencyHealth {
    /// Reports an outage with its reason, or that the dependency is well where there is none.
    pub fn report(&self, outage: Option<&str>) {
        match (self, outage) {
            (Self::Required(component) | Self::Optional(component), None) => component.ready(),
            (Self::Required(component), Some(reason)) => component.not_ready(reason),
            (Self::Optional(component), Some(reason)) => component.degraded(reason),
        }
    }
}

impl Registry {
    /// The components that were not withdrawn.
    fn present(&self) -> impl Iterator<Item = &(String, State)> {
        let components = self.components.iter();
        components.filter(|(_, state)| *state != State::Withdrawn)
    }
}

impl HealthComponent {
    /// The component does its work.
    pub fn ready(&self) {
        self.set(State::Ready);
    }

    /// The component does most of its work: the process stays ready, and says what is worse.
    pub fn degraded(&self, reason: impl Into<String>) {
        self.set(State::Degraded(reason.into()));
    }

    /// The component is no part of the process any more, until it says something again.
    pub fn withdraw(&self) {
        self.set(State::Withdrawn);
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
            State::Withdrawn => tracing::info!(component = %name, "withdrawn"),
            State::Degraded(reason) => tracing::warn!(component = %name, %reason, "degraded"),
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

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn an_optional_dependency_leaves_the_process_ready_and_says_why_it_is_worse() {
        let health = Health::default();
        let reason = || health.readiness().components[0].reason.clone();
        let component = health.register("redis");
        let optional = DependencyHealth::Optional(component.clone());
        optional.report(Some("1 failure: refused"));
        assert!(health.readiness().is_ready());
        assert_eq!(reason().as_deref(), Some("1 failure: refused"));
        let required = DependencyHealth::Required(component);
        required.report(Some("1 failure: refused"));
        assert!(!health.readiness().is_ready());
        required.report(None);
        assert!(health.readiness().is_ready());
        assert_eq!(reason(), None);
    }

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
    fn a_degraded_component_leaves_the_process_ready_and_a_withdrawn_one_is_not_listed() {
        let health = Health::default();
        let (cache, worker) = (health.register("cache"), health.register("worker-3"));
        cache.degraded("no answer");
        worker.not_ready("folding");
        assert!(!health.readiness().is_ready());
        worker.withdraw();
        let expected = json!({"status": "ready", "components": [
            {"name": "cache", "ready": true, "reason": "no answer"},
        ]});
        assert_eq!(to_value(health.readiness()).unwrap(), expected);
        assert_eq!(health.liveness().components[0].reason, None);
        health.register("worker-3").ready();
        assert_eq!(health.readiness().components.len(), 2);
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
