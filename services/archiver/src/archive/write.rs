//! Writing blocks and the position after them.

use backend::Backend;
use eventlog::Log;
use market::Position;
use store::{ArchiveProgress, TickStore};
use tokio_util::sync::CancellationToken;

use super::archiver::Archiver;
use super::pending::{PendingRecords, PendingWrite};
use crate::error::ArchiverError;

impl<B: Backend> Archiver<B> {
    /// Writes the blocks and then the position. Returns `false` if `stop` is cancelled first.
    pub(super) async fn write_unless_stopped(
        &self,
        pending: &mut PendingRecords,
        stop: &CancellationToken,
    ) -> Result<bool, ArchiverError> {
        let PendingWrite {
            blocks,
            ticks,
            next_offset,
            append_time_ns,
        } = pending.take_pending_write();
        // The records are of this epoch if the topic still is. If it is not, their offsets would
        // be mistaken for offsets of the new topic.
        let checked = self
            .retry_log_call(stop, || self.trades.check_epoch())
            .await?;
        if checked.is_none() {
            return Ok(false);
        }
        if !blocks.is_empty() {
            let insert = || self.ticks.insert(&blocks);
            if self.retry_store_call(stop, insert).await?.is_none() {
                return Ok(false);
            }
        }
        let progress = ArchiveProgress {
            next_position: Position {
                epoch: self.trades.epoch(),
                offset: next_offset,
            },
            append_time_ns,
        };
        let save = || {
            self.ticks
                .advance_archive_progress(self.partition, progress)
        };
        let saved = self.retry_store_call(stop, save).await?;
        pending.mark_stored();
        self.metrics.ticks.increment(ticks);
        self.metrics.blocks.increment(blocks.len() as u64);
        self.metrics.next_offset.set(next_offset as f64);
        Ok(saved.is_some())
    }
}
