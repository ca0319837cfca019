//! The states of a breaker, without a clock and without locks.

use super::{BreakerPolicy, BreakerState};
use crate::time::duration_ns;

/// Times are of the monotonic clock, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Machine {
    phase: Phase,
    /// Counts the changes of phase: a call that was let through before the last one came too late
    /// to say anything of the dependency as it is now.
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
        is_busy: bool,
    },
}

/// A call was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Zero where that depends on the one call that is under way.
    pub(super) retry_in_ns: u64,
}

impl Machine {
    /// Lets a call through, and gives the generation that it belongs to.
    pub(super) fn admit(&mut self, now_ns: u64) -> Result<u64, Refusal> {
        if let Phase::Open { until_ns } = self.phase {
            if now_ns < until_ns {
                let retry_in_ns = until_ns - now_ns;
                return Err(Refusal { retry_in_ns });
            }
            self.turn(Phase::HalfOpen {
                successes: 0,
                is_busy: false,
            });
        }
        match &mut self.phase {
            Phase::HalfOpen { is_busy: true, .. } => Err(Refusal { retry_in_ns: 0 }),
            Phase::HalfOpen { is_busy, .. } => {
                *is_busy = true;
                Ok(self.generation)
            }
            Phase::Closed | Phase::Open { .. } => Ok(self.generation),
        }
    }

    pub(super) fn succeed(&mut self, generation: u64, policy: &BreakerPolicy) {
        if generation != self.generation {
            return;
        }
        if let Phase::HalfOpen { successes, is_busy } = &mut self.phase {
            *successes += 1;
            *is_busy = false;
            if *successes < policy.successes.get() {
                return;
            }
            self.turn(Phase::Closed);
        }
        self.failures = 0;
        self.last_error.clear();
    }

    pub(super) fn fail(
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
        self.turn(Phase::Open { until_ns });
        self.trips += 1;
    }

    /// The call was given up by whoever made it: another may take its place.
    pub(super) const fn forget(&mut self, generation: u64) {
        if generation == self.generation
            && let Phase::HalfOpen { is_busy, .. } = &mut self.phase
        {
            *is_busy = false;
        }
    }

    pub(super) const fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Closed => BreakerState::Closed,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
            Phase::Open { .. } => BreakerState::Open,
        }
    }

    /// How many calls have failed in a row.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn last_error(&self) -> &str {
        &self.last_error
    }

    /// How often it has opened.
    pub(super) const fn trips(&self) -> u64 {
        self.trips
    }

    fn turn(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation += 1;
    }
}
