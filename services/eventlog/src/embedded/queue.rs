//! The appends that wait for the committer.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::{LogError, Metrics, NewRecord, Offset, PartitionId};

/// One commit takes at most about this much, so that nobody waits long for a sync.
const MAX_COMMIT_BYTES: usize = 16 * 1024 * 1024;

/// What an entry costs in memory beside its key and value, roughly.
const ENTRY_OVERHEAD_BYTES: usize = 64;

/// How often, and how long each time, the committer looks whether more appends are coming.
const GATHER_ROUNDS: usize = 4;
const GATHER_ROUND: Duration = Duration::from_micros(50);

/// An append that waits to be durable.
pub(super) struct Append {
    /// Where to.
    pub(super) partition: PartitionId,
    /// What; never empty.
    pub(super) entries: Vec<NewRecord>,
    /// The bytes of its keys and values.
    pub(super) size_bytes: usize,
    /// Takes the offset of its first record.
    pub(super) answer: oneshot::Sender<Result<Offset, LogError>>,
}

impl Append {
    fn cost_bytes(&self) -> usize {
        self.size_bytes + self.entries.len() * ENTRY_OVERHEAD_BYTES
    }
}

/// What the committer is to do next.
pub(super) struct Work {
    /// Appends, oldest first.
    pub(super) appends: Vec<Append>,
    /// Consumers have passed more records.
    pub(super) passed: bool,
    /// Nothing more comes after this.
    pub(super) closed: bool,
    /// What to hand back by [`Queue::finish`].
    pub(super) cost_bytes: usize,
}

/// A queue bounded by bytes, not by appends.
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    max_pending_bytes: usize,
    metrics: Metrics,
}

#[derive(Default)]
struct State {
    appends: VecDeque<Append>,
    pending_bytes: usize,
    passed: bool,
    closed: bool,
}

impl Queue {
    /// An empty queue.
    pub(super) fn new(max_pending_bytes: usize, metrics: Metrics) -> Self {
        Self {
            state: Mutex::default(),
            arrived: Condvar::new(),
            max_pending_bytes,
            metrics,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the queue panics")
    }

    /// Hands over an append, if there is room.
    pub(super) fn push(&self, append: Append) -> Result<(), LogError> {
        let cost_bytes = append.cost_bytes();
        let mut state = self.state();
        if state.closed {
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
        self.metrics.set_pending(pending_bytes);
        if is_first {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Says that consumers have passed more records.
    pub(super) fn passed(&self) {
        self.state().passed = true;
        self.arrived.notify_one();
    }

    /// Takes no more appends. Those already taken are still committed.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_one();
    }

    /// Waits for something to do.
    ///
    /// `crowd` is how many appends the last commit had. Their senders, just answered, are
    /// likely to come back at once, so a smaller crowd is given a moment to gather: else every
    /// other commit would hold only the quickest one's.
    pub(super) fn take(&self, crowd: usize) -> Work {
        let mut state = self
            .arrived
            .wait_while(self.state(), |state| {
                state.appends.is_empty() && !state.passed && !state.closed
            })
            .expect("no holder of the queue panics");
        for _ in 0..GATHER_ROUNDS {
            let gathered = state.appends.len();
            if gathered == 0 || gathered >= crowd || state.closed {
                break;
            }
            drop(state);
            std::thread::sleep(GATHER_ROUND);
            state = self.state();
            if state.appends.len() == gathered {
                break;
            }
        }
        state.work()
    }

    /// Makes the room of finished work free.
    pub(super) fn finish(&self, cost_bytes: usize) {
        let mut state = self.state();
        state.pending_bytes = state.pending_bytes.saturating_sub(cost_bytes);
        let pending_bytes = state.pending_bytes;
        drop(state);
        self.metrics.set_pending(pending_bytes);
    }
}

impl State {
    fn work(&mut self) -> Work {
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
        Work {
            appends,
            passed: std::mem::take(&mut self.passed),
            closed: self.closed && self.appends.is_empty(),
            cost_bytes,
        }
    }
}
