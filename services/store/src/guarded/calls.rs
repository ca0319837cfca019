//! Guarded calls to a store.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use clock::{Clock, GuardError, ServerGuard};

use crate::error::StoreError;

/// How many times the usual timeout a call may take that moves much data at once, such as the
/// state of a partition.
const LONG_CALL_FACTOR: u32 = 3;

/// A store of ticks or newest prices, or a reader of bars, behind a timeout and a circuit breaker.
#[derive(Debug, Clone)]
pub struct GuardedStore<S, C> {
    pub(super) store: S,
    pub(super) guard: ServerGuard<C>,
}

/// A call to a store. It is boxed: an unboxed future that is passed through the timeout and the
/// breaker would take up space once in each of their futures, on the stack of the caller.
pub(super) type StoreCall<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

impl<S, C: Clock> GuardedStore<S, C> {
    /// Returns `store` behind `guard`.
    pub const fn new(store: S, guard: ServerGuard<C>) -> Self {
        Self { store, guard }
    }

    /// Makes a call with the usual timeout.
    pub(super) fn call<'a, T: Send + 'a>(
        &'a self,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> StoreCall<'a, T> {
        guarded_call(&self.guard, self.guard.usual_time_limit(), Box::pin(call))
    }

    /// Makes a call that moves much data, with a longer timeout.
    pub(super) fn long_call<'a, T: Send + 'a>(
        &'a self,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> StoreCall<'a, T> {
        let timeout = self.guard.usual_time_limit() * LONG_CALL_FACTOR;
        guarded_call(&self.guard, timeout, Box::pin(call))
    }
}

fn guarded_call<'a, T: Send + 'a, C: Clock>(
    guard: &'a ServerGuard<C>,
    timeout: Duration,
    call: StoreCall<'a, T>,
) -> StoreCall<'a, T> {
    Box::pin(async move {
        let result = guard.run(timeout, call, StoreError::is_transient).await;
        result.map_err(|error| match error {
            GuardError::Call(error) => error,
            GuardError::TimedOut(_) | GuardError::BreakerOpen(_) => StoreError::Unavailable {
                store: guard.name().to_owned(),
                reason: error.to_string(),
            },
        })
    })
}
