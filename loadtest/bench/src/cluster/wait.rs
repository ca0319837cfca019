//! Waiting for something to come about.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clock::{Clock, SystemClock};
use tokio::runtime::Runtime;

/// Set once the user wants it to end: what was made is still removed.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// How often it is looked.
const EVERY: Duration = Duration::from_millis(10);

/// Makes Ctrl-C end the waiting, and so the measurement.
pub(super) fn stop_on_interrupt(runtime: &Runtime) {
    runtime.spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("stopping; topics and databases are being removed");
            STOPPED.store(true, Ordering::Relaxed);
        }
    });
}

/// Fails where the user wants it to end.
pub(super) fn check_stopped() -> anyhow::Result<()> {
    anyhow::ensure!(!STOPPED.load(Ordering::Relaxed), "it was interrupted");
    Ok(())
}

/// Asks again and again until there is an answer.
///
/// # Errors
/// What the question fails with; also where the patience ends, or the user wants it to end.
pub(super) async fn until<T, F>(
    what: &str,
    patience: Duration,
    mut ask: impl FnMut() -> F,
) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let start_ns = SystemClock.monotonic_ns();
    loop {
        check_stopped()?;
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        let waited = Duration::from_nanos(SystemClock.monotonic_ns() - start_ns);
        anyhow::ensure!(waited < patience, "{what}: not within {patience:?}");
        SystemClock.sleep(EVERY).await;
    }
}

/// Seconds since a moment of the monotonic clock.
pub(super) fn seconds_since(start_ns: u64) -> f64 {
    (SystemClock.monotonic_ns() - start_ns) as f64 / 1e9
}
