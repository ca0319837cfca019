//! The life of a worker: load the state, check it against the log, fold until the session ends.

use backend::Backend;
use eventlog::{Log, LogError};
use store::{BarReader, BarStore, PartitionProgress, PartitionState};
use tokio_util::sync::CancellationToken;

use super::background::background_call_channel;
use super::refused_commit::{CommitMode, RefusedRecordSearch};
use super::role::PartitionWorker;
use super::session::WorkerSession;
use super::session_end::SessionEnd;
use crate::core::{FoldCore, RecordToLeaveOut};
use crate::error::WorkerError;

impl<B: Backend> PartitionWorker<B> {
    /// Folds the partition until `stop` is cancelled, then commits what was folded. If another
    /// worker has moved the partition, this one drops its state and loads it again.
    ///
    /// # Errors
    /// [`WorkerError`] if no retry can help.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), WorkerError> {
        let mut search = RefusedRecordSearch::default();
        loop {
            let Some(state) = self.load_state(&stop).await? else {
                return Ok(());
            };
            let Some(end) = self
                .check_progress_and_load_log_end(&state.progress, &stop)
                .await?
            else {
                return Ok(());
            };
            if end > state.progress.next_offset {
                self.health
                    .not_ready("folding the records that the log holds already");
            }
            let progress = state.progress;
            let mut core = FoldCore::new(state, self.topics.trades.partition_count());
            let mut is_check = false;
            if let Some(record) = search.suspected_record() {
                is_check = !record.is_checked;
                core.set_record_to_leave_out(RecordToLeaveOut {
                    offset: record.offset,
                    reason: record.reason.clone(),
                    closes_windows: is_check,
                });
            }
            let (background, driver) = background_call_channel();
            let mode = CommitMode {
                limit: search.commit_limit(),
                is_check,
            };
            let session = WorkerSession::new(self, core, end, background, mode, &stop);
            let ended = tokio::select! {
                biased;
                never = driver.drive() => match never {},
                ended = session.run() => ended?,
            };
            match ended {
                SessionEnd::Stopped => return Ok(()),
                SessionEnd::DataRefused(refused) => {
                    let progress = match self.reload_progress(&stop).await? {
                        Some(stored) => stored.unwrap_or(progress),
                        None => return Ok(()),
                    };
                    let continued = search.continue_after(self, refused, &progress, &stop);
                    if !continued.await? {
                        return Ok(());
                    }
                    continue;
                }
                SessionEnd::LeaveOutChecked => {
                    if !search.leave_out(self, &stop).await? {
                        return Ok(());
                    }
                    continue;
                }
                SessionEnd::Lost => {
                    self.metrics.lost.increment(1);
                    tracing::warn!(
                        partition = self.partition,
                        "another worker has moved this partition; loading it again"
                    );
                }
                // The next check of the bounds decides whether the next record is gone.
                SessionEnd::OutOfRange => {}
            }
            search.end();
        }
    }

    /// Loads the stored state. Returns `None` if the worker is stopped first.
    async fn load_state(
        &self,
        stop: &CancellationToken,
    ) -> Result<Option<PartitionState>, WorkerError> {
        let epoch = self.topics.trades.epoch();
        self.retry_store_call(stop, || {
            self.stores
                .bars
                .load_or_create_partition(self.partition, epoch)
        })
        .await
    }

    /// Reads how far the stored state goes. Returns `None` if the worker is stopped first.
    async fn reload_progress(
        &self,
        stop: &CancellationToken,
    ) -> Result<Option<Option<PartitionProgress>>, WorkerError> {
        let read = || self.stores.bars.partition_progress(self.partition);
        self.retry_store_call(stop, read).await
    }

    /// Returns the end of the log, or `None` if the worker is stopped before it is known.
    ///
    /// # Errors
    /// If the stored state is of another epoch or beyond the end of the log, it was folded from
    /// another log. If it ends before the first record that is kept, records are lost.
    async fn check_progress_and_load_log_end(
        &self,
        stored: &PartitionProgress,
        stop: &CancellationToken,
    ) -> Result<Option<u64>, WorkerError> {
        let trades = &self.topics.trades;
        if stored.epoch != trades.epoch() {
            let topic = schemas::TRADES.to_owned();
            return Err(self.log_error(LogError::Recreated { topic }));
        }
        let bounds = self
            .retry_log_call(stop, || trades.bounds(self.partition))
            .await?;
        let Some(bounds) = bounds else {
            return Ok(None);
        };
        if !self.check_epoch_unless_stopped(stop).await? {
            return Ok(None);
        }
        let offset = stored.next_offset;
        if (bounds.first..=bounds.end).contains(&offset) {
            return Ok(Some(bounds.end));
        }
        Err(self.log_error(LogError::OutOfRange {
            partition: self.partition,
            offset,
            first: bounds.first,
            end: bounds.end,
        }))
    }
}
