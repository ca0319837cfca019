//! Reading the log.

use std::fmt::Display;
use std::pin::pin;
use std::time::Duration;

use backend::Backend;
use clock::Clock;
use eventlog::{Log, LogError, split_before_far_future_record};
use tokio_util::sync::CancellationToken;

use super::archiver::Archiver;
use super::session::{ArchiverSession, SessionStepOutcome};
use crate::error::ArchiverError;

/// How often an archiver that waits for a record checks whether it has read all that there are.
const READINESS_INTERVAL: Duration = Duration::from_secs(1);

impl<B: Backend> Archiver<B> {
    /// Waits until the log holds the next record. If the last attempt failed, waits before that
    /// until another one is due.
    pub(super) async fn wait_for_records(&self, session: &ArchiverSession) -> Result<(), LogError> {
        let next_offset = session.pending.next_offset();
        if session.retry_timer.has_last_attempt_failed() {
            session.retry_timer.wait_until_due(&self.clock).await;
            // While there is nothing to read, nothing else would notice that the log is back.
            let bounds = self.trades.bounds(self.partition).await?;
            if self.has_read_to(next_offset, bounds.end) {
                self.health.ready();
            }
        }
        let mut wait = pin!(self.trades.wait_for_record(self.partition, next_offset));
        // The log may learn only while it waits that it holds no further record.
        while !self.has_read_to(next_offset, session.ready_from) {
            tokio::select! {
                biased;
                waited = &mut wait => return waited,
                () = self.clock.sleep(READINESS_INTERVAL) => self.report_readiness(session),
            }
        }
        wait.await
    }

    /// Reports whether a session has read what the log held when the session began.
    pub(super) fn report_readiness(&self, session: &ArchiverSession) {
        let is_read_to = |next_offset, end| self.has_read_to(next_offset, end);
        session.report_readiness(is_read_to, &self.health);
    }

    /// Returns whether an archiver that has read every record before `next_offset` has read every
    /// record before `end`.
    fn has_read_to(&self, next_offset: u64, end: u64) -> bool {
        self.trades.is_read_to(self.partition, next_offset, end)
    }

    /// Fetches records, adds them to the blocks, and writes those that end or are due.
    pub(super) async fn fetch_and_archive(
        &self,
        session: &mut ArchiverSession,
        stop: &CancellationToken,
    ) -> Result<SessionStepOutcome, ArchiverError> {
        let ArchiverSession {
            pending,
            retry_timer,
            ..
        } = session;
        let fetch = self.trades.fetch(
            self.partition,
            pending.next_offset(),
            self.policy.fetch_bytes,
        );
        let batch = match clock::timeout(&self.clock, self.policy.call_timeout, fetch).await {
            Ok(Ok(batch)) => batch,
            Ok(Err(error)) => return self.handle_log_error(session, error, stop).await,
            Err(elapsed) => {
                self.report_and_delay_next_attempt(session, &elapsed);
                return Ok(SessionStepOutcome::Continue);
            }
        };
        let now_ns = self.clock.now_ns();
        let (records, future) = split_before_far_future_record(&batch.records, now_ns);
        if let (true, Some(future)) = (records.is_empty(), future) {
            self.report_and_delay_next_attempt(session, &future);
            return Ok(SessionStepOutcome::Continue);
        }
        retry_timer.record_success();
        pending.start_delay_timer_if_empty(&self.clock);
        for record in records {
            let block_ends = pending.push_and_is_block_end(record, &self.policy);
            if block_ends && !self.write_unless_stopped(pending, stop).await? {
                return Ok(SessionStepOutcome::Stopped);
            }
        }
        if pending.is_max_delay_over(&self.clock, &self.policy)
            && !self.write_unless_stopped(pending, stop).await?
        {
            return Ok(SessionStepOutcome::Stopped);
        }
        Ok(SessionStepOutcome::Continue)
    }

    /// Decides how an error of the log changes the session.
    ///
    /// # Errors
    /// The error itself, if no retry can help.
    pub(super) async fn handle_log_error(
        &self,
        session: &mut ArchiverSession,
        error: LogError,
        stop: &CancellationToken,
    ) -> Result<SessionStepOutcome, ArchiverError> {
        match error {
            LogError::Closed => Ok(SessionStepOutcome::Stopped),
            LogError::OutOfRange { .. } => {
                self.end_session_out_of_range(session, &error, stop).await
            }
            error if error.is_transient() => {
                self.report_and_delay_next_attempt(session, &error);
                Ok(SessionStepOutcome::Continue)
            }
            error => Err(self.log_error(error)),
        }
    }

    /// Ends a session whose next record the log does not hold. If the log has dropped that
    /// record, what was read before it is written. If it lies beyond the end, the log has lost
    /// what was read, which is not written then.
    async fn end_session_out_of_range(
        &self,
        session: &mut ArchiverSession,
        error: &LogError,
        stop: &CancellationToken,
    ) -> Result<SessionStepOutcome, ArchiverError> {
        let pending = &mut session.pending;
        let writes = error.is_below_retention() && !pending.is_empty();
        if writes && !self.write_unless_stopped(pending, stop).await? {
            return Ok(SessionStepOutcome::Stopped);
        }
        self.report_and_delay_next_attempt(session, error);
        let wait = session.retry_timer.wait_until_due(&self.clock);
        Ok(match stop.run_until_cancelled(wait).await {
            Some(()) => SessionStepOutcome::OutOfRange,
            None => SessionStepOutcome::Stopped,
        })
    }

    /// Reports the failure `reason` and delays the next attempt by the backoff.
    fn report_and_delay_next_attempt(&self, session: &mut ArchiverSession, reason: &impl Display) {
        self.report_failed_attempt(reason);
        session.retry_timer.record_failure(&self.clock);
    }
}
