//! Whether the process should be sent work, and whether it should be restarted.

mod dependency;
mod registry;
mod report;
#[cfg(test)]
mod tests;

pub use self::dependency::DependencyComponent;
pub use self::registry::{Health, HealthComponent};
pub use self::report::{ComponentReport, HealthReport, ReadyStatus};
