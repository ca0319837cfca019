//! The archiver of one partition.

use backend::Backend;
use clock::Clock;
use eventlog::LogError;
use host::HealthComponent;
use tokio_util::sync::CancellationToken;

use super::policy::BlockPolicy;
use super::session::SessionStepOutcome;
use crate::error::ArchiverError;
use crate::metrics::ArchiverMetrics;

/// The archiver of one partition: it reads the log, groups trades, edits and cancels into blocks,
/// and writes these to the tick store.
pub struct Archiver<B: Backend> {
    /// The partition of `trades`.
    pub partition: u32,
    /// The topic `trades`.
    pub trades: B::Trades,
    /// The store that ticks are written to.
    pub ticks: B::Ticks,
    /// The clock.
    pub clock: B::Clock,
    /// When blocks end, and the limits of calls.
    pub policy: BlockPolicy,
    /// The metrics of this partition.
    pub metrics: ArchiverMetrics,
    /// Where the archiver reports whether it is ready.
    pub health: HealthComponent,
}

impl<B: Backend> Archiver<B> {
    /// Archives the partition until `stop` is cancelled, then writes what it has read by then.
    ///
    /// # Errors
    /// [`ArchiverError`], if no retry can help.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), ArchiverError> {
        while self.run_session(&stop).await? == SessionStepOutcome::OutOfRange {}
        Ok(())
    }

    /// Archives everything below `end_offset`, then returns. Only for a log that no other
    /// process writes.
    ///
    /// # Errors
    /// [`ArchiverError`], if no retry can help.
    pub async fn catch_up(&self, end_offset: u64) -> Result<(), ArchiverError> {
        let stop = CancellationToken::new();
        let Some(mut session) = self.start_session(&stop).await? else {
            return Ok(());
        };
        while session.pending.next_offset() < end_offset {
            match self.fetch_and_archive(&mut session, &stop).await? {
                SessionStepOutcome::Continue => {
                    session.retry_timer.wait_until_due(&self.clock).await;
                }
                SessionStepOutcome::Stopped => break,
                SessionStepOutcome::OutOfRange => match self.start_session(&stop).await? {
                    Some(next) => session = next,
                    None => break,
                },
            }
        }
        self.write_unless_stopped(&mut session.pending, &stop)
            .await?;
        Ok(())
    }

    /// Archives starting at the stored position.
    async fn run_session(
        &self,
        stop: &CancellationToken,
    ) -> Result<SessionStepOutcome, ArchiverError> {
        let Some(mut session) = self.start_session(stop).await? else {
            return Ok(SessionStepOutcome::Stopped);
        };
        loop {
            self.report_readiness(&session);
            let until_due = session
                .pending
                .time_until_max_delay_over(&self.clock, &self.policy);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.clock.sleep(until_due), if !session.pending.is_empty() => {
                    if !self.write_unless_stopped(&mut session.pending, stop).await? {
                        return Ok(SessionStepOutcome::Stopped);
                    }
                }
                waited = self.wait_for_records(&session) => {
                    let outcome = match waited {
                        Ok(()) => self.fetch_and_archive(&mut session, stop).await?,
                        Err(LogError::Closed) => break,
                        Err(error) => self.handle_log_error(&mut session, error, stop).await?,
                    };
                    if outcome != SessionStepOutcome::Continue {
                        return Ok(outcome);
                    }
                }
            }
        }
        self.write_unless_stopped(&mut session.pending, stop)
            .await?;
        Ok(SessionStepOutcome::Stopped)
    }

    pub(super) const fn log_error(&self, source: LogError) -> ArchiverError {
        ArchiverError::Log {
            partition: self.partition,
            source,
        }
    }
}
