//! Since when commits have failed.

use std::sync::{Mutex, MutexGuard};

use crate::LogError;

/// Since when every commit has failed, and why the newest one did.
#[derive(Default)]
pub(super) struct Trouble(Mutex<Option<(i64, String)>>);

impl Trouble {
    /// A commit that began at `now_ns` has failed.
    pub(super) fn go_on(&self, now_ns: i64, error: &LogError) {
        let mut trouble = self.lock();
        let since_ns = trouble.as_ref().map_or(now_ns, |(since_ns, _)| *since_ns);
        *trouble = Some((since_ns, error.to_string()));
    }

    /// A commit has succeeded.
    pub(super) fn end(&self) {
        *self.lock() = None;
    }

    /// Since when, and why.
    pub(super) fn since_ns(&self) -> Option<(i64, String)> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<(i64, String)>> {
        self.0.lock().expect("no holder of the trouble panics")
    }
}
