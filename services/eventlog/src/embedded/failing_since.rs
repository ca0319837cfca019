//! Since when commits have failed.

use std::sync::{Mutex, MutexGuard};

use crate::error::LogError;

/// Since when every commit has failed, and the error of the newest one.
#[derive(Default)]
pub(super) struct FailingSince(Mutex<Option<(i64, String)>>);

impl FailingSince {
    /// Records that a commit that began at `now_ns` has failed.
    pub(super) fn record_failure(&self, now_ns: i64, error: &LogError) {
        let mut failing = self.lock();
        let since_ns = failing.as_ref().map_or(now_ns, |(since_ns, _)| *since_ns);
        *failing = Some((since_ns, error.to_string()));
    }

    /// Records that a commit has succeeded.
    pub(super) fn record_success(&self) {
        *self.lock() = None;
    }

    /// Returns when the first of the failed commits in a row began, in UTC nanoseconds, and the
    /// error of the newest one.
    pub(super) fn get(&self) -> Option<(i64, String)> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<(i64, String)>> {
        self.0.lock().expect("no holder of the lock panics")
    }
}
