//! What a probe returns.

use serde::Serialize;

/// The health of a process, as a probe returns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HealthReport {
    /// Whether all components are ready.
    pub status: ReadyStatus,
    /// Every component, in the order of registration.
    pub components: Vec<ComponentReport>,
}

/// A component in a [`HealthReport`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComponentReport {
    /// The name that it was registered with.
    pub name: String,
    /// Whether it does its work; in a liveness report, whether it still can.
    pub ready: bool,
    /// Why it is not ready, or what does not work although it is.
    pub reason: Option<String>,
}

/// A [`HealthReport`] in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyStatus {
    /// All components are ready.
    Ready,
    /// A component is not.
    NotReady,
}

impl HealthReport {
    /// Returns the report of these components.
    pub(super) fn from_components(components: Vec<ComponentReport>) -> Self {
        let status = match components.iter().all(|component| component.ready) {
            true => ReadyStatus::Ready,
            false => ReadyStatus::NotReady,
        };
        Self { status, components }
    }

    /// Returns whether the status is [`ReadyStatus::Ready`].
    pub fn is_ready(&self) -> bool {
        self.status == ReadyStatus::Ready
    }
}
