//! A process whose log cannot be written ends, and says why: whoever starts it anew, or gets an
//! alarm, can do something about it.

use std::time::Duration;

use anyhow::bail;
use clock::Clock;
use eventlog::EmbeddedLog;
use tokio_util::sync::CancellationToken;

use connect::Folder;

const EVERY: Duration = Duration::from_secs(1);

/// How long commits may fail one after the other. A full disk may be given room meanwhile.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks after the logs until it is told to stop.
///
/// # Errors
/// Where one has failed for too long or for good, with its file and the reason.
pub(super) async fn run<C: Clock>(
    folder: Folder,
    clock: C,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut logs = [folder.trades, folder.dead_letters].map(|log| (log, Patience::default()));
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = clock.sleep(EVERY) => {}
        }
        for (log, patience) in &mut logs {
            look(log, patience, clock.monotonic_ns())?;
        }
    }
}

fn look(log: &EmbeddedLog, patience: &mut Patience, now_ns: u64) -> anyhow::Result<()> {
    if let Some(reason) = log.permanent_failure() {
        bail!("the log cannot be written: {reason}");
    }
    patience.look(log.failing_since_ns(), now_ns)
}

/// How long a log has failed, by a clock that does not step.
#[derive(Default)]
struct Patience {
    /// Since when by the log's clock, and when that was first seen by ours.
    begun: Option<(i64, u64)>,
}

impl Patience {
    fn look(&mut self, failing: Option<(i64, String)>, now_ns: u64) -> anyhow::Result<()> {
        let Some((since_ns, reason)) = failing else {
            self.begun = None;
            return Ok(());
        };
        let seen_ns = match self.begun {
            Some((known_ns, seen_ns)) if known_ns == since_ns => seen_ns,
            _ => now_ns,
        };
        self.begun = Some((since_ns, seen_ns));
        let failing_for = Duration::from_nanos(now_ns.saturating_sub(seen_ns));
        if failing_for < PATIENCE {
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
        let failing = |since_ns| Some((since_ns, "trades.redb: no space".to_owned()));
        let mut patience = Patience::default();
        for second in 0..20 {
            patience.look(failing(7), second * SECOND_NS).unwrap();
        }
        patience.look(None, 20 * SECOND_NS).unwrap();
        patience.look(failing(9), 21 * SECOND_NS).unwrap();
        // It has succeeded and failed again in between.
        patience.look(failing(11), 40 * SECOND_NS).unwrap();
        patience.look(failing(11), 59 * SECOND_NS).unwrap();
        let error = patience.look(failing(11), 60 * SECOND_NS).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("for 20 s: trades.redb: no space"), "{text}");
    }
}
