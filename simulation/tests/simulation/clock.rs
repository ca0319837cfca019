//! Simulated time.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::time::Duration;

use clock::Clock;

/// The start of simulated time: 2024-03-01T00:00:00Z.
pub const START_NS: i64 = 1_709_251_200_000_000_000;

#[derive(Clone)]
pub struct SimClock(Arc<AtomicI64>);

impl SimClock {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(START_NS)))
    }

    pub fn advance(&self, time_ns: i64) {
        self.0.fetch_add(time_ns, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now_ns(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.now_ns() - START_NS).unwrap()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        let until_ns = self
            .now_ns()
            .saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX));
        let clock = self.clone();
        poll_fn(move |_| {
            if clock.now_ns() >= until_ns {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }
}
