//! The metrics of a breaker.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use super::policy::BreakerState;

const STATE: &str = "candlewick_breaker_state";
const REJECTIONS: &str = "candlewick_breaker_refused_calls_total";
const TRIPS: &str = "candlewick_breaker_trips_total";

/// The metrics of one breaker, with the label `dependency`.
pub(super) struct BreakerMetrics {
    state: Gauge,
    pub(super) rejections: Counter,
    pub(super) trips: Counter,
}

impl BreakerMetrics {
    pub(super) fn new(dependency: &str) -> Self {
        describe_gauge!(
            STATE,
            "The state of the circuit breaker of a dependency: 0 closed, 1 half-open, 2 open."
        );
        describe_counter!(
            REJECTIONS,
            "Calls that a circuit breaker refused without making them."
        );
        describe_counter!(TRIPS, "How often a circuit breaker has opened.");
        let labels = [("dependency", dependency.to_owned())];
        Self {
            state: gauge!(STATE, &labels),
            rejections: counter!(REJECTIONS, &labels),
            trips: counter!(TRIPS, &labels),
        }
    }

    pub(super) fn set_state(&self, state: BreakerState) {
        self.state.set(match state {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        });
    }
}
