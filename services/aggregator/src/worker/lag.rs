//! How far folding is behind the log.

use std::time::Duration;

use clock::{Clock, duration_ns};
use eventlog::Log;
use store::{BarStore, HotStore, TickStore};

use super::session::Session;

/// How often the end of the log is looked at, for its lag.
const LAG_EVERY: Duration = Duration::from_secs(1);

impl<L, U, D, S, T, H, C> Session<'_, L, U, D, S, T, H, C>
where
    L: Log,
    U: Log,
    D: Log,
    S: BarStore,
    T: TickStore,
    H: HotStore,
    C: Clock,
{
    pub(super) fn note_lag_if_due(&mut self) {
        let worker = self.worker;
        let now_ns = worker.stores.clock.monotonic_ns();
        if now_ns < self.next_lag_ns {
            return;
        }
        self.next_lag_ns = now_ns + duration_ns(LAG_EVERY);
        worker.metrics.dirty.set(self.core.dirty() as f64);
        if let Some(end) = worker.topics.trades.end_hint(worker.partition) {
            let lag = end.saturating_sub(self.core.next_offset());
            worker.metrics.lag.set(lag as f64);
            self.note_lag_in_time(lag > 0);
        }
    }

    /// What lies in the log longer than it is kept there is lost: half of that is an alarm.
    fn note_lag_in_time(&mut self, is_behind: bool) {
        let worker = self.worker;
        let since_ns = self.core.append_time_ns();
        let lag_ns = match is_behind && since_ns > 0 {
            true => worker.stores.clock.now_ns().saturating_sub(since_ns).max(0),
            false => 0,
        };
        let lag = Duration::from_nanos(lag_ns.unsigned_abs());
        worker.metrics.lag_seconds.set(lag.as_secs_f64());
        let was_far_behind = std::mem::replace(&mut self.far_behind, lag > worker.pace.lag_most);
        if self.far_behind && !was_far_behind {
            tracing::error!(
                partition = worker.partition,
                lag_seconds = lag.as_secs(),
                "folding is behind by more than half of the time that the log keeps trades"
            );
        }
    }
}
