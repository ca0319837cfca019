//! The order of effects: announce, then commit.

use backend::Backend;
use clock::Clock;
use market::Position;
use store::{BarStore, CommitOutcome, StoreError};
use tokio_util::sync::CancellationToken;

use super::announce::{Announcer, append_dead_letters_unless_stopped};
use super::background::SessionCallStarter;
use super::commit::{CommitRetrySettings, commit};
use super::commit_state::CommitState;
use super::readiness::SessionReadiness;
use super::refused_commit::RefusedCommit;
use super::role::PartitionWorker;
use super::session_end::SessionEnd;
use crate::core::FoldCore;
use crate::error::WorkerError;

/// How many rows may wait to be written: as many as a store writes in a few seconds.
const MAX_UNWRITTEN_ROWS: usize = 500_000;

/// Brings the changes of the core to the topics and then to the store.
pub(super) struct Committer<'a, B: Backend> {
    worker: &'a PartitionWorker<B>,
    stop: &'a CancellationToken,
    announcer: Announcer,
    state: CommitState,
    background: SessionCallStarter,
}

impl<'a, B: Backend> Committer<'a, B> {
    pub(super) const fn new(
        worker: &'a PartitionWorker<B>,
        stop: &'a CancellationToken,
        core: &FoldCore,
        background: SessionCallStarter,
    ) -> Self {
        Self {
            worker,
            stop,
            announcer: Announcer::new(core.earliest_next_update_position()),
            state: CommitState::new(core.next_position()),
            background,
        }
    }

    /// Returns which part of the fold is stored, and the commit under way.
    pub(super) const fn commit_state(&self) -> &CommitState {
        &self.state
    }

    /// Returns the handle that starts background calls.
    pub(super) const fn background_call_starter(&self) -> &SessionCallStarter {
        &self.background
    }

    pub(super) const fn add_folded_bytes(&mut self, bytes: u64) {
        self.state.add_folded_bytes(bytes);
    }

    /// Announces changed bars. Returns `false` if the worker is stopped first.
    pub(super) async fn announce_changed_bars_unless_stopped(
        &mut self,
        core: &mut FoldCore,
    ) -> Result<bool, WorkerError> {
        self.announcer
            .announce_changed_bars_unless_stopped(self.worker, core, self.stop)
            .await
    }

    /// Announces changed bars and appends dead letters of the records before the next one, and only
    /// then begins the transaction that moves the offset there. Returns `false` if the worker is
    /// stopped first.
    pub(super) async fn begin_commit_unless_stopped(
        &mut self,
        core: &mut FoldCore,
    ) -> Result<bool, WorkerError> {
        if core.next_position() == self.state.stored_position() {
            return Ok(true);
        }
        let (worker, stop) = (self.worker, self.stop);
        // Records of the next generation must not be taken for records of this one.
        if !worker.check_epoch_unless_stopped(stop).await? {
            return Ok(false);
        }
        if !core.is_between_records()
            || !self.announce_changed_bars_unless_stopped(core).await?
            || !append_dead_letters_unless_stopped(worker, core, stop).await?
        {
            return Ok(false);
        }
        let transaction = core.flush(
            self.state.stored_position(),
            self.announcer.earliest_next_update_position(),
        );
        let call = commit(
            worker.stores.bars.clone(),
            worker.stores.clock.clone(),
            transaction,
            CommitRetrySettings {
                timeout: worker.config.call_timeout,
                policy: worker.retry_policy(),
            },
            worker.health.clone(),
        );
        let begin_ns = worker.stores.clock.monotonic_ns();
        let answer = self.background.start(call);
        self.state
            .record_begun_commit(answer, core.next_position(), begin_ns);
        Ok(true)
    }

