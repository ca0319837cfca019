//! A circuit breaker, which stops calls to a dependency for a while after it has failed repeatedly.
//!
//! A closed breaker admits every call. After a number of failures in a row it opens and refuses
//! calls at once, so that callers do not queue behind a dependency that does not answer, and the
//! dependency is not kept busy while it recovers. After a time it becomes half-open and admits one
//! call at a time: a number of successes in a row close it, and a failure opens it again.

use std::fmt::{self, Display};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::metrics::BreakerMetrics;
use self::policy::{BreakerPolicy, BreakerState};
use self::state::{BreakerGeneration, BreakerStateMachine, CallRefusal};
use crate::time::Clock;

mod metrics;
pub(crate) mod policy;
mod state;
#[cfg(test)]
mod tests;

/// The circuit breaker in front of one dependency. Clones are the same breaker.
pub struct CircuitBreaker<C> {
    shared: Arc<SharedBreaker<C>>,
}

/// Called with the reason of an outage, or with `None` when it is over.
type OutageCallback = Box<dyn Fn(Option<&str>) + Send + Sync>;

/// What the clones of a breaker share.
struct SharedBreaker<C> {
    policy: BreakerPolicy,
    clock: C,
    machine: Mutex<BreakerStateMachine>,
    metrics: BreakerMetrics,
    on_outage_change: OutageCallback,
}

/// The permission for one call, on which the caller records the outcome of the call.
///
/// A permit that is dropped without an outcome counts neither as a success nor as a failure: the
/// caller stopped waiting, which says nothing about the dependency. If it counted as a failure,
/// impatient clients could open the breaker. A dependency that hangs is detected by a timeout
/// around the call, which the caller records as a failure.
#[must_use = "record the outcome of the call"]
pub struct CallPermit<C: Clock> {
    breaker: CircuitBreaker<C>,
    generation: BreakerGeneration,
    has_outcome: bool,
}

/// The error of a call that the breaker refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker {} after {}: {last_error}", BreakerStateText(*retry_in), FailureCountText(*failures))]
pub struct BreakerOpenError {
    /// The time until a call is admitted again. Zero means that the breaker waits for the outcome
    /// of the call that is under way.
    pub retry_in: Duration,
    /// The number of calls that have failed in a row.
    pub failures: u32,
    /// The error of the last of these calls.
    pub last_error: String,
}

/// Displays what a breaker does, given the time until it admits the next call. Zero means that the
/// breaker is half-open.
struct BreakerStateText(Duration);

impl Display for BreakerStateText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.is_zero() {
            true => formatter.write_str("lets one call at a time through"),
            false => {
                let seconds = self.0.as_secs_f64().ceil();
                write!(formatter, "is open for another {seconds} s")
            }
        }
    }
}

/// Displays a number of failures, such as `1 failure` or `2 failures`.
struct FailureCountText(u32);

impl Display for FailureCountText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(formatter, "{} failure{plural}", self.0)
    }
}

impl<C: Clock> CircuitBreaker<C> {
    /// Returns a closed breaker. `dependency` is its label in the metrics.
    ///
    /// `on_outage_change` is called now and after every change of state: with the reason if the
    /// breaker is open or half-open, and with `None` if it is closed. It must not call the breaker.
    pub fn new(
        dependency: &str,
        policy: BreakerPolicy,
        clock: C,
        on_outage_change: impl Fn(Option<&str>) + Send + Sync + 'static,
    ) -> Self {
        let breaker = Self {
            shared: Arc::new(SharedBreaker {
                policy,
                clock,
                machine: Mutex::new(BreakerStateMachine::default()),
                metrics: BreakerMetrics::new(dependency),
                on_outage_change: Box::new(on_outage_change),
            }),
        };
        breaker.report_state(&breaker.lock());
        breaker
    }

    /// Admits or refuses a call.
    ///
    /// # Errors
    /// [`BreakerOpenError`] if the breaker is open, or half-open with a call under way.
    pub fn admit(&self) -> Result<CallPermit<C>, BreakerOpenError> {
        let now_ns = self.shared.clock.monotonic_ns();
        let mut machine = self.lock();
        let before = machine.state();
        let admitted = machine.admit(now_ns);
        if machine.state() != before {
            self.report_state(&machine);
        }
        match admitted {
            Ok(generation) => Ok(CallPermit {
                breaker: self.clone(),
                generation,
                has_outcome: false,
            }),
            Err(CallRefusal { retry_in_ns }) => {
                self.shared.metrics.rejections.increment(1);
                Err(BreakerOpenError {
                    retry_in: Duration::from_nanos(retry_in_ns),
                    failures: machine.consecutive_failures(),
                    last_error: machine.last_error().to_owned(),
                })
            }
        }
    }

    /// Returns the state. A breaker whose open time is over stays open until the next call.
    pub fn state(&self) -> BreakerState {
        self.lock().state()
    }

    /// Applies `change` to the state machine, and reports the state if it has changed.
    fn update_and_report_if_changed(
        &self,
        change: impl FnOnce(&mut BreakerStateMachine, &BreakerPolicy, u64),
    ) {
        let now_ns = self.shared.clock.monotonic_ns();
        let mut machine = self.lock();
        let before = (machine.state(), machine.trip_count());
        change(&mut machine, &self.shared.policy, now_ns);
        if (machine.state(), machine.trip_count()) != before {
            self.report_state(&machine);
        }
        let trips = machine.trip_count() - before.1;
        self.shared.metrics.trips.increment(trips);
    }

    /// Sets the metric of the state, and calls `on_outage_change`.
    fn report_state(&self, machine: &BreakerStateMachine) {
        self.shared.metrics.set_state(machine.state());
        let failures = FailureCountText(machine.consecutive_failures());
        let reason = match machine.state() {
            BreakerState::Closed => None,
            BreakerState::HalfOpen => Some(format!(
                "the circuit breaker lets one call at a time through after {failures}: {}",
                machine.last_error()
            )),
            BreakerState::Open => Some(format!(
                "the circuit breaker is open after {failures}: {}",
                machine.last_error()
            )),
        };
        (self.shared.on_outage_change)(reason.as_deref());
    }

    fn lock(&self) -> MutexGuard<'_, BreakerStateMachine> {
        let machine = self.shared.machine.lock();
        machine.unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Clone for CircuitBreaker<C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<C> fmt::Debug for CircuitBreaker<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CircuitBreaker")
            .field("policy", &self.shared.policy)
            .field("machine", &self.shared.machine)
            .finish_non_exhaustive()
    }
}

impl<C: Clock> CallPermit<C> {
    /// Records that the dependency answered, even if it refused the request.
    pub fn record_success(mut self) {
        self.has_outcome = true;
        let generation = self.generation;
        self.breaker
            .update_and_report_if_changed(|machine, policy, _| {
                machine.record_success(generation, policy);
            });
    }

    /// Records that the dependency did not answer, or answered that it cannot work now.
    pub fn record_failure(mut self, error: &impl Display) {
        self.has_outcome = true;
        let (generation, error) = (self.generation, error.to_string());
        self.breaker
            .update_and_report_if_changed(|machine, policy, now_ns| {
                machine.record_failure(generation, policy, now_ns, error);
            });
    }
}

impl<C: Clock> Drop for CallPermit<C> {
    fn drop(&mut self) {
        if !self.has_outcome {
            self.breaker.lock().record_abandoned(self.generation);
        }
    }
}
