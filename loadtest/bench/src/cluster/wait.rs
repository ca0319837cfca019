//! Waiting for conditions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clock::{Clock, SystemClock};
use tokio::runtime::Runtime;

/// Set when the user interrupts the measurement; its topics and databases are still removed.
static IS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How long to wait between two checks of a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Makes Ctrl-C end the current wait, and with it the measurement.
pub(super) fn end_waits_on_interrupt(runtime: &Runtime) {
    runtime.spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("stopping; topics and databases are being removed");
            IS_INTERRUPTED.store(true, Ordering::Relaxed);
        }
    });
}

/// Checks that the user has not interrupted the measurement.
///
/// # Errors
/// If the user has.
pub(super) fn check_not_interrupted() -> anyhow::Result<()> {
    anyhow::ensure!(!IS_INTERRUPTED.load(Ordering::Relaxed), "interrupted");
    Ok(())
}

/// Polls `condition` until it returns a value.
///
/// # Errors
/// As `condition`; also if `limit` passes, or the user interrupts the measurement.
pub(super) async fn wait_until<T, F>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> F,
) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let start_ns = SystemClock.monotonic_ns();
    loop {
        check_not_interrupted()?;
        if let Some(value) = condition().await? {
            return Ok(value);
        }
        let waited = Duration::from_nanos(SystemClock.monotonic_ns() - start_ns);
        anyhow::ensure!(waited < limit, "{what}: not within {limit:?}");
        SystemClock.sleep(POLL_INTERVAL).await;
    }
}

/// Returns the seconds since a time of the monotonic clock.
pub(super) fn seconds_since(start_ns: u64) -> f64 {
    (SystemClock.monotonic_ns() - start_ns) as f64 / 1e9
}
