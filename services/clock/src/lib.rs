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

pub use breaker::{Breaker, BreakerOpen, BreakerPolicy, BreakerState, Permit};
pub use guard::{Guard, GuardError};
pub use manual::ManualClock;
pub use retry::{Backoff, Elapsed, RetryPolicy, RetryTimer, retry, retry_until_stopped, timeout};
pub use time::{Clock, SystemClock};
