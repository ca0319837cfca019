//! The state machine of a breaker, without a clock and without locks.

use super::policy::{BreakerPolicy, BreakerState};
use crate::time::duration_ns;

/// How many times the phase of a breaker had changed when a call was admitted.
pub(super) type BreakerGeneration = u64;

/// The state machine of a breaker. Times are of the monotonic clock, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct BreakerStateMachine {
    phase: BreakerPhase,
    /// Counts the changes of phase. The outcome of a call that was admitted before the last change
    /// says nothing about the dependency as it is now.
    generation: BreakerGeneration,
    failures: u32,
    last_error: String,
    trips: u64,
}

/// Which calls are admitted, with the data of that phase.
#[derive(Debug, Default)]
enum BreakerPhase {
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
pub(super) struct CallRefusal {
    /// The time until a call is admitted again. Zero means that the breaker waits for the outcome
    /// of the call that is under way.
    pub(super) retry_in_ns: u64,
}

impl BreakerStateMachine {
    /// Admits or refuses a call. Returns the generation that an admitted call belongs to.
    pub(super) fn admit(&mut self, now_ns: u64) -> Result<BreakerGeneration, CallRefusal> {
        if let BreakerPhase::Open { until_ns } = self.phase {
            if now_ns < until_ns {
                let retry_in_ns = until_ns - now_ns;
                return Err(CallRefusal { retry_in_ns });
            }
            self.enter_phase(BreakerPhase::HalfOpen {
                successes: 0,
                has_call: false,
            });
        }
        match &mut self.phase {
            BreakerPhase::HalfOpen { has_call: true, .. } => Err(CallRefusal { retry_in_ns: 0 }),
            BreakerPhase::HalfOpen { has_call, .. } => {
                *has_call = true;
                Ok(self.generation)
            }
            BreakerPhase::Closed | BreakerPhase::Open { .. } => Ok(self.generation),
        }
    }

    /// Records that a call of `generation` succeeded.
    pub(super) fn record_success(&mut self, generation: BreakerGeneration, policy: &BreakerPolicy) {
        if generation != self.generation {
            return;
        }
        if let BreakerPhase::HalfOpen {
            successes,
            has_call,
        } = &mut self.phase
        {
            *successes += 1;
            *has_call = false;
            if *successes < policy.successes.get() {
                return;
            }
            self.enter_phase(BreakerPhase::Closed);
        }
        self.failures = 0;
        self.last_error.clear();
    }

    /// Records that a call of `generation` failed at `now_ns`.
    pub(super) fn record_failure(
        &mut self,
        generation: BreakerGeneration,
        policy: &BreakerPolicy,
        now_ns: u64,
        error: String,
    ) {
        if generation != self.generation {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.last_error = error;
        let is_closed = matches!(self.phase, BreakerPhase::Closed);
        if is_closed && self.failures < policy.failures.get() {
            return;
        }
        let open_for_ns = duration_ns(policy.open_for);
        let until_ns = now_ns.saturating_add(open_for_ns);
        self.enter_phase(BreakerPhase::Open { until_ns });
        self.trips += 1;
    }

    /// Records that the caller abandoned a call of `generation`. Another call may be admitted.
    pub(super) const fn record_abandoned(&mut self, generation: BreakerGeneration) {
        if generation == self.generation
            && let BreakerPhase::HalfOpen { has_call, .. } = &mut self.phase
        {
            *has_call = false;
        }
    }

    pub(super) const fn state(&self) -> BreakerState {
        match self.phase {
            BreakerPhase::Closed => BreakerState::Closed,
            BreakerPhase::HalfOpen { .. } => BreakerState::HalfOpen,
            BreakerPhase::Open { .. } => BreakerState::Open,
        }
    }

    /// Returns the number of calls that have failed in a row.
    pub(super) const fn consecutive_failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn last_error(&self) -> &str {
        &self.last_error
    }

    /// Returns how often the breaker has opened.
    pub(super) const fn trip_count(&self) -> u64 {
        self.trips
    }

    fn enter_phase(&mut self, phase: BreakerPhase) {
        self.phase = phase;
        self.generation += 1;
    }
}
