//! The order in which chunks are sent where it matters.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::thread_timer::ThreadTimer;

/// Makes a chunk wait until all chunks before it were acknowledged.
///
/// Where the log alone orders trades of equal event time, the requests of a symbol must be appended
/// in the order of the tapes. Chunks of other venues need no order and do not wait.
pub(crate) struct ChunkOrder {
    /// The acknowledged chunks after `first_unfinished`.
    finished: Mutex<BTreeSet<u64>>,
    /// The number of the first chunk that was not acknowledged.
    first_unfinished: watch::Sender<u64>,
}

impl ChunkOrder {
    /// Returns the order of the chunks of one run, which are numbered from 0.
    pub(crate) fn new() -> Self {
        Self {
            finished: Mutex::default(),
            first_unfinished: watch::Sender::new(0),
        }
    }

    /// Waits until every chunk before `sequence` was acknowledged. Returns `false` if `stop` is
    /// cancelled first: the chunk must then not be sent.
    #[must_use]
    pub(crate) fn wait_for_turn(
        &self,
        sequence: u64,
        timer: &ThreadTimer,
        stop: &CancellationToken,
    ) -> bool {
        let mut first_unfinished = self.first_unfinished.subscribe();
        let turn = first_unfinished.wait_for(|first| *first >= sequence);
        // The sender lives as long as `self`, so waiting does not fail.
        timer.block_on(turn, stop).is_some()
    }

    /// Records that a chunk was acknowledged.
    pub(crate) fn record_acknowledged(&self, sequence: u64) {
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        finished.insert(sequence);
        self.first_unfinished.send_modify(|first| {
            while finished.remove(first) {
                *first += 1;
            }
        });
    }
}
