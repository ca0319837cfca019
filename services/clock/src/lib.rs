//! The clock as an argument, and what is built on it: timeouts, backoff, retries and circuit
//! breakers.
//!
//! This is the only crate that reads a clock or sets a timer; clippy forbids both elsewhere. Every
//! other crate takes a [`Clock`], so that the simulation decides what time it is.

mod breaker;
mod jitter;
mod retry;
mod time;

pub use breaker::{Breaker, BreakerOpen, BreakerPolicy, BreakerState, Permit};
pub use retry::{Backoff, Elapsed, RetryPolicy, RetryTimer, retry, retry_until_stopped, timeout};
pub use time::{Clock, SystemClock, duration_ns};
