//! The clock of append times.

use std::fmt;

use clock::Clock;

/// The wall clock of a [`Clock`] without its type, so that the logs need no type parameter.
pub(crate) struct WallClock(Box<dyn Fn() -> i64 + Send + Sync>);

impl WallClock {
    pub(crate) fn new(clock: impl Clock) -> Self {
        Self(Box::new(move || clock.now_ns()))
    }

    /// Returns the time in UTC nanoseconds. It may go back.
    pub(crate) fn now_ns(&self) -> i64 {
        (self.0)()
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WallClock")
    }
}
