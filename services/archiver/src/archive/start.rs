//! Starting a session.

use backend::Backend;
use clock::RetryTimer;
use eventlog::{Log, LogError, OffsetBounds};
use market::Position;
use store::{ArchiveProgress, TickStore};
use tokio_util::sync::CancellationToken;

use super::archiver::Archiver;
use super::pending::PendingRecords;
use super::session::ArchiverSession;
use crate::blocks::BlockBuilder;
use crate::error::ArchiverError;

impl<B: Backend> Archiver<B> {
    /// Loads the stored position and compares it with the log. Returns `None` if `stop` is
    /// cancelled first.
    pub(super) async fn start_session(
        &self,
        stop: &CancellationToken,
    ) -> Result<Option<ArchiverSession>, ArchiverError> {
        let load = || self.ticks.archive_progress(self.partition);
        let Some(stored) = self.retry_store_call(stop, load).await? else {
            return Ok(None);
        };
        let epoch = self.trades.epoch();
        let stored = stored.unwrap_or(ArchiveProgress {
            next_position: Position { epoch, offset: 0 },
            append_time_ns: 0,
        });
        let offset = self.resume_offset_or_zero_if_recreated(stored.next_position)?;
        let bounds = self.retry_log_call(stop, || self.trades.bounds(self.partition));
        let Some(bounds) = bounds.await? else {
            return Ok(None);
        };
        let checked = self
            .retry_log_call(stop, || self.trades.check_epoch())
            .await?;
        if checked.is_none() {
            return Ok(None);
        }
        self.check_offset_in_bounds(offset, bounds)?;
        let blocks = BlockBuilder::new(
            self.partition,
            self.trades.partition_count(),
            epoch,
            stored.append_time_ns,
        );
        Ok(Some(ArchiverSession {
            pending: PendingRecords::new(blocks, offset),
            retry_timer: RetryTimer::new(self.retry_policy()),
            ready_from: bounds.end,
        }))
    }

    /// Returns the offset at which to continue from the stored position: its own if the log is
    /// still of the same epoch, 0 if the topic was recreated.
    ///
    /// # Errors
    /// [`ArchiverError::Epoch`], if the position is of a later epoch than the log.
    fn resume_offset_or_zero_if_recreated(&self, stored: Position) -> Result<u64, ArchiverError> {
        let epoch = self.trades.epoch();
        if stored.epoch > epoch {
            return Err(ArchiverError::Epoch {
                partition: self.partition,
                found: stored.epoch,
                expected: epoch,
            });
        }
        if stored.epoch < epoch {
            tracing::warn!(
                partition = self.partition,
                before = stored.epoch,
                epoch,
                "the topic was recreated; archiving the new one from its beginning"
            );
            return Ok(0);
        }
        Ok(stored.offset)
    }

    /// Checks that the stored position is not beyond the end of the log, which would then be
    /// another log, and not before the first record that is kept: the records between would be
    /// missing.
    const fn check_offset_in_bounds(
        &self,
        offset: u64,
        bounds: OffsetBounds,
    ) -> Result<(), ArchiverError> {
        if bounds.first <= offset && offset <= bounds.end {
            return Ok(());
        }
        Err(self.log_error(LogError::OutOfRange {
            partition: self.partition,
            offset,
            first: bounds.first,
            end: bounds.end,
        }))
    }
}
