use std::cell::Cell;
use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};

use super::*;
use crate::time::SystemClock;

const FIRST: Duration = Duration::from_millis(100);
const CAP: Duration = Duration::from_secs(1);

/// A clock whose sleeps complete at once and move its monotonic time.
#[derive(Clone, Default)]
struct SkippingClock(Arc<AtomicU64>);

impl Clock for SkippingClock {
    fn now_ns(&self) -> i64 {
        0
    }

    fn monotonic_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    async fn sleep(&self, duration: Duration) {
        let slept = u64::try_from(duration.as_nanos()).unwrap();
        self.0.fetch_add(slept, Ordering::Relaxed);
    }
}

/// Polls a future once, which must complete it.
fn poll_ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waited"),
    }
}

#[test]
fn each_wait_stays_below_a_ceiling_that_doubles_to_the_cap() {
    for seed in 0..200 {
        let mut backoff = RetryPolicy::new(FIRST, CAP).with_seed(seed).backoff();
        for ceiling_ms in [100, 200, 400, 800, 1_000, 1_000] {
            assert!(backoff.next_delay() <= Duration::from_millis(ceiling_ms));
        }
    }
}

#[test]
fn a_first_wait_above_the_cap_is_capped_and_nothing_overflows() {
    let mut backoff = RetryPolicy::new(CAP * 9, CAP).with_seed(3).backoff();
    assert!(backoff.next_delay() <= CAP);
    let mut backoff = RetryPolicy::new(Duration::MAX, Duration::MAX)
        .with_seed(3)
        .backoff();
    for _ in 0..100 {
        backoff.next_delay();
    }
}

#[test]
fn one_seed_gives_one_sequence() {
    let delays = |policy: &RetryPolicy| {
        let mut backoff = policy.backoff();
        [
            backoff.next_delay(),
            backoff.next_delay(),
            backoff.next_delay(),
        ]
    };
    let seeded = RetryPolicy::new(FIRST, CAP).with_seed(7);
    assert_eq!(delays(&seeded), delays(&seeded));
    let unseeded = RetryPolicy::new(FIRST, CAP);
    assert_ne!(delays(&unseeded), delays(&unseeded));
}

#[test]
fn the_wait_of_a_retry_timer_grows_with_failures_in_a_row_and_ends_after_a_success() {
    let waits = |failures: u32| {
        let clock = SkippingClock::default();
        let mut timer = RetryTimer::new(RetryPolicy::new(FIRST, CAP).with_seed(5));
        let mut longest_ns = 0;
        for _ in 0..failures {
            timer.record_failure(&clock);
            let before_ns = clock.monotonic_ns();
            poll_ready(timer.wait_until_due(&clock));
            longest_ns = longest_ns.max(clock.monotonic_ns() - before_ns);
            // The attempt is due already.
            poll_ready(timer.wait_until_due(&clock));
            assert!(clock.monotonic_ns() - before_ns <= longest_ns);
        }
        assert_eq!(timer.has_last_attempt_failed(), failures > 0);
        timer.record_success();
        assert!(!timer.has_last_attempt_failed());
        let before_ns = clock.monotonic_ns();
        poll_ready(timer.wait_until_due(&clock));
        assert_eq!(clock.monotonic_ns(), before_ns);
        // The next failure counts as the first again.
        timer.record_failure(&clock);
        poll_ready(timer.wait_until_due(&clock));
        let waited = Duration::from_nanos(clock.monotonic_ns() - before_ns);
        assert!(waited <= FIRST);
        Duration::from_nanos(longest_ns)
    };
    assert!(waits(1) <= FIRST);
    assert!(waits(50) > FIRST && waits(50) <= CAP);
    assert_eq!(waits(0), Duration::ZERO);
}

#[test]
fn it_retries_until_it_succeeds_without_a_runtime() {
    let (clock, tries) = (SkippingClock::default(), Cell::new(0));
    let operation = || {
        tries.set(tries.get() + 1);
        ready(if tries.get() < 4 {
            Err("busy")
        } else {
            Ok(tries.get())
        })
    };
    let policy = RetryPolicy::new(FIRST, CAP).with_seed(1);
    assert_eq!(
        poll_ready(retry(&clock, &policy, |_| true, operation)),
        Ok(4)
    );
    assert!(clock.monotonic_ns() > 0);
}

#[test]
fn it_gives_up_after_the_attempts_allowed_or_on_a_final_error() {
    for (retryable, expected) in [(true, 3), (false, 1)] {
        let (clock, tries) = (SkippingClock::default(), Cell::new(0));
        let operation = || {
            tries.set(tries.get() + 1);
            ready(Err::<(), _>(tries.get()))
        };
        let policy = RetryPolicy::new(FIRST, CAP).with_max_attempts(NonZeroU32::new(3).unwrap());
        let result = poll_ready(retry(&clock, &policy, |_| retryable, operation));
        assert_eq!(result, Err(expected));
    }
}

#[test]
fn it_gives_up_before_a_wait_that_would_pass_the_limit() {
    for seed in 0..50 {
        let clock = SkippingClock::default();
        let policy = RetryPolicy::new(FIRST, CAP)
            .with_seed(seed)
            .give_up_after(CAP * 3);
        let result = poll_ready(retry(
            &clock,
            &policy,
            |_| true,
            || ready(Err::<(), _>("busy")),
        ));
        assert_eq!(result, Err("busy"));
        let waited = Duration::from_nanos(clock.monotonic_ns());
        assert!(waited > CAP && waited < CAP * 3, "{waited:?}");
    }
}

#[test]
fn it_ends_without_a_value_when_it_is_stopped_during_a_wait() {
    let (clock, stop, tries) = (
        SkippingClock::default(),
        CancellationToken::new(),
        Cell::new(0),
    );
    let operation = || {
        tries.set(tries.get() + 1);
        if tries.get() == 3 {
            stop.cancel();
        }
        ready(Err::<(), _>("busy"))
    };
    let policy = RetryPolicy::new(FIRST, CAP).with_seed(1);
    let retried = retry_until_stopped(&clock, &policy, &stop, |_| true, operation);
    assert_eq!(poll_ready(retried), Ok(None));
    assert_eq!(tries.get(), 3);
}

#[test]
fn a_successful_attempt_counts_although_the_stop_came_meanwhile() {
    let (clock, stop) = (SkippingClock::default(), CancellationToken::new());
    let policy = RetryPolicy::new(FIRST, CAP);
    let operation = || {
        stop.cancel();
        ready(Ok::<_, &str>(7))
    };
    let retried = retry_until_stopped(&clock, &policy, &stop, |_| true, operation);
    assert_eq!(poll_ready(retried), Ok(Some(7)));
}

#[test]
fn a_ready_future_completes_despite_a_timeout_of_zero() {
    let clock = SkippingClock::default();
    assert_eq!(poll_ready(timeout(&clock, Duration::ZERO, ready(5))), Ok(5));
    let never = timeout(&clock, CAP, pending::<()>());
    assert_eq!(poll_ready(never), Err(TimeoutError(CAP)));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_on_the_system_clock_takes_the_given_time() {
    let before = SystemClock.monotonic_ns();
    let result = timeout(&SystemClock, CAP, pending::<()>()).await;
    assert_eq!(result, Err(TimeoutError(CAP)));
    let took = Duration::from_nanos(SystemClock.monotonic_ns() - before);
    assert!(took >= CAP && took < CAP * 2);
}
