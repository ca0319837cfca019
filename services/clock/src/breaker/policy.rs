//! When a breaker changes its state.

use std::num::NonZeroU32;
use std::time::Duration;

/// When a breaker opens, and when it closes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// The number of failures in a row that open it.
    pub failures: NonZeroU32,
    /// How long it then refuses every call.
    pub open_for: Duration,
    /// The number of successes in a row, one call at a time, that close it again.
    pub successes: NonZeroU32,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: NonZeroU32::new(5).expect("not 0"),
            open_for: Duration::from_secs(60),
            successes: NonZeroU32::new(2).expect("not 0"),
        }
    }
}

/// Which calls a breaker admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It admits every call.
    Closed,
    /// It admits one call at a time, to find out whether the dependency has recovered.
    HalfOpen,
    /// It refuses every call.
    Open,
}
