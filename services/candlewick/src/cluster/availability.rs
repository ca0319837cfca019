//! Waiting for a server that is not available yet.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use clock::{Clock, RetryPolicy};
use host::HealthComponent;
use tokio_util::sync::CancellationToken;

/// The time limit of one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
/// The upper bound of the first wait before another attempt.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The upper bound of every wait before another attempt.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(5);

/// Repeats `attempt` until it succeeds. Meanwhile `component` reports the last error. Returns
/// `None` if `stop` is cancelled first.
///
/// # Errors
/// An error of `attempt` that `is_permanent`: waiting cannot mend it.
pub(super) async fn wait_until_available<C, T, E, F>(
    clock: &C,
    component: &HealthComponent,
    stop: &CancellationToken,
    is_permanent: impl Fn(&E) -> bool,
    attempt: impl Fn() -> F,
) -> Result<Option<T>, E>
where
    C: Clock,
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    // Success and a permanent error end the attempts; any other outcome is a reason to repeat.
    let attempt_once = || async {
        match clock::timeout(clock, ATTEMPT_TIMEOUT, attempt()).await {
            Ok(Err(error)) if !is_permanent(&error) => Err(format!("{error:#}")),
            Ok(result) => Ok(result),
            Err(elapsed) => Err(elapsed.to_string()),
        }
    };
    let report = |reason: &String| {
        component.not_ready(reason);
        true
    };
    let policy = RetryPolicy::new(FIRST_WAIT, MAX_WAIT);
    let attempts = clock::retry(clock, &policy, report, attempt_once);
    let Some(ended) = stop.run_until_cancelled(attempts).await else {
        return Ok(None);
    };
    let value = ended.expect("the policy has no limit")?;
    component.ready();
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use clock::SystemClock;
    use host::Health;

    use super::*;

    fn reason(health: &Health) -> Option<String> {
        health.readiness().components[0].reason.clone()
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_as_long_as_it_takes_and_reports_why() {
        let health = Health::default();
        let component = health.register("timescaledb");
        let stop = CancellationToken::new();
        let attempts = Cell::new(0);
        let attempt = || async {
            attempts.set(attempts.get() + 1);
            match attempts.get() {
                1..50 => Err("connection refused"),
                50 => std::future::pending().await,
                51 => {
                    let reported = reason(&health).unwrap();
                    assert_eq!(reported, "not done within 20s");
                    Ok(7)
                }
                _ => Err("too often"),
            }
        };
        let waited = wait_until_available(&SystemClock, &component, &stop, |_| false, attempt);
        assert_eq!(waited.await, Ok(Some(7)));
        assert_eq!(reason(&health), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_it_is_stopped_or_the_error_is_permanent() {
        let health = Health::default();
        let component = health.register("timescaledb");
        let stop = CancellationToken::new();
        let refused = || async { Err::<(), _>("schema 9 is newer") };
        let is_permanent = |error: &&str| error.contains("newer");
        let waited =
            wait_until_available(&SystemClock, &component, &stop, is_permanent, refused).await;
        assert_eq!(waited, Err("schema 9 is newer"));

        let delayed_stop = stop.clone();
        tokio::spawn(async move {
            SystemClock.sleep(Duration::from_secs(60)).await;
            delayed_stop.cancel();
        });
        let waited =
            wait_until_available(&SystemClock, &component, &stop, |_| false, refused).await;
        assert_eq!(waited, Ok(None));
        assert_eq!(reason(&health).as_deref(), Some("schema 9 is newer"));
    }
}
