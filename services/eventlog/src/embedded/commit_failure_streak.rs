//! Since when commits have failed.

use std::sync::{Mutex, MutexGuard};

use crate::error::LogError;

/// The commits of a log that have failed in a row, up to the newest commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OngoingCommitFailure {
    /// When the first of these commits began, in UTC nanoseconds by the clock of the log.
    pub since_ns: i64,
    /// The error of the newest commit.
    pub last_error: String,
}

/// Records whether commits fail; `None` if the newest commit succeeded.
#[derive(Default)]
pub(super) struct CommitFailureStreak(Mutex<Option<OngoingCommitFailure>>);

impl CommitFailureStreak {
    /// Records that a commit that began at `began_ns` has failed.
    pub(super) fn record_failure(&self, began_ns: i64, error: &LogError) {
        let mut failure = self.lock();
        let since_ns = failure
            .as_ref()
            .map_or(began_ns, |failure| failure.since_ns);
        *failure = Some(OngoingCommitFailure {
            since_ns,
            last_error: error.to_string(),
        });
    }

    /// Records that a commit has succeeded.
    pub(super) fn record_success(&self) {
        *self.lock() = None;
    }

    /// Returns the commits that have failed in a row, or `None` if the newest commit succeeded.
    pub(super) fn current(&self) -> Option<OngoingCommitFailure> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<OngoingCommitFailure>> {
        self.0.lock().expect("no holder of the lock panics")
    }
}
