//! How long servers are waited for, and when they are left alone.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use clock::BreakerPolicy;
use host::Layers;

/// The flags of the circuit breakers, one of which is in front of every server.
#[derive(Debug, Default, Args)]
pub struct BreakerArgs {
    /// So many failed calls in a row open the circuit breaker of a server [default: 5]
    #[arg(long, value_name = "N")]
    pub breaker_failures: Option<String>,
    /// How long it then turns calls away [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub breaker_open_for: Option<String>,
    /// So many successes in a row close it again, one call at a time [default: 2]
    #[arg(long, value_name = "N")]
    pub breaker_successes: Option<String>,
    /// How long a call may take before it counts as failed, from 1s to 9s; calls that move much
    /// may take three times as long [default: 8s]
    #[arg(long, value_name = "TIME")]
    pub breaker_timeout: Option<String>,
}

/// What was set.
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
    /// Reads the section `[breaker]`; errors are collected in `layers`.
    pub fn read(self, layers: &mut Layers) -> BreakerSettings {
        let defaults = BreakerSettings::default();
        let known = defaults.policy;
        let mut take = |key, flag, default: NonZeroU32| layers.take(key, flag, default);
        let failures = take("breaker.failures", self.breaker_failures, known.failures);
        let successes = take("breaker.successes", self.breaker_successes, known.successes);
        let open_for = layers.take("breaker.open_for", self.breaker_open_for, known.open_for);
        if open_for.is_zero() {
            layers.reject("breaker.open_for", "a time above 0");
        }
        let timeout = layers.take("breaker.timeout", self.breaker_timeout, defaults.timeout);
        // Whoever calls a store gives up after 10 s at the least, and a call that was given up
        // says nothing of the store: the timeout in front of it has to be shorter.
        if !(Duration::from_secs(1)..=Duration::from_secs(9)).contains(&timeout) {
            layers.reject("breaker.timeout", "a time from 1s to 9s");
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
