//! The trades that were posted and are in no bar yet.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use super::plan::SYMBOLS;

/// The trades of each symbol that no bar has contained yet.
#[derive(Clone)]
pub(super) struct PendingTrades(Arc<Mutex<Vec<VecDeque<PendingTrade>>>>);

#[derive(Clone)]
pub(super) struct PendingTrade {
    pub(super) id: u64,
    /// When the trade was posted, by the monotonic clock.
    pub(super) posted_ns: u64,
}

impl PendingTrades {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(vec![VecDeque::new(); SYMBOLS])))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<VecDeque<PendingTrade>>> {
        self.0.lock().expect("no holder of the lock panics")
    }
}
