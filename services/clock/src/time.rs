//! The clock, and the only code in Candlewick that reads the system's clocks or sets a timer.

use std::future::Future;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A wall clock, a monotonic clock and a timer.
///
/// All code that needs time gets a clock as an argument, so that the simulation can control the
/// time. Callers must not assume that it runs on a tokio runtime. Clones read the same clock.
pub trait Clock: Clone + Send + Sync + 'static {
    /// Returns the wall-clock time in nanoseconds since 1970-01-01T00:00:00Z. It may step in either
    /// direction.
    fn now_ns(&self) -> i64;

    /// Returns the nanoseconds since an origin that is fixed while the process runs. It never goes
    /// back.
    fn monotonic_ns(&self) -> u64;

    /// Waits until `duration` has passed. A zero duration completes at once.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// Returns the nanoseconds of `duration`; `u64::MAX` if they do not fit, which is 584 years.
#[must_use]
pub fn duration_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The clocks of the operating system and the timers of tokio. `sleep` must be polled on a tokio
/// runtime.
///
/// The monotonic clock is tokio's, so in a test with paused time it moves together with `sleep`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "all other code gets this clock as an argument"
    )]
    fn now_ns(&self) -> i64 {
        let now = SystemTime::now();
        let signed = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        match now.duration_since(UNIX_EPOCH) {
            Ok(since) => signed(since),
            Err(before) => -signed(before.duration()),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "all other code gets this clock as an argument"
    )]
    fn monotonic_ns(&self) -> u64 {
        let elapsed = Instant::now().saturating_duration_since(monotonic_origin());
        duration_ns(elapsed)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "all other code gets this timer as an argument"
    )]
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(duration)
    }
}

/// Returns the origin of the monotonic clock: an hour before its first use, because a runtime whose
/// time was paused before then reads slightly earlier instants, which must not all become zero.
#[expect(
    clippy::disallowed_methods,
    reason = "all other code gets this clock as an argument"
)]
fn monotonic_origin() -> Instant {
    const HEADROOM: Duration = Duration::from_secs(3600);
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(|| {
        let now = Instant::now();
        now.checked_sub(HEADROOM).unwrap_or(now)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_past_2025_and_before_2262() {
        let now = SystemClock.now_ns();
        assert!(now > 1_735_689_600_000_000_000 && now < i64::MAX);
    }

    #[test]
    fn the_monotonic_clock_works_without_a_runtime_and_never_goes_back() {
        let first = SystemClock.monotonic_ns();
        assert!(SystemClock.monotonic_ns() >= first);
    }

    #[test]
    fn a_duration_is_converted_exactly_or_to_the_greatest_number() {
        assert_eq!(duration_ns(Duration::new(3, 7)), 3_000_000_007);
        assert_eq!(duration_ns(Duration::MAX), u64::MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn sleeping_moves_the_monotonic_clock_by_the_given_duration() {
        let before = SystemClock.monotonic_ns();
        SystemClock.sleep(Duration::from_secs(90)).await;
        assert_eq!(SystemClock.monotonic_ns() - before, 90_000_000_000);
    }
}
