//! Waiting for conditions, each under a deadline.

use std::time::Duration;

use clock::{Clock, SystemClock};

/// How long anything may take. Only a test that fails waits as long.
pub(crate) const LONGEST: Duration = Duration::from_secs(90);

/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What `look` finds, as soon as it finds something.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin_ns = SystemClock.monotonic_ns();
    loop {
        if let Some(found) = look() {
            return found;
        }
        let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
        assert!(waited < LONGEST, "waited {waited:?} in vain: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Waits until `look` equals `expected`, and shows what it was last where it never does.
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
            waited < LONGEST,
            "{what}: after {waited:?} it is {found:?}, not {expected:?}"
        );
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Lets a time pass, where the passing of time is what is tested.
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
