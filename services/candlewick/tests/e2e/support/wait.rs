//! Waiting for conditions, each under a deadline.

use std::time::Duration;

use clock::{Clock, SystemClock};

/// How long a condition may take. Only a test that fails waits as long.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(90);

/// How long to wait between two checks of a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Polls `look` until it returns a value; returns that value.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin_ns = SystemClock.monotonic_ns();
    loop {
        if let Some(found) = look() {
            return found;
        }
        let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
        assert!(waited < TIMEOUT, "waited {waited:?} in vain: {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Polls `look` until it returns `expected`; panics with the last value if it never does.
pub(crate) fn eventually<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &T,
    mut look: impl FnMut() -> T,
) {
    let begin_ns = SystemClock.monotonic_ns();
    loop {
        let found = look();
        if found == *expected {
            return;
        }
        let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
        assert!(
            waited < TIMEOUT,
            "{what}: after {waited:?} it is {found:?}, not {expected:?}"
        );
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Sleeps, in tests of what happens as time passes.
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
