//! A timeout and a circuit breaker around the calls to one server.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use crate::breaker::policy::BreakerState;
use crate::breaker::{BreakerOpenError, CircuitBreaker};
use crate::retry::{TimeoutError, timeout};
use crate::time::Clock;

/// The timeout and the circuit breaker around the calls to one server.
///
/// A call that takes too long, or that fails with an error that blames the server, counts as a
/// failure. After several failures in a row the breaker opens, and further calls fail at once.
/// Clones share the breaker.
#[derive(Debug, Clone)]
pub struct ServerGuard<C> {
    name: &'static str,
    clock: C,
    usual_time_limit: Duration,
    breaker: CircuitBreaker<C>,
}

/// Why a guarded call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError<E> {
    /// The call was made and failed with this error.
    #[error("{0}")]
    Call(E),
    /// The call was dropped because it took longer than its timeout. It may still take effect.
    #[error(transparent)]
    TimedOut(TimeoutError),
    /// The call was not made because the breaker is open.
    #[error(transparent)]
    BreakerOpen(BreakerOpenError),
}

impl<C: Clock> ServerGuard<C> {
    /// Returns a guard for the server called `name`, whose calls may usually take up to
    /// `usual_time_limit`. It is not applied by itself: [`Self::run`] takes the limit of its call.
    pub const fn new(
        name: &'static str,
        clock: C,
        usual_time_limit: Duration,
        breaker: CircuitBreaker<C>,
    ) -> Self {
        Self {
            name,
            clock,
            usual_time_limit,
            breaker,
        }
    }

    /// Returns the name of the server.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns how long a call may usually take, for [`Self::run`].
    pub const fn usual_time_limit(&self) -> Duration {
        self.usual_time_limit
    }

    /// Returns whether the breaker is closed, which means that it admits every call.
    pub fn is_breaker_closed(&self) -> bool {
        self.breaker.state() == BreakerState::Closed
    }

    /// Makes `call` if the breaker admits it, and records its outcome in the breaker.
    ///
    /// An error for which `is_failure` returns `false` counts as a success: the server is well
    /// enough to refuse the request. Pass a boxed future if `call` is large, because the returned
    /// future contains it.
    ///
    /// # Errors
    /// [`GuardError::Call`] with the error of the call, [`GuardError::TimedOut`] if it took longer
    /// than `time_limit`, or [`GuardError::BreakerOpen`] if the breaker did not admit it.
    pub async fn run<T, E: Display>(
        &self,
        time_limit: Duration,
        call: impl Future<Output = Result<T, E>>,
        is_failure: impl Fn(&E) -> bool,
    ) -> Result<T, GuardError<E>> {
        let permit = self.breaker.admit().map_err(GuardError::BreakerOpen)?;
        match timeout(&self.clock, time_limit, call).await {
            Ok(Err(error)) if is_failure(&error) => {
                permit.record_failure(&error);
                Err(GuardError::Call(error))
            }
            Ok(result) => {
                permit.record_success();
                result.map_err(GuardError::Call)
            }
            Err(elapsed) => {
                permit.record_failure(&elapsed);
                Err(GuardError::TimedOut(elapsed))
            }
        }
    }
}
