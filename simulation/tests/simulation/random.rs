//! Choices that the seed determines.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use fastrand::Rng;

/// A seeded stream of choices. Clones share the stream.
#[derive(Clone)]
pub struct Random(Arc<Mutex<Rng>>);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Rng::with_seed(seed))))
    }

    pub fn next_u64(&self) -> u64 {
        self.0.lock().unwrap().u64(..)
    }

    /// Returns a number of `[0, end)`.
    pub fn below(&self, end: u64) -> u64 {
        self.0.lock().unwrap().u64(..end)
    }

    /// Returns true once in `times` calls on average.
    pub fn one_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Returns an index into a list of `length` elements.
    pub fn index(&self, length: usize) -> usize {
        self.0.lock().unwrap().usize(..length)
    }

    pub fn choose<'a, T>(&self, list: &'a [T]) -> &'a T {
        &list[self.index(list.len())]
    }

    /// Waits for at most `turns` turns. A crash may happen at each of them.
    pub async fn pause(&self, turns: u64) {
        for _ in 0..self.below(turns + 1) {
            next_turn().await;
        }
    }
}

/// Waits until the task is polled again.
pub async fn next_turn() {
    let mut has_waited = false;
    poll_fn(|_| {
        if std::mem::replace(&mut has_waited, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
