//! The clock as an argument, and what is built on it: timeouts, backoff, retries, circuit
//! breakers and guards.
//!
//! This is the only crate that reads a clock or sets a timer; clippy forbids both elsewhere. Every
//! other crate takes a [`Clock`], so that the simulation decides what time it is.

mod breaker;
mod guard;
mod jitter;
mod manual;
mod retry;
mod time;

pub use breaker::policy::{BreakerPolicy, BreakerState};
pub use breaker::{BreakerOpenError, CallPermit, CircuitBreaker};
pub use guard::{GuardError, ServerGuard};
pub use manual::ManualClock;
pub use retry::{
    Backoff, RetryPolicy, RetryTimer, TimeoutError, retry, retry_until_stopped, timeout,
};
pub use time::{Clock, SystemClock, duration_ns};
