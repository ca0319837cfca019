//! The appends that wait for the committer.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::LogError;
use crate::metrics::TopicMetrics;
use crate::record::{NewRecord, Offset, PartitionId};

/// How many bytes of keys and values one commit writes at most, roughly, so that no append waits
/// long for a sync.
const MAX_COMMIT_BYTES: usize = 16 * 1024 * 1024;

/// What a record takes up in memory in addition to its key and value, roughly.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// How many times the committer checks at most whether more appends have come.
const GATHER_ROUNDS: usize = 4;
/// How long the committer waits before each of these checks.
const GATHER_ROUND: Duration = Duration::from_micros(50);

/// An append that waits to be durable.
pub(super) struct QueuedAppend {
    /// The partition that gets the records.
    pub(super) partition: PartitionId,
    /// The records, at least one.
    pub(super) records: Vec<NewRecord>,
    /// The bytes of the keys and values.
    pub(super) size_bytes: usize,
    /// Receives the offset of the first record.
    pub(super) reply: oneshot::Sender<Result<Offset, LogError>>,
}

impl QueuedAppend {
    /// Returns how many bytes of the queue's bound this append takes up.
    fn cost_bytes(&self) -> usize {
        self.size_bytes + self.records.len() * RECORD_OVERHEAD_BYTES
    }
}

/// What the committer does next.
pub(super) struct CommitterWork {
    /// The appends to commit, oldest first.
    pub(super) appends: Vec<QueuedAppend>,
    /// Whether retention may be able to drop more records.
    pub(super) sweep_requested: bool,
    /// Whether the queue is closed and no work comes after this.
    pub(super) is_last: bool,
    /// What to pass to [`AppendQueue::free_pending_bytes`] once the appends are done.
    pub(super) cost_bytes: usize,
}

/// A queue that is bounded by bytes, not by the number of appends.
pub(super) struct AppendQueue {
    state: Mutex<QueueState>,
    has_work: Condvar,
    max_pending_bytes: usize,
    metrics: TopicMetrics,
}

#[derive(Default)]
struct QueueState {
    appends: VecDeque<QueuedAppend>,
    pending_bytes: usize,
    sweep_requested: bool,
    is_closed: bool,
}

impl AppendQueue {
    /// Returns an empty queue.
    pub(super) fn new(max_pending_bytes: usize, metrics: TopicMetrics) -> Self {
        Self {
            state: Mutex::default(),
            has_work: Condvar::new(),
            max_pending_bytes,
            metrics,
        }
    }

    fn lock_state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().expect("no holder of the queue panics")
    }

    /// Adds an append if it fits within the bound, or if the queue is empty.
    pub(super) fn push(&self, append: QueuedAppend) -> Result<(), LogError> {
        let cost_bytes = append.cost_bytes();
        let mut state = self.lock_state();
        if state.is_closed {
            return Err(LogError::Closed);
        }
        let pending_bytes = state.pending_bytes.saturating_add(cost_bytes);
        if state.pending_bytes > 0 && pending_bytes > self.max_pending_bytes {
            return Err(LogError::Busy {
                pending_bytes: state.pending_bytes,
            });
        }
        state.pending_bytes = pending_bytes;
        state.appends.push_back(append);
        let is_first = state.appends.len() == 1;
        drop(state);
        self.metrics.set_pending_bytes(pending_bytes);
        if is_first {
            self.has_work.notify_one();
        }
        Ok(())
    }

    /// Wakes the committer so that it drops what retention allows.
    pub(super) fn request_retention_sweep(&self) {
        self.lock_state().sweep_requested = true;
        self.has_work.notify_one();
    }

    /// Refuses further appends. Those that are queued are still committed.
    pub(super) fn close(&self) {
        self.lock_state().is_closed = true;
        self.has_work.notify_one();
    }

    /// Waits for work and takes it out of the queue.
    ///
    /// `last_commit_append_count` is how many appends the last commit had. Their senders have just
    /// got their replies and are likely to append again at once. So if fewer appends are queued,
    /// this waits a moment for more; otherwise every other commit would hold only the append of the
    /// quickest sender.
    pub(super) fn wait_and_take_work(&self, last_commit_append_count: usize) -> CommitterWork {
        let mut state = self
            .has_work
            .wait_while(self.lock_state(), |state| {
                state.appends.is_empty() && !state.sweep_requested && !state.is_closed
            })
            .expect("no holder of the queue panics");
        for _ in 0..GATHER_ROUNDS {
            let gathered = state.appends.len();
            if gathered == 0 || gathered >= last_commit_append_count || state.is_closed {
                break;
            }
            drop(state);
            std::thread::sleep(GATHER_ROUND);
            state = self.lock_state();
            if state.appends.len() == gathered {
                break;
            }
        }
        state.take_work_for_one_commit()
    }

    /// Frees the space of appends that are done.
    pub(super) fn free_pending_bytes(&self, cost_bytes: usize) {
        let mut state = self.lock_state();
        state.pending_bytes = state.pending_bytes.saturating_sub(cost_bytes);
        let pending_bytes = state.pending_bytes;
        drop(state);
        self.metrics.set_pending_bytes(pending_bytes);
    }
}

impl QueueState {
    /// Removes and returns the oldest appends, as many as one commit writes.
    fn take_work_for_one_commit(&mut self) -> CommitterWork {
        let mut count = 0;
        let (mut size_bytes, mut cost_bytes) = (0, 0);
        for append in &self.appends {
            if count > 0 && size_bytes + append.size_bytes > MAX_COMMIT_BYTES {
                break;
            }
            count += 1;
            size_bytes += append.size_bytes;
            cost_bytes += append.cost_bytes();
        }
        let appends: Vec<_> = self.appends.drain(..count).collect();
        CommitterWork {
            appends,
            sweep_requested: std::mem::take(&mut self.sweep_requested),
            is_last: self.is_closed && self.appends.is_empty(),
            cost_bytes,
        }
    }
}
