//! Ends a process whose log cannot be written, and reports the reason, so that the service manager
//! or an operator can act on it.

use std::time::Duration;

use anyhow::bail;
use clock::Clock;
use connect::DataFolder;
use eventlog::{EmbeddedLog, OngoingCommitFailure};
use tokio_util::sync::CancellationToken;

/// The time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long commits may fail one after the other. A full disk may be given room meanwhile.
const MAX_FAILING_TIME: Duration = Duration::from_secs(20);

/// Checks the logs of a folder until `stop` is cancelled.
///
/// # Errors
/// If one has failed for too long or permanently, with its file and the reason.
pub(super) async fn watch_logs_for_failures<C: Clock>(
    folder: DataFolder,
    clock: C,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut logs = [folder.trades, folder.dead_letters].map(|log| (log, FailureTimer::default()));
    loop {
        let sleep = clock.sleep(CHECK_INTERVAL);
        if stop.run_until_cancelled(sleep).await.is_none() {
            return Ok(());
        }
        for (log, timer) in &mut logs {
            check_log_failure(log, timer, clock.monotonic_ns())?;
        }
    }
}

fn check_log_failure(
    log: &EmbeddedLog,
    timer: &mut FailureTimer,
    now_ns: u64,
) -> anyhow::Result<()> {
    if let Some(reason) = log.permanent_failure() {
        bail!("the log cannot be written: {reason}");
    }
    timer.record_and_check_failing_time(log.ongoing_commit_failure(), now_ns)
}

/// Measures how long a log has failed, by a clock that does not step.
#[derive(Default)]
struct FailureTimer {
    /// Since when the log fails by its own clock, which may step, and when that was first seen on
    /// the monotonic clock.
    failure: Option<(i64, u64)>,
}

impl FailureTimer {
    /// Checks how long the log has failed. `failing` is the time of the first failure, by the
    /// log's own clock, and the reason; `None` if the log does not fail.
    ///
    /// # Errors
    /// If the log has failed for [`MAX_FAILING_TIME`].
    fn record_and_check_failing_time(
        &mut self,
        failing: Option<OngoingCommitFailure>,
        now_ns: u64,
    ) -> anyhow::Result<()> {
        let Some(OngoingCommitFailure {
            since_ns,
            last_error: reason,
        }) = failing
        else {
            self.failure = None;
            return Ok(());
        };
        let seen_ns = match self.failure {
            Some((known_ns, seen_ns)) if known_ns == since_ns => seen_ns,
            _ => now_ns,
        };
        self.failure = Some((since_ns, seen_ns));
        let failing_for = Duration::from_nanos(now_ns.saturating_sub(seen_ns));
        if failing_for < MAX_FAILING_TIME {
            return Ok(());
        }
        let seconds = failing_for.as_secs();
        bail!(
            "the log could not be written for {seconds} s: {reason}; what was acknowledged is \
             safe: make room or mend the disk, then start the process again"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn only_failures_in_a_row_end_the_process() {
        let failing = |since_ns| {
            Some(OngoingCommitFailure {
                since_ns,
                last_error: "trades.redb: no space".to_owned(),
            })
        };
        let mut timer = FailureTimer::default();
        for second in 0..20 {
            timer
                .record_and_check_failing_time(failing(7), second * SECOND_NS)
                .unwrap();
        }
        timer
            .record_and_check_failing_time(None, 20 * SECOND_NS)
            .unwrap();
        timer
            .record_and_check_failing_time(failing(9), 21 * SECOND_NS)
            .unwrap();
        // The log has succeeded and failed again in between.
        timer
            .record_and_check_failing_time(failing(11), 40 * SECOND_NS)
            .unwrap();
        timer
            .record_and_check_failing_time(failing(11), 59 * SECOND_NS)
            .unwrap();
        let error = timer
            .record_and_check_failing_time(failing(11), 60 * SECOND_NS)
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("for 20 s: trades.redb: no space"), "{text}");
    }
}
