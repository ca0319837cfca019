//! The circuit breakers in front of the servers.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use clock::BreakerPolicy;
use host::ErrorCollectingConfigReader;

use crate::help::show_defaults_in_help;

/// The flags of the circuit breakers, one of which is in front of every server.
#[derive(Debug, Default, Args)]
#[command(mut_args = show_defaults_in_help(|reader| {
    Self::default().read(reader);
}))]
pub struct BreakerArgs {
    /// The number of failed calls in a row that opens the circuit breaker of a server
    #[arg(long, value_name = "N")]
    pub breaker_failures: Option<String>,
    /// How long an open circuit breaker rejects calls
    #[arg(long, value_name = "TIME")]
    pub breaker_open_for: Option<String>,
    /// The number of successful calls in a row, one at a time, that closes it again
    #[arg(long, value_name = "N")]
    pub breaker_successes: Option<String>,
    /// How long a call may take before it counts as failed, from 1s to 9s; calls that move much
    /// data may take three times as long
    #[arg(long, value_name = "TIME")]
    pub breaker_timeout: Option<String>,
}

/// When circuit breakers open and close, and what counts as a failure.
#[derive(Debug, Clone, Copy)]
pub struct BreakerSettings {
    /// When a breaker opens and closes.
    pub policy: BreakerPolicy,
    /// How long one call to a server may take.
    pub timeout: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            policy: BreakerPolicy::default(),
            timeout: Duration::from_secs(8),
        }
    }
}

impl BreakerArgs {
    /// Reads the section `[breaker]`; errors are collected in `reader`.
    pub fn read(self, reader: &mut ErrorCollectingConfigReader) -> BreakerSettings {
        let BreakerSettings { policy, timeout } = BreakerSettings::default();
        let mut read = |key, flag, default: NonZeroU32| reader.read_or(key, flag, default);
        let failures = read("breaker.failures", self.breaker_failures, policy.failures);
        let successes = read(
            "breaker.successes",
            self.breaker_successes,
            policy.successes,
        );
        let open_for = reader.read_or("breaker.open_for", self.breaker_open_for, policy.open_for);
        if open_for.is_zero() {
            reader.reject("breaker.open_for", "a time above 0");
        }
        let timeout = reader.read_or("breaker.timeout", self.breaker_timeout, timeout);
        // The callers of a store give up after 10 s or more, and an abandoned call does not count
        // as a failure of the store: the timeout of the breaker has to be shorter.
        if !(Duration::from_secs(1)..=Duration::from_secs(9)).contains(&timeout) {
            reader.reject("breaker.timeout", "a time from 1s to 9s");
        }
        BreakerSettings {
            policy: BreakerPolicy {
                failures,
                open_for,
                successes,
            },
            timeout,
        }
    }
}
