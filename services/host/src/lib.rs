//! The process shell: configuration, telemetry, health, supervision, shutdown.
//!
//! It knows nothing of markets.

mod clock;
mod config;
mod jitter;
mod retry;

pub use clock::{Clock, SystemClock};
pub use config::{ConfigErrors, EXIT_USAGE, Layers, Secret, Setting};
pub use retry::{Backoff, Elapsed, RetryPolicy, retry, timeout};
