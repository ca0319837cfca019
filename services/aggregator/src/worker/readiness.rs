//! Whether a session is ready to serve.

use host::HealthComponent;

/// Whether a session is ready to serve: it is once it has folded and announced every record that
/// the log held when it began.
pub(super) struct SessionReadiness {
    health: HealthComponent,
    /// The end of the log when the session began.
    ready_from: u64,
    has_caught_up: bool,
}

impl SessionReadiness {
    pub(super) const fn new(health: HealthComponent, ready_from: u64) -> Self {
        Self {
            health,
            ready_from,
            has_caught_up: false,
        }
    }

    /// Reports the worker as ready when it first has folded the records before `ready_from`
    /// and announced them all. `is_folded_to` says whether every record before an offset is folded.
    pub(super) fn report_ready_if_caught_up(
        &mut self,
        is_folded_to: impl FnOnce(u64) -> bool,
        may_have_announcements: bool,
    ) {
        if !self.has_caught_up && !may_have_announcements && is_folded_to(self.ready_from) {
            self.has_caught_up = true;
            self.health.ready();
        }
    }

    /// Reports the worker as ready again after a dependency has recovered, if it has caught up.
    pub(super) fn report_recovery(&self) {
        if self.has_caught_up {
            self.health.ready();
        }
    }

    pub(super) const fn has_caught_up(&self) -> bool {
        self.has_caught_up
    }
}
