//! The seed's choices.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

/// A shared stream of choices: SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>).
#[derive(Clone)]
pub struct Random(Arc<Mutex<u64>>);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d,
        )))
    }

    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound.
    pub fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Whether something that happens once in so many times happens now.
    pub fn one_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn choose<'a, T>(&self, list: &'a [T]) -> &'a T {
        &list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }

    /// Waits for up to so many turns: a crash may happen at each.
    pub async fn pause(&self, turns: u64) {
        for _ in 0..self.below(turns + 1) {
            turn().await;
        }
    }
}

/// Waits for one turn.
pub async fn turn() {
    let mut waited = false;
    poll_fn(|_| {
        if std::mem::replace(&mut waited, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
