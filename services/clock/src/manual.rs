//! A clock for tests.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::time::Clock;

/// A clock for tests: it stands still until the test moves it, and its sleeps never complete.
///
/// Clones are the same clock.
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    times: Arc<ManualClockReadings>,
}

/// The times that the clones of a manual clock share.
#[derive(Debug, Default)]
struct ManualClockReadings {
    now_ns: AtomicI64,
    monotonic_ns: AtomicU64,
    step_ns: i64,
}

impl ManualClock {
    /// Returns a clock whose wall clock reads `now_ns`, and whose monotonic clock reads zero.
    pub fn new(now_ns: i64) -> Self {
        Self::with_step(now_ns, 0)
    }

    /// Returns a clock whose wall clock reads `now_ns` at first and moves on by `step_ns` with each
    /// reading.
    pub fn with_step(now_ns: i64, step_ns: i64) -> Self {
        Self {
            times: Arc::new(ManualClockReadings {
                now_ns: AtomicI64::new(now_ns),
                monotonic_ns: AtomicU64::new(0),
                step_ns,
            }),
        }
    }

    /// Sets the wall clock alone, in either direction.
    pub fn set_now_ns(&self, now_ns: i64) {
        self.times.now_ns.store(now_ns, Ordering::SeqCst);
    }

    /// Moves the wall clock by `by_ns`, and the monotonic clock too unless `by_ns` is negative.
    pub fn advance_ns(&self, by_ns: i64) {
        self.times.now_ns.fetch_add(by_ns, Ordering::SeqCst);
        let forward_ns = u64::try_from(by_ns).unwrap_or(0);
        self.times
            .monotonic_ns
            .fetch_add(forward_ns, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> i64 {
        let times = &self.times;
        times.now_ns.fetch_add(times.step_ns, Ordering::SeqCst)
    }

    fn monotonic_ns(&self) -> u64 {
        self.times.monotonic_ns.load(Ordering::SeqCst)
    }

    fn sleep(&self, _never_passes: Duration) -> impl Future<Output = ()> + Send {
        pending()
    }
}
