//! The write that Redis refused.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The key of a write that failed, until a write to the same node succeeds.
///
/// The nodes of a Cluster refuse writes for themselves, so a write that succeeds elsewhere says
/// nothing about the node that refused one.
#[derive(Debug, Default)]
pub(super) struct FailedWriteKey(Mutex<Option<String>>);

impl FailedWriteKey {
    /// Returns the key, or `None` if no write has failed.
    pub(super) fn get(&self) -> Option<String> {
        self.lock().clone()
    }

    /// Records a failed write, unless an earlier one is recorded already.
    pub(super) fn record_if_none(&self, key: String) {
        self.lock().get_or_insert(key);
    }

    /// Forgets the failed write of a key, because a write to the node of the key has succeeded.
    pub(super) fn clear(&self, key: &str) {
        self.lock().take_if(|failed| failed == key);
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_write_to_the_node_that_refused_one_clears_it() {
        let failed = FailedWriteKey::default();
        assert_eq!(failed.get(), None);
        failed.record_if_none("a".to_owned());
        // Another node refuses writes too. The first one stays until it takes them.
        failed.record_if_none("b".to_owned());
        failed.clear("b");
        assert_eq!(failed.get().as_deref(), Some("a"));
        failed.clear("a");
        assert_eq!(failed.get(), None);
        failed.record_if_none("b".to_owned());
        assert_eq!(failed.get().as_deref(), Some("b"));
    }
}
