//! The state machine of a breaker, without a clock and without locks.

use super::policy::{BreakerPolicy, BreakerState};
use crate::time::duration_ns;

/// The state machine of a breaker. Times are of the monotonic clock, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct StateMachine {
    phase: Phase,
    /// Counts the changes of phase. The outcome of a call that was admitted before the last change
    /// says nothing about the dependency as it is now.
    generation: u64,
    failures: u32,
    last_error: String,
    trips: u64,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Closed,
    Open {
        until_ns: u64,
    },
    HalfOpen {
        successes: u32,
        has_call: bool,
    },
}

/// The refusal of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The time until a call is admitted again; zero if that depends on the one call that is under
    /// way.
    pub(super) retry_in_ns: u64,
}

impl StateMachine {
    /// Admits a call, and returns the generation that it belongs to.
    pub(super) fn admit(&mut self, now_ns: u64) -> Result<u64, Refusal> {
        if let Phase::Open { until_ns } = self.phase {
            if now_ns < until_ns {
                let retry_in_ns = until_ns - now_ns;
                return Err(Refusal { retry_in_ns });
            }
            self.change_phase(Phase::HalfOpen {
                successes: 0,
                has_call: false,
            });
        }
        match &mut self.phase {
            Phase::HalfOpen { has_call: true, .. } => Err(Refusal { retry_in_ns: 0 }),
            Phase::HalfOpen { has_call, .. } => {
                *has_call = true;
                Ok(self.generation)
            }
            Phase::Closed | Phase::Open { .. } => Ok(self.generation),
        }
    }

    /// Records that a call succeeded.
    pub(super) fn record_success(&mut self, generation: u64, policy: &BreakerPolicy) {
        if generation != self.generation {
            return;
        }
        if let Phase::HalfOpen {
            successes,
            has_call,
        } = &mut self.phase
        {
            *successes += 1;
            *has_call = false;
            if *successes < policy.successes.get() {
                return;
            }
            self.change_phase(Phase::Closed);
        }
        self.failures = 0;
        self.last_error.clear();
    }

    /// Records that a call failed at `now_ns`.
    pub(super) fn record_failure(
        &mut self,
        generation: u64,
        policy: &BreakerPolicy,
        now_ns: u64,
        error: String,
    ) {
        if generation != self.generation {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.last_error = error;
        let is_closed = matches!(self.phase, Phase::Closed);
        if is_closed && self.failures < policy.failures.get() {
            return;
        }
        let open_for_ns = duration_ns(policy.open_for);
        let until_ns = now_ns.saturating_add(open_for_ns);
        self.change_phase(Phase::Open { until_ns });
        self.trips += 1;
    }

    /// Records that the caller abandoned a call, so that another call may be admitted.
    pub(super) const fn abandon(&mut self, generation: u64) {
        if generation == self.generation
            && let Phase::HalfOpen { has_call, .. } = &mut self.phase
        {
            *has_call = false;
        }
    }

    pub(super) const fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Closed => BreakerState::Closed,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
            Phase::Open { .. } => BreakerState::Open,
        }
    }

    /// Returns the number of calls that have failed in a row.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn last_error(&self) -> &str {
        &self.last_error
    }

    /// Returns how often the breaker has opened.
    pub(super) const fn trips(&self) -> u64 {
        self.trips
    }

    fn change_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation += 1;
    }
}
