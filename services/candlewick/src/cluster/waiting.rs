//! Waiting for a server that is not there yet.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use clock::{Clock, RetryPolicy};
use host::HealthComponent;
use tokio_util::sync::CancellationToken;

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(20);
/// The longest first wait before another attempt, and the longest of all.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Tries until it succeeds, and says meanwhile in `component` why it has not; none where it is
/// told to stop before.
///
/// # Errors
/// An error of `attempt` that `is_final`: waiting cannot mend it.
pub(super) async fn until_there<C, T, E, F>(
    clock: &C,
    component: &HealthComponent,
    stop: &CancellationToken,
    is_final: impl Fn(&E) -> bool,
    attempt: impl Fn() -> F,
) -> Result<Option<T>, E>
where
    C: Clock,
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let mut backoff = RetryPolicy::new(FIRST_WAIT, LONGEST_WAIT).backoff();
    loop {
        let attempted = clock::timeout(clock, ATTEMPT, attempt());
        let reason = match stop.run_until_cancelled(attempted).await {
            None => return Ok(None),
            Some(Ok(Ok(value))) => {
                component.ready();
                return Ok(Some(value));
            }
            Some(Ok(Err(error))) if is_final(&error) => return Err(error),
            Some(Ok(Err(error))) => format!("{error:#}"),
            Some(Err(elapsed)) => elapsed.to_string(),
        };
        component.not_ready(reason);
        let wait = clock.sleep(backoff.next_delay());
        if stop.run_until_cancelled(wait).await.is_none() {
            return Ok(None);
        }
    }
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
    async fn it_waits_as_long_as_it_takes_and_says_why() {
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
                    let told = reason(&health).unwrap();
                    assert_eq!(told, "not done within 20s");
                    Ok(7)
                }
                _ => Err("too often"),
            }
        };
        let waited = until_there(&SystemClock, &component, &stop, |_| false, attempt);
        assert_eq!(waited.await, Ok(Some(7)));
        assert_eq!(reason(&health), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_it_is_told_to_or_cannot_be_mended() {
        let health = Health::default();
        let component = health.register("timescaledb");
        let stop = CancellationToken::new();
        let refused = || async { Err::<(), _>("schema 9 is newer") };
        let is_final = |error: &&str| error.contains("newer");
        let waited = until_there(&SystemClock, &component, &stop, is_final, refused).await;
        assert_eq!(waited, Err("schema 9 is newer"));

        let soon = stop.clone();
        tokio::spawn(async move {
            SystemClock.sleep(Duration::from_secs(60)).await;
            soon.cancel();
        });
        let waited = until_there(&SystemClock, &component, &stop, |_| false, refused).await;
        assert_eq!(waited, Ok(None));
        assert_eq!(reason(&health).as_deref(), Some("schema 9 is newer"));
    }
}
