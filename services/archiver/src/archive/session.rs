//! What an archiver holds between loading the stored position and loading it again.

use clock::RetryTimer;
use host::HealthComponent;

use super::pending::PendingRecords;

/// The state of an archiver from loading the stored position until it has to load it again.
pub(super) struct ArchiverSession {
    pub(super) pending: PendingRecords,
    /// When the log may be read again after a failure.
    pub(super) retry_timer: RetryTimer,
    /// The end of the log when the session began.
    pub(super) ready_from: u64,
}

impl ArchiverSession {
    /// Reports whether the archiver is ready: it is once it has read the records that the log held
    /// when the session began, unless the last attempt to read failed. `is_read_to` says whether a
    /// caller that has read every record before the first offset has read all before the second.
    pub(super) fn report_readiness(
        &self,
        is_read_to: impl FnOnce(u64, u64) -> bool,
        health: &HealthComponent,
    ) {
        if self.retry_timer.has_last_attempt_failed() {
            return;
        }
        match is_read_to(self.pending.next_offset(), self.ready_from) {
            true => health.ready(),
            false => health.not_ready("archiving the records that the log holds already"),
        }
    }
}

/// Whether a session continues after reading, or why it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionStepOutcome {
    /// The session continues.
    Continue,
    /// The archiver was stopped.
    Stopped,
    /// The log does not hold the next record. The position has to be loaded again: another
    /// archiver may have moved it meanwhile.
    OutOfRange,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clock::{ManualClock, RetryPolicy};
    use eventlog::Record;
    use host::Health;

    use super::*;
    use crate::archive::policy::BlockPolicy;
    use crate::blocks::BlockBuilder;

    #[test]
    fn an_archiver_is_ready_once_it_has_read_what_the_log_held_at_its_start() {
        let health = Health::default();
        let component = health.register("archiver-0");
        let policy = RetryPolicy::new(Duration::from_secs(1), Duration::from_secs(1));
        let is_read_to = |next_offset, end| next_offset >= end;
        let mut session = ArchiverSession {
            pending: PendingRecords::new(BlockBuilder::new(0, 1, 1, 0), 5),
            retry_timer: RetryTimer::new(policy),
            ready_from: 7,
        };
        for (offset, is_ready) in [(5, false), (6, true), (7, true)] {
            session.report_readiness(is_read_to, &component);
            assert_eq!(health.readiness().is_ready(), offset > 6, "before {offset}");
            let record = Record {
                offset,
                append_time_ns: 0,
                key: Default::default(),
                value: Default::default(),
            };
            session
                .pending
                .push_and_is_block_end(&record, &BlockPolicy::default());
            session.report_readiness(is_read_to, &component);
            assert_eq!(health.readiness().is_ready(), is_ready, "after {offset}");
        }
        // A failure that was reported stays until the log can be read again.
        session.retry_timer.record_failure(&ManualClock::new(0));
        component.not_ready("no answer");
        session.report_readiness(is_read_to, &component);
        assert!(!health.readiness().is_ready());
        session.retry_timer.record_success();
        session.report_readiness(is_read_to, &component);
        assert!(health.readiness().is_ready());
    }
}
