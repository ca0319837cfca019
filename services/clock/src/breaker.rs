//! Leaves a dependency alone for a while once it fails again and again.
//!
//! Calls are let through while the breaker is closed. After so many failures in a row it opens and
//! turns calls away at once, so that nobody queues behind a dependency that does not answer and
//! the dependency is not kept busy while it recovers. After a while it is half-open: one call at a
//! time is let through, and so many successes in a row close it, while a failure opens it anew.

use std::fmt::{self, Display};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::metrics::Metrics;
use self::state::{Machine, Refusal};
use crate::time::Clock;

mod metrics;
mod state;
#[cfg(test)]
mod tests;

/// When a breaker opens, and when it closes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// So many failures in a row open it.
    pub failures: NonZeroU32,
    /// How long it then turns every call away.
    pub open_for: Duration,
    /// So many successes in a row, one call at a time, close it again.
    pub successes: NonZeroU32,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: NonZeroU32::new(5).expect("not 0"),
            open_for: Duration::from_secs(60),
            successes: NonZeroU32::new(2).expect("not 0"),
        }
    }
}

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It lets them through.
    Closed,
    /// It lets one at a time through, to see how the dependency is.
    HalfOpen,
    /// It turns them away.
    Open,
}

/// The breaker in front of one dependency. Clones are the same breaker.
pub struct Breaker<C> {
    shared: Arc<Shared<C>>,
}

struct Shared<C> {
    policy: BreakerPolicy,
    clock: C,
    machine: Mutex<Machine>,
    metrics: Metrics,
    on_change: Box<dyn Fn(Option<&str>) + Send + Sync>,
}

/// Lets one call through; say how it went.
///
/// One that is dropped instead counts as neither: whoever waited for the call has gone, a client
/// or a task that was stopped, which says nothing of the dependency. Counting it as a failure
/// would let impatient clients open the breaker. A dependency that hangs is told by a timeout
/// around the call, whose end is a failure.
#[must_use = "say how the call went"]
pub struct Permit<C: Clock> {
    breaker: Breaker<C>,
    generation: u64,
    is_decided: bool,
}

/// The breaker turned a call away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker {} after {}: {last_error}", Doing(*retry_in), Failures(*failures))]
pub struct BreakerOpen {
    /// When it lets a call through again; zero where it waits for the one call that it has let
    /// through.
    pub retry_in: Duration,
    /// How many calls have failed in a row.
    pub failures: u32,
    /// How the last of them failed.
    pub last_error: String,
}

struct Doing(Duration);

impl Display for Doing {
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

struct Failures(u32);

impl Display for Failures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(formatter, "{} failure{plural}", self.0)
    }
}

impl<C: Clock> Breaker<C> {
    /// Returns a closed breaker. `dependency` is its label in the metrics.
    ///
    /// `on_change` is called now and after every change of state: with the reason while calls are
    /// turned away or let through one at a time, with `None` while the breaker is closed. It must
    /// not call the breaker.
    pub fn new(
        dependency: &str,
        policy: BreakerPolicy,
        clock: C,
        on_change: impl Fn(Option<&str>) + Send + Sync + 'static,
    ) -> Self {
        let breaker = Self {
            shared: Arc::new(Shared {
                policy,
                clock,
                machine: Mutex::new(Machine::default()),
                metrics: Metrics::new(dependency),
                on_change: Box::new(on_change),
            }),
        };
        breaker.report(&breaker.lock());
        breaker
    }

    /// Lets a call through, or turns it away.
    ///
    /// # Errors
    /// [`BreakerOpen`] where the dependency is to be left alone.
    pub fn admit(&self) -> Result<Permit<C>, BreakerOpen> {
        let now_ns = self.shared.clock.monotonic_ns();
        let mut machine = self.lock();
        let before = machine.state();
        let admitted = machine.admit(now_ns);
        if machine.state() != before {
            self.report(&machine);
        }
        match admitted {
            Ok(generation) => Ok(Permit {
                breaker: self.clone(),
                generation,
                is_decided: false,
            }),
            Err(Refusal { retry_in_ns }) => {
                self.shared.metrics.rejections.increment(1);
                Err(BreakerOpen {
                    retry_in: Duration::from_nanos(retry_in_ns),
                    failures: machine.failures(),
                    last_error: machine.last_error().to_owned(),
                })
            }
        }
    }

    /// What it does with calls. An open one whose time is over stays open until a call comes.
    pub fn state(&self) -> BreakerState {
        self.lock().state()
    }

    fn decide(&self, decide: impl FnOnce(&mut Machine, &BreakerPolicy, u64)) {
        let now_ns = self.shared.clock.monotonic_ns();
        let mut machine = self.lock();
        let before = (machine.state(), machine.trips());
        decide(&mut machine, &self.shared.policy, now_ns);
        if (machine.state(), machine.trips()) != before {
            self.report(&machine);
        }
        let trips = machine.trips() - before.1;
        self.shared.metrics.trips.increment(trips);
    }

    /// Sets the gauge and calls `on_change`.
    fn report(&self, machine: &Machine) {
        self.shared.metrics.set(machine.state());
        let failures = Failures(machine.failures());
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
        (self.shared.on_change)(reason.as_deref());
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        let machine = self.shared.machine.lock();
        machine.unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Clone for Breaker<C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<C> fmt::Debug for Breaker<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Breaker")
            .field("policy", &self.shared.policy)
            .field("machine", &self.shared.machine)
            .finish_non_exhaustive()
    }
}

impl<C: Clock> Permit<C> {
    /// The dependency has answered; also where it has refused what was asked.
    pub fn succeeded(mut self) {
        self.is_decided = true;
        let generation = self.generation;
        self.breaker
            .decide(|machine, policy, _| machine.succeed(generation, policy));
    }

    /// The dependency has not answered, or said that it cannot.
    pub fn failed(mut self, error: &impl Display) {
        self.is_decided = true;
        let (generation, error) = (self.generation, error.to_string());
        self.breaker
            .decide(|machine, policy, now_ns| machine.fail(generation, policy, now_ns, error));
    }
}

impl<C: Clock> Drop for Permit<C> {
    fn drop(&mut self) {
        if !self.is_decided {
            self.breaker.lock().forget(self.generation);
        }
    }
}
