//! Backoff, retries and timeouts on a [`Clock`], so that the simulation controls their time.

use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::jitter::JitterGenerator;
use crate::time::{Clock, duration_ns};

/// How often to attempt an operation that may fail, and how long to wait between the attempts.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// The upper bound of the first wait.
    max_first_wait: Duration,
    /// The upper bound of every wait.
    max_wait: Duration,
    max_attempts: Option<NonZeroU32>,
    give_up_after: Option<Duration>,
    seed: Option<u64>,
}

impl RetryPolicy {
    /// Returns a policy that never gives up. It waits up to `max_first_wait` after the first
    /// failure and up to twice as long after each further failure, but never longer than
    /// `max_wait`.
    pub fn new(max_first_wait: Duration, max_wait: Duration) -> Self {
        Self {
            max_first_wait,
            max_wait,
            max_attempts: None,
            give_up_after: None,
            seed: None,
        }
    }

    /// Gives up after `max_attempts` attempts, including the first.
    #[must_use]
    pub fn with_max_attempts(mut self, max_attempts: NonZeroU32) -> Self {
        self.max_attempts = Some(max_attempts);
        self
    }

    /// Gives up instead of a wait that would end `limit` or more after the first attempt began.
    #[must_use]
    pub fn give_up_after(mut self, limit: Duration) -> Self {
        self.give_up_after = Some(limit);
        self
    }

    /// Makes the waits depend on `seed` alone, for tests and the simulation.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Returns the waits of this policy, for a loop that cannot use [`retry`].
    pub fn backoff(&self) -> Backoff {
        Backoff {
            ceiling: self.max_first_wait.min(self.max_wait),
            max_wait: self.max_wait,
            jitter: self.seed.map_or_else(
                JitterGenerator::from_random_seed,
                JitterGenerator::from_seed,
            ),
        }
    }
}

/// Exponential waits with full jitter: each is drawn evenly from zero to a ceiling that doubles.
///
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
#[derive(Clone, Debug)]
pub struct Backoff {
    ceiling: Duration,
    max_wait: Duration,
    jitter: JitterGenerator,
}

impl Backoff {
    /// Returns how long to wait before the next attempt, and doubles the upper bound of the wait
    /// after it.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.jitter.next_duration(self.ceiling);
        self.ceiling = self.ceiling.saturating_mul(2).min(self.max_wait);
        delay
    }
}

/// The backoff of a loop that does other work between its attempts.
///
/// The wait grows with each failure in a row and is zero after a success.
#[derive(Clone, Debug)]
pub struct RetryTimer {
    policy: RetryPolicy,
    backoff: Option<Backoff>,
    due_ns: u64,
}

impl RetryTimer {
    /// Returns a timer whose first attempt is due at once. The policy's limits are not applied.
    pub fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            backoff: None,
            due_ns: 0,
        }
    }

    /// Records that an attempt failed, and draws the wait until the next attempt is due.
    pub fn record_failure(&mut self, clock: &impl Clock) {
        let policy = &self.policy;
        let backoff = self.backoff.get_or_insert_with(|| policy.backoff());
        let delay_ns = duration_ns(backoff.next_delay());
        self.due_ns = clock.monotonic_ns().saturating_add(delay_ns);
    }

    /// Records that an attempt succeeded: the next one is due at once.
    pub fn record_success(&mut self) {
        self.backoff = None;
    }

    /// Returns whether the last attempt failed.
    pub const fn has_last_attempt_failed(&self) -> bool {
        self.backoff.is_some()
    }

    /// Waits until the next attempt is due. The future may be dropped, and this called again.
    pub async fn wait_until_due(&self, clock: &impl Clock) {
        let left_ns = self.due_ns.saturating_sub(clock.monotonic_ns());
        if self.has_last_attempt_failed() && left_ns > 0 {
            clock.sleep(Duration::from_nanos(left_ns)).await;
        }
    }
}

/// Runs `operation` until it succeeds, fails with an error for which `should_retry` returns
/// `false`, or the limits of `policy` are reached.
///
/// `should_retry` is called with every error, so it is also the place to log and count errors.
///
/// # Errors
/// The last error of `operation`.
pub async fn retry<C, T, E, F>(
    clock: &C,
    policy: &RetryPolicy,
    should_retry: impl FnMut(&E) -> bool,
    operation: impl FnMut() -> F,
) -> Result<T, E>
where
    C: Clock,
    F: Future<Output = Result<T, E>>,
{
    let never_stopped = CancellationToken::new();
    let retried = retry_until_stopped(clock, policy, &never_stopped, should_retry, operation);
    Ok(retried.await?.expect("the token is never cancelled"))
}

/// Does what [`retry`] does, but returns `None` if `stop` is cancelled during a wait. An attempt
/// that has begun is not interrupted.
///
/// # Errors
/// The last error of `operation`.
pub async fn retry_until_stopped<C, T, E, F>(
    clock: &C,
    policy: &RetryPolicy,
    stop: &CancellationToken,
    mut should_retry: impl FnMut(&E) -> bool,
    mut operation: impl FnMut() -> F,
) -> Result<Option<T>, E>
where
    C: Clock,
    F: Future<Output = Result<T, E>>,
{
    let begin_ns = clock.monotonic_ns();
    let mut backoff = policy.backoff();
    let mut attempt: u32 = 1;
    loop {
        let error = match operation().await {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error,
        };
        let delay = backoff.next_delay();
        let waited = Duration::from_nanos(clock.monotonic_ns().saturating_sub(begin_ns));
        let out_of_attempts = policy.max_attempts.is_some_and(|max| attempt >= max.get());
        let out_of_time = policy
            .give_up_after
            .is_some_and(|limit| waited.saturating_add(delay) >= limit);
        if !should_retry(&error) || out_of_attempts || out_of_time {
            return Err(error);
        }
        attempt = attempt.saturating_add(1);
        if stop.run_until_cancelled(clock.sleep(delay)).await.is_none() {
            return Ok(None);
        }
    }
}

/// The error of a [`timeout`] whose duration passed before its future completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not done within {0:?}")]
pub struct TimeoutError(pub Duration);

/// Waits for `future`, and drops it once `duration` has passed.
///
/// The future is polled before the clock, so a future that is ready always completes.
///
/// # Errors
/// [`TimeoutError`] if the duration passed first.
pub async fn timeout<C: Clock, F: Future>(
    clock: &C,
    duration: Duration,
    future: F,
) -> Result<F::Output, TimeoutError> {
    let mut future = pin!(future);
    let mut sleep = pin!(clock.sleep(duration));
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        sleep
            .as_mut()
            .poll(context)
            .map(|()| Err(TimeoutError(duration)))
    })
    .await
}

#[cfg(test)]
mod tests;
