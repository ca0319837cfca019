//! Waiting before trying again, and giving up: both on a [`Clock`], so the simulation drives them.

use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::clock::Clock;
use crate::jitter::Jitter;

/// How often to try something that may fail, and how long to wait in between.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    first: Duration,
    cap: Duration,
    attempts: Option<NonZeroU32>,
    seed: Option<u64>,
}

impl RetryPolicy {
    /// Tries for ever: waits at most `first` after the first failure and twice as long after each
    /// further one, never more than `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            attempts: None,
            seed: None,
        }
    }

    /// Gives up after this many attempts, the first included.
    #[must_use]
    pub fn attempts(mut self, attempts: NonZeroU32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Draws the same waits every time: for tests and the simulation.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The waits alone, for a loop that [`retry`] does not fit.
    pub fn backoff(&self) -> Backoff {
        Backoff {
            ceiling: self.first.min(self.cap),
            cap: self.cap,
            jitter: self.seed.map_or_else(Jitter::unseeded, Jitter::seeded),
        }
    }
}

/// Exponential waits with full jitter: each is drawn evenly from zero to a ceiling that doubles.
///
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
#[derive(Clone, Debug)]
pub struct Backoff {
    ceiling: Duration,
    cap: Duration,
    jitter: Jitter,
}

impl Backoff {
    /// How long to wait before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.jitter.up_to(self.ceiling);
        self.ceiling = self.ceiling.saturating_mul(2).min(self.cap);
        delay
    }
}

/// The waits of a loop that does other things meanwhile: growing ones after failures in a row, and
/// none after a success.
#[derive(Clone, Debug)]
pub struct Pause {
    policy: RetryPolicy,
    backoff: Option<Backoff>,
    until_ns: u64,
}

impl Pause {
    /// No wait yet. How often to try is the loop's affair.
    pub fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            backoff: None,
            until_ns: 0,
        }
    }

    /// An attempt failed: the next one is to wait.
    pub fn failed(&mut self, clock: &impl Clock) {
        let policy = &self.policy;
        let backoff = self.backoff.get_or_insert_with(|| policy.backoff());
        let delay_ns = u64::try_from(backoff.next_delay().as_nanos()).unwrap_or(u64::MAX);
        self.until_ns = clock.monotonic_ns().saturating_add(delay_ns);
    }

    /// An attempt succeeded; answers whether the one before had failed.
    pub fn succeeded(&mut self) -> bool {
        self.backoff.take().is_some()
    }

    /// Whether the last attempt failed.
    pub const fn is_on(&self) -> bool {
        self.backoff.is_some()
    }

    /// Waits until the next attempt is due. It may be dropped and called again.
    pub async fn over(&self, clock: &impl Clock) {
        let left_ns = self.until_ns.saturating_sub(clock.monotonic_ns());
        if self.is_on() && left_ns > 0 {
            clock.sleep(Duration::from_nanos(left_ns)).await;
        }
    }
}

/// Runs `operation` until it succeeds, fails with an error that `should_retry` refuses, or has been
/// tried as often as `policy` allows.
///
/// `should_retry` sees every error, so it is also the place to log and count them.
///
/// # Errors
/// The last error of `operation`.
pub async fn retry<C, T, E, F, O>(
    clock: &C,
    policy: &RetryPolicy,
    should_retry: impl Fn(&E) -> bool,
    mut operation: O,
) -> Result<T, E>
where
    C: Clock,
    O: FnMut() -> F,
    F: Future<Output = Result<T, E>>,
{
    let mut backoff = policy.backoff();
    let mut attempt: u32 = 1;
    loop {
        let error = match operation().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let spent = policy.attempts.is_some_and(|most| attempt >= most.get());
        if !should_retry(&error) || spent {
            return Err(error);
        }
        attempt = attempt.saturating_add(1);
        clock.sleep(backoff.next_delay()).await;
    }
}

/// A [`timeout`] passed before its future completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not done within {0:?}")]
pub struct Elapsed(pub Duration);

/// Gives up on `future`, dropping it, once `duration` has passed.
///
/// The future is polled first, so one that is ready always wins.
///
/// # Errors
/// [`Elapsed`] if the duration passed first.
pub async fn timeout<C: Clock, F: Future>(
    clock: &C,
    duration: Duration,
    future: F,
) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut sleep = pin!(clock.sleep(duration));
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        sleep
            .as_mut()
            .poll(context)
            .map(|()| Err(Elapsed(duration)))
    })
    .await
}

#[cfg(test)]
mod tests;
