//! The component of a dependency in the health of the process.

use super::registry::HealthComponent;

/// The component of a dependency, and what an outage of the dependency means for the process.
#[derive(Clone, Debug)]
pub enum DependencyComponent {
    /// The process cannot do its work without the dependency: the component is not ready.
    Required(HealthComponent),
    /// The process can do most of its work: the component is
    /// [degraded](HealthComponent::degraded).
    Optional(HealthComponent),
}

impl DependencyComponent {
    /// Reports an outage with its reason, or with `None` that there is none.
    pub fn report(&self, outage: Option<&str>) {
        match (self, outage) {
            (Self::Required(component) | Self::Optional(component), None) => component.ready(),
            (Self::Required(component), Some(reason)) => component.not_ready(reason),
            (Self::Optional(component), Some(reason)) => component.degraded(reason),
        }
    }
}
