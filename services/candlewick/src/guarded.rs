//! Stores and logs behind a timeout and a circuit breaker.
//!
//! [`Guarded`] is a store of the same traits as the one within. A call that takes too long, or
//! that the store answers with a transient error, counts as a failure; after some of them in a
//! row further calls fail at once for a while, with an error that is transient too. So the roles,
//! which retry such errors, need not know. [`GuardedLog`] does the same for appends to a topic.
//!
//! It is here, and not beside the stores, because a breaker needs a clock, which only `host` has,
//! and stores know nothing of `host`.

mod bars;
mod hot;
mod log;
#[cfg(test)]
mod tests;
mod ticks;

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use clock::{Breaker, BreakerOpen, BreakerState, Clock, Elapsed, Permit};
use store::StoreError;

pub(crate) use log::GuardedLog;

/// Calls that move much at once, such as the state of a partition, may take so many times as long.
const LONG: u32 = 3;

/// A store behind a timeout and a circuit breaker.
#[derive(Debug, Clone)]
pub(crate) struct Guarded<S, C> {
    store: S,
    guard: Guard<C>,
}

/// The timeout and the breaker in front of one server.
#[derive(Debug)]
pub(crate) struct Guard<C> {
    name: &'static str,
    clock: C,
    timeout: Duration,
    breaker: Breaker<C>,
}

impl<C: Clone> Clone for Guard<C> {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            clock: self.clock.clone(),
            timeout: self.timeout,
            breaker: self.breaker.clone(),
        }
    }
}

/// A call to a store. It is boxed, since a future that is handed down through the timeout and the
/// breaker would otherwise take its room once for each of them, on the stack of whoever polls it.
type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// How a call ended.
enum Ended<T, E> {
    Answered(Result<T, E>),
    TookTooLong(Elapsed),
    TurnedAway(BreakerOpen),
}

impl<S, C: Clock> Guarded<S, C> {
    pub(crate) const fn new(store: S, guard: Guard<C>) -> Self {
        Self { store, guard }
    }
}

impl<C: Clock> Guard<C> {
    /// In front of the server of this name.
    pub(crate) const fn new(
        name: &'static str,
        clock: C,
        timeout: Duration,
        breaker: Breaker<C>,
    ) -> Self {
        Self {
            name,
            clock,
            timeout,
            breaker,
        }
    }

    /// Whether calls are let through freely.
    pub(crate) fn is_closed(&self) -> bool {
        self.breaker.state() == BreakerState::Closed
    }

    /// A call to a store.
    fn call<'a, T: Send + 'a>(
        &'a self,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> Answer<'a, T> {
        self.store_call(self.timeout, Box::pin(call))
    }

    /// A call to a store that moves much.
    fn long_call<'a, T: Send + 'a>(
        &'a self,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> Answer<'a, T> {
        self.store_call(self.timeout * LONG, Box::pin(call))
    }

    fn store_call<'a, T: Send + 'a>(
        &'a self,
        timeout: Duration,
        call: Answer<'a, T>,
    ) -> Answer<'a, T> {
        Box::pin(async move {
            let unavailable = |reason: &dyn Display| StoreError::Unavailable {
                store: self.name.to_owned(),
                reason: reason.to_string(),
            };
            match self.run(timeout, call, StoreError::is_transient).await {
                Ended::Answered(answer) => answer,
                Ended::TookTooLong(elapsed) => Err(unavailable(&elapsed)),
                Ended::TurnedAway(open) => Err(unavailable(&open)),
            }
        })
    }

    /// Makes a call, where the breaker lets it through, and tells the breaker how it went. An
    /// error that `is_failure` denies is an answer: the server is well.
    async fn run<T, E: Display>(
        &self,
        timeout: Duration,
        call: impl Future<Output = Result<T, E>>,
        is_failure: impl Fn(&E) -> bool,
    ) -> Ended<T, E> {
        let permit: Permit<C> = match self.breaker.admit() {
            Ok(permit) => permit,
            Err(open) => return Ended::TurnedAway(open),
        };
        match clock::timeout(&self.clock, timeout, call).await {
            Ok(Err(error)) if is_failure(&error) => {
                permit.failed(&error);
                Ended::Answered(Err(error))
            }
            Ok(answer) => {
                permit.succeeded();
                Ended::Answered(answer)
            }
            Err(elapsed) => {
                permit.failed(&elapsed);
                Ended::TookTooLong(elapsed)
            }
        }
    }
}
