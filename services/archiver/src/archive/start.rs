//! Starting a session.

use backend::Backend;
use clock::RetryTimer;
use eventlog::{Bounds, Log, LogError};
use market::Position;
use store::{ArchiveProgress, TickStore};
use tokio_util::sync::CancellationToken;

use super::archiver::Archiver;
use super::pending::PendingRecords;
use super::session::Session;
use crate::blocks::BlockBuilder;
use crate::error::ArchiverError;

impl<B: Backend> Archiver<B> {
    /// Loads the stored position and compares it with the log. Returns `None` if `stop` is
    /// cancelled first.
    pub(super) async fn start_session(
        &self,
        stop: &CancellationToken,
    ) -> Result<Option<Session>, ArchiverError> {
        let load = || self.ticks.archive_progress(self.partition);
        let Some(stored) = self.call_store(stop, load).await? else {
            return Ok(None);
        };
        let epoch = self.trades.epoch();
        let first = Position { epoch, offset: 0 };
        let stored = stored.unwrap_or(ArchiveProgress {
            next_position: first,
            append_time_ns: 0,
        });
        let mut position = stored.next_position;
        if position.epoch > epoch {
            return Err(ArchiverError::Epoch {
                partition: self.partition,
                found: position.epoch,
                expected: epoch,
            });
        }
        if position.epoch < epoch {
            tracing::warn!(
                partition = self.partition,
                before = position.epoch,
                epoch,
                "the topic was recreated; archiving the new one from its beginning"
            );
            position = first;
        }
        let bounds = self.call_log(stop, || self.trades.bounds(self.partition));
        let Some(bounds) = bounds.await? else {
            return Ok(None);
        };
        let checked = self.call_log(stop, || self.trades.check_epoch()).await?;
        if checked.is_none() {
            return Ok(None);
        }
        self.check_bounds(position.offset, bounds)?;
        let blocks = BlockBuilder::new(
            self.partition,
            self.trades.partitions(),
            epoch,
            stored.append_time_ns,
        );
        Ok(Some(Session {
            pending: PendingRecords::new(blocks, position.offset),
            retry_timer: RetryTimer::new(self.retry_policy()),
        }))
    }

    /// Checks that the stored position is not beyond the end of the log, which would then be
    /// another log, and not before the first record that is kept: the records between would be
    /// missing.
    const fn check_bounds(&self, offset: u64, bounds: Bounds) -> Result<(), ArchiverError> {
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
