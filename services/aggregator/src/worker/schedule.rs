//! When a session does its periodic work.

use std::time::Duration;

use clock::duration_ns;

use super::config::WorkerConfig;

/// How often the lag is measured.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// When each kind of periodic work is due next.
///
/// Times are of the monotonic clock, in nanoseconds. Each of them moves only when its work begins
/// or, for announcements, when it ends.
pub(super) struct SessionSchedule {
    config: WorkerConfig,
    next_announce_ns: u64,
    next_commit_ns: u64,
    next_advance_ns: u64,
    next_idle_advance_ns: u64,
    next_refold_ns: u64,
    next_lag_ns: u64,
}

/// Which kinds of work wait for their time.
pub(super) struct PendingWorkKinds {
    pub(super) announcement: bool,
    pub(super) commit: bool,
    pub(super) refolds: bool,
}

impl SessionSchedule {
    pub(super) fn new(config: WorkerConfig, now_ns: u64) -> Self {
        Self {
            next_announce_ns: now_ns,
            next_commit_ns: now_ns + duration_ns(config.commit_interval),
            next_advance_ns: now_ns + duration_ns(config.advance_interval),
            next_idle_advance_ns: now_ns + duration_ns(config.idle_advance_interval),
            next_refold_ns: now_ns,
            next_lag_ns: now_ns,
            config,
        }
    }

    pub(super) const fn is_announcement_due(&self, now_ns: u64) -> bool {
        now_ns >= self.next_announce_ns
    }

    /// Schedules the announcement after one that began at `begin_ns` and ended at `end_ns`: ten
    /// times later than it took, within the configured bounds.
    pub(super) fn schedule_announcement_after_last(&mut self, begin_ns: u64, end_ns: u64) {
        let config = &self.config;
        let interval = (Duration::from_nanos(end_ns - begin_ns) * 10)
            .clamp(config.min_announce_interval, config.max_announce_interval);
        self.next_announce_ns = begin_ns + duration_ns(interval);
    }

    /// Returns whether a commit is due, and schedules the next if so.
    pub(super) fn reschedule_commit_if_due(&mut self, now_ns: u64) -> bool {
        reschedule_if_due(
            &mut self.next_commit_ns,
            now_ns,
            self.config.commit_interval,
        )
    }

    /// Returns whether an advance is due while a window is open, and schedules the next if so.
    pub(super) fn reschedule_advance_if_due(&mut self, now_ns: u64) -> bool {
        reschedule_if_due(
            &mut self.next_advance_ns,
            now_ns,
            self.config.advance_interval,
        )
    }

    /// Returns whether an advance is due although no window is open, and schedules the next if so.
    pub(super) fn reschedule_idle_advance_if_due(&mut self, now_ns: u64) -> bool {
        reschedule_if_due(
            &mut self.next_idle_advance_ns,
            now_ns,
            self.config.idle_advance_interval,
        )
    }

    /// Puts the advances off, because the log is not quiet.
    pub(super) fn postpone_advance(&mut self, now_ns: u64) {
        self.next_advance_ns = now_ns + duration_ns(self.config.advance_interval);
        self.next_idle_advance_ns = now_ns + duration_ns(self.config.idle_advance_interval);
    }

    /// Returns whether the archiver is to be queried, and schedules the next query if so.
    pub(super) fn reschedule_archiver_query_if_due(&mut self, now_ns: u64) -> bool {
        reschedule_if_due(
            &mut self.next_refold_ns,
            now_ns,
            self.config.refold_interval,
        )
    }

    /// Returns whether the lag is to be measured, and schedules the next measurement if so.
    pub(super) fn reschedule_lag_measurement_if_due(&mut self, now_ns: u64) -> bool {
        reschedule_if_due(&mut self.next_lag_ns, now_ns, LAG_INTERVAL)
    }

    /// Returns when the session has to wake up: for the next advance, or sooner for pending work.
    pub(super) fn next_wake_ns(&self, pending: &PendingWorkKinds) -> u64 {
        let time_ns = |is_pending: bool, next_ns| if is_pending { next_ns } else { u64::MAX };
        self.next_advance_ns
            .min(time_ns(pending.announcement, self.next_announce_ns))
            .min(time_ns(pending.commit, self.next_commit_ns))
            .min(time_ns(pending.refolds, self.next_refold_ns))
    }
}

/// Returns whether `next_ns` has come, and moves it to `interval` from now if so.
fn reschedule_if_due(next_ns: &mut u64, now_ns: u64, interval: Duration) -> bool {
    if now_ns < *next_ns {
        return false;
    }
    *next_ns = now_ns + duration_ns(interval);
    true
}
