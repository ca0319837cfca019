//! A timeout and a circuit breaker around the calls to one server.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use crate::breaker::{Breaker, BreakerOpen, BreakerState};
use crate::retry::{Elapsed, timeout};
use crate::time::Clock;

/// The timeout and the circuit breaker around the calls to one server.
///
/// A call that takes too long, or that fails with an error that blames the server, counts as a
/// failure. After several failures in a row the breaker opens, and further calls fail at once.
/// Clones share the breaker.
#[derive(Debug, Clone)]
pub struct Guard<C> {
    name: &'static str,
    clock: C,
    timeout: Duration,
    breaker: Breaker<C>,
}

/// Why a guarded call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError<E> {
    /// The call was made and failed with this error.
    #[error("{0}")]
    Call(E),
    /// The call was dropped because it took longer than its timeout. It may still take effect.
    #[error(transparent)]
    TimedOut(Elapsed),
    /// The call was not made because the breaker is open.
    #[error(transparent)]
    BreakerOpen(BreakerOpen),
}

impl<C: Clock> Guard<C> {
    /// Returns a guard for the server called `name`, whose calls may usually take up to `timeout`.
    pub const fn new(name: &'static str, clock: C, timeout: Duration, breaker: Breaker<C>) -> Self {
        Self {
            name,
            clock,
            timeout,
            breaker,
        }
    }

    /// Returns the name of the server.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns how long a call may usually take.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns whether the breaker is closed, that is, lets every call through.
    pub fn is_closed(&self) -> bool {
        self.breaker.state() == BreakerState::Closed
    }

    /// Makes `call` if the breaker lets it through, and reports its outcome to the breaker.
    ///
    /// An error that `is_failure` denies counts as a success: the server is well enough to refuse
    /// the request. Pass a boxed future if the call is large: the returned future holds it.
    ///
    /// # Errors
    /// [`GuardError::Call`] with the error of the call, [`GuardError::TimedOut`] if it took longer
    /// than `limit`, or [`GuardError::BreakerOpen`] if the breaker did not let it through.
    pub async fn run<T, E: Display>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, E>>,
        is_failure: impl Fn(&E) -> bool,
    ) -> Result<T, GuardError<E>> {
        let permit = self.breaker.admit().map_err(GuardError::BreakerOpen)?;
        match timeout(&self.clock, limit, call).await {
            Ok(Err(error)) if is_failure(&error) => {
                permit.failed(&error);
                Err(GuardError::Call(error))
            }
            Ok(result) => {
                permit.succeeded();
                result.map_err(GuardError::Call)
            }
            Err(elapsed) => {
                permit.failed(&elapsed);
                Err(GuardError::TimedOut(elapsed))
            }
        }
    }
}
