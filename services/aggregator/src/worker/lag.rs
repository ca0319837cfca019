//! How far the fold is behind the log.

use std::time::Duration;

use backend::Backend;
use clock::Clock;
use eventlog::Log;

use super::role::PartitionWorker;
use crate::core::FoldCore;

/// Measures the lag, and logs once when it becomes an alarm.
///
/// A record that stays unfolded for longer than the log keeps it is lost. The alarm is at half of
/// that time.
#[derive(Default)]
pub(super) struct LagMonitor {
    is_alarmed: bool,
}

impl LagMonitor {
    /// Sets the gauges of dirty minutes and of the lag in records and in seconds.
    pub(super) fn measure_lag<B: Backend>(&mut self, worker: &PartitionWorker<B>, core: &FoldCore) {
        worker.metrics.dirty.set(core.dirty_minute_count() as f64);
        let Some(end) = worker.topics.trades.end_hint(worker.partition) else {
            return;
        };
        let lag = end.saturating_sub(core.next_position().offset);
        worker.metrics.lag.set(lag as f64);
        let applied_ns = core.greatest_append_time_ns();
        let lag_ns = match lag > 0 && applied_ns > 0 {
            true => {
                let now_ns = worker.stores.clock.now_ns();
                now_ns.saturating_sub(applied_ns).max(0)
            }
            false => 0,
        };
        let lag = Duration::from_nanos(lag_ns.unsigned_abs());
        worker.metrics.lag_seconds.set(lag.as_secs_f64());
        let was_alarmed = std::mem::replace(&mut self.is_alarmed, lag > worker.config.lag_alarm);
        if self.is_alarmed && !was_alarmed {
            tracing::error!(
                partition = worker.partition,
                lag_seconds = lag.as_secs(),
                "the fold is behind by more than half of the time that the log keeps trades"
            );
        }
    }
}