    /// Checks whether the store would accept what was folded. Nothing is announced or stored, and
    /// the session ends.
    pub(super) async fn dry_run_commit_unless_stopped(
        &mut self,
        core: &mut FoldCore,
    ) -> Result<SessionEnd, WorkerError> {
        let begin = self.state.stored_position();
        let next_update = self.announcer.earliest_next_update_position();
        let transaction = core.flush(begin, next_update);
        let bars = &self.worker.stores.bars;
        let check = || async {
            match bars.dry_run_commit(&transaction).await {
                Ok(CommitOutcome::Committed) => Ok(SessionEnd::LeaveOutChecked),
                Ok(CommitOutcome::Conflict) => Ok(SessionEnd::Lost),
                Err(error) if error.is_data_refused() => {
                    Ok(SessionEnd::DataRefused(RefusedCommit {
                        begin,
                        end_offset: transaction.progress.next_offset,
                        record_count: None,
                        reason: error.to_string(),
                    }))
                }
                Err(error) => Err(error),
            }
        };
        let end = self.worker.retry_store_call(self.stop, check).await?;
        Ok(end.unwrap_or(SessionEnd::Stopped))
    }

    /// Waits for the outcome of the commit under way; for ever if there is none. The future may be
    /// dropped and called again until it has returned.
    pub(super) async fn wait_for_outcome(&mut self) -> Result<CommitOutcome, StoreError> {
        self.state.wait_for_outcome().await
    }

    /// Ends the commit under way. Returns how the session ends if the commit failed.
    pub(super) fn end_commit(
        &mut self,
        outcome: Result<CommitOutcome, StoreError>,
        core: &mut FoldCore,
        readiness: &SessionReadiness,
    ) -> Result<Option<SessionEnd>, WorkerError> {
        let worker = self.worker;
        match outcome {
            Ok(CommitOutcome::Committed) => {
                let spent = self
                    .state
                    .end_successful_commit(worker.stores.clock.monotonic_ns());
                core.record_commit_and_evict_unused();
                readiness.report_recovery();
                worker.metrics.commits.increment(1);
                worker.metrics.commit_seconds.record(spent.as_secs_f64());
                Ok(None)
            }
            Ok(CommitOutcome::Conflict) => Ok(Some(SessionEnd::Lost)),
            Err(error) if error.is_data_refused() => {
                Ok(Some(SessionEnd::DataRefused(RefusedCommit {
                    begin: self.state.stored_position(),
                    end_offset: self.state.target_position().offset,
                    record_count: None,
                    reason: error.to_string(),
                })))
            }
            Err(source) => Err(worker.store_error(source)),
        }
    }

    /// Commits everything that was applied. Returns how the session ends if that fails.
    pub(super) async fn commit_all(
        &mut self,
        core: &mut FoldCore,
        readiness: &SessionReadiness,
    ) -> Result<Option<SessionEnd>, WorkerError> {
        while self.is_uncommitted_at(core.next_position()) || self.state.is_commit_under_way() {
            if !self.state.is_commit_under_way() && !self.begin_commit_unless_stopped(core).await? {
                return Ok(Some(SessionEnd::Stopped));
            }
            let outcome = self.wait_for_outcome().await;
            let ended = self.end_commit(outcome, core, readiness)?;
            if ended.is_some() {
                return Ok(ended);
            }
        }
        Ok(None)
    }

    /// Returns why no more records may be folded before those folded are committed, if so. The
    /// changes are one transaction, which the store has to commit within the timeout of a call.
    pub(super) fn pause_reason(&self, core: &FoldCore) -> Option<String> {
        let uncommitted_bytes = self.state.uncommitted_bytes();
        let (metrics, config) = (&self.worker.metrics, &self.worker.config);
        metrics.uncommitted_bytes.set(uncommitted_bytes as f64);
        let limit_bytes = config.max_uncommitted_bytes;
        if uncommitted_bytes >= limit_bytes {
            return Some(format!(
                "{uncommitted_bytes} bytes of folded records wait for the store to commit them"
            ));
        }
        let is_large = uncommitted_bytes >= limit_bytes / 16;
        (is_large && core.unwritten_row_count() >= MAX_UNWRITTEN_ROWS)
            .then(|| format!("{MAX_UNWRITTEN_ROWS} rows wait for the store to write them"))
    }

    /// Returns whether the stored state is not at `position`, as far as is known.
    pub(super) fn is_uncommitted_at(&self, position: Position) -> bool {
        position != self.state.stored_position()
    }
}
