//! One stretch of folding, from a loaded state until the worker is stopped or loses the partition.

mod limited_commits;

use std::time::Duration;

use backend::Backend;
use clock::{Clock, RetryTimer};
use eventlog::{Log, LogError, Record, split_before_far_future_record};
use market::Position;
use store::{BarReader, TickStore};
use tokio_util::sync::CancellationToken;

use super::archiver_query::ArchiverQuery;
use super::background::SessionCallStarter;
use super::committer::Committer;
use super::fetch::{FetchOutcome, fetch_records, record_bytes};
use super::id_memory_budget::IdMemoryShare;
use super::lag::LagMonitor;
use super::load::LoadPlan;
use super::own_records::append_advance;
use super::readiness::SessionReadiness;
use super::refolds::{RefoldCall, RefoldError, fold_and_append_refolds};
use super::refused_commit::CommitMode;
use super::role::PartitionWorker;
use super::schedule::{PendingWorkKinds, SessionSchedule};
use super::session_end::SessionEnd;
use crate::core::FoldCore;
use crate::error::WorkerError;

/// How many minutes are refolded at once.
const MAX_REFOLDS: usize = 256;

/// What folding some records has come to.
enum FoldOutcome {
    /// All are folded. As many of them, the last ones, are not committed yet.
    Folded {
        uncommitted_count: usize,
    },
    Ended(SessionEnd),
}

/// One stretch of folding. It orders the work of its parts: announce, then commit.
pub(super) struct WorkerSession<'a, B: Backend> {
    worker: &'a PartitionWorker<B>,
    stop: &'a CancellationToken,
    core: FoldCore,
    committer: Committer<'a, B>,
    archiver: ArchiverQuery,
    refolds: RefoldCall,
    /// How it commits while a record is searched for whose effects the store refuses.
    mode: CommitMode,
    schedule: SessionSchedule,
    readiness: SessionReadiness,
    lag: LagMonitor,
    id_memory: IdMemoryShare,
    /// The backoff while the log does not answer.
    log_retries: RetryTimer,
}

impl<'a, B: Backend> WorkerSession<'a, B> {
    /// Begins with a loaded core. `log_end` is the end of the log now.
    pub(super) fn new(
        worker: &'a PartitionWorker<B>,
        core: FoldCore,
        log_end: u64,
        background: SessionCallStarter,
        mode: CommitMode,
        stop: &'a CancellationToken,
    ) -> Self {
        let now_ns = worker.stores.clock.monotonic_ns();
        Self {
            worker,
            stop,
            committer: Committer::new(worker, stop, &core, background),
            core,
            archiver: ArchiverQuery::default(),
            refolds: RefoldCall::default(),
            mode,
            schedule: SessionSchedule::new(worker.config, now_ns),
            readiness: SessionReadiness::new(worker.health.clone(), log_end),
            lag: LagMonitor::default(),
            id_memory: worker.id_memory.join(),
            log_retries: RetryTimer::new(worker.retry_policy()),
        }
    }

    /// Folds until the session ends.
    pub(super) async fn run(mut self) -> Result<SessionEnd, WorkerError> {
        let worker = self.worker;
        loop {
            if !self.announce_if_due_unless_stopped().await?
                || !self.begin_commit_if_due_unless_stopped().await?
            {
                return Ok(SessionEnd::Stopped);
            }
            let next_offset = self.core.next_position().offset;
            let trades = &worker.topics.trades;
            let is_folded_to = |end| trades.is_read_to(worker.partition, next_offset, end);
            self.readiness
                .report_ready_if_caught_up(is_folded_to, self.core.may_have_announcements());
            self.append_advance_if_due().await;
            self.query_archiver_if_due();
            self.measure_lag_if_due();
            self.limit_id_memory();
            let sleep = worker.stores.clock.sleep(self.time_until_wake());
            let can_fetch = self.can_fetch();
            tokio::select! {
                biased;
                outcome = self.committer.wait_for_outcome() => {
                    let (core, readiness) = (&mut self.core, &self.readiness);
                    if let Some(end) = self.committer.end_commit(outcome, core, readiness)? {
                        return Ok(end);
                    }
                }
                () = self.stop.cancelled() => return self.commit_all_and_end().await,
                archived = self.archiver.wait_for_answer() => self.begin_refolds(archived),
                ended = self.refolds.wait_for_end() => self.end_refolds(ended)?,
                ready = worker.topics.trades.wait_for_record(worker.partition, next_offset),
                    if can_fetch =>
                {
                    match ready {
                        Ok(()) => {
                            if let Some(end) = self.fetch_and_fold().await? {
                                return Ok(end);
                            }
                        }
                        Err(LogError::Closed) => return self.commit_all_and_end().await,
                        Err(error @ LogError::OutOfRange { .. }) => {
                            return self.end_session_out_of_range(&error).await;
                        }
                        Err(error) if error.is_transient() => {
                            self.back_off(&error.to_string()).await;
                        }
                        Err(source) => return Err(worker.log_error(source)),
                    }
                }
                () = sleep => {}
            }
        }
    }

    /// Announces changed bars if it is time. Returns `false` if the worker is stopped first.
    async fn announce_if_due_unless_stopped(&mut self) -> Result<bool, WorkerError> {
        let begin_ns = self.monotonic_ns();
        if !self.schedule.is_announcement_due(begin_ns) || !self.core.may_have_announcements() {
            return Ok(true);
        }
        if !self
            .committer
            .announce_changed_bars_unless_stopped(&mut self.core)
            .await?
        {
            return Ok(false);
        }
        let end_ns = self.monotonic_ns();
        self.schedule
            .schedule_announcement_after_last(begin_ns, end_ns);
        Ok(true)
    }

    async fn begin_commit_if_due_unless_stopped(&mut self) -> Result<bool, WorkerError> {
        let now_ns = self.monotonic_ns();
        if self.committer.commit_state().is_commit_under_way()
            || !self.schedule.reschedule_commit_if_due(now_ns)
        {
            return Ok(true);
        }
        self.committer
            .begin_commit_unless_stopped(&mut self.core)
            .await
    }

    async fn commit_all(&mut self) -> Result<Option<SessionEnd>, WorkerError> {
        let committed = self.committer.commit_all(&mut self.core, &self.readiness);
        committed.await
    }

    /// Commits everything that was folded, then ends.
    async fn commit_all_and_end(mut self) -> Result<SessionEnd, WorkerError> {
        let ended = self.commit_all().await?;
        Ok(ended.unwrap_or(SessionEnd::Stopped))
    }

    /// Appends an advance if the log has been quiet and a window waits for time to pass, or once
    /// per [`WorkerConfig::idle_advance_interval`] if there are symbols: their windows without
    /// trades wait for it too.
    async fn append_advance_if_due(&mut self) {
        let now_ns = self.monotonic_ns();
        if !self.schedule.reschedule_advance_if_due(now_ns) {
            return;
        }
        let is_waited_for = self.core.time_can_close_windows()
            || (self.core.has_symbols() && self.schedule.reschedule_idle_advance_if_due(now_ns));
        if is_waited_for {
            append_advance(self.worker).await;
        }
    }

    /// Tells the core how much memory ids may use now.
    fn limit_id_memory(&mut self) {
        let used_bytes = self.core.id_memory_bytes();
        let limit_bytes = self.id_memory.report_used_and_get_limit_bytes(used_bytes);
        self.core.set_id_memory_limit(limit_bytes);
        let gauge = &self.worker.metrics.id_memory_bytes;
        gauge.set(used_bytes as f64);
    }

    fn measure_lag_if_due(&mut self) {
        let now_ns = self.monotonic_ns();
        if self.schedule.reschedule_lag_measurement_if_due(now_ns) {
            self.lag.measure_lag(self.worker, &self.core);
        }
    }

    /// Returns whether a dirty minute waits for the archiver.
    ///
    /// The records that the log held at the start come first: the refolds that an earlier worker
    /// appended are among them. If two workers kept taking a partition from each other, each would
    /// append all of them again, and the log would grow faster than they fold it.
    fn needs_archiver_query(&self) -> bool {
        self.readiness.has_caught_up()
            && !self.archiver.is_query_under_way()
            && !self.refolds.is_under_way()
            && self.core.has_unrequested_refolds()
    }

    /// Queries the archiver's position in the background if a dirty minute waits for it.
    fn query_archiver_if_due(&mut self) {
        let now_ns = self.monotonic_ns();
        if !self.needs_archiver_query() || !self.schedule.reschedule_archiver_query_if_due(now_ns) {
            return;
        }
        let worker = self.worker;
        let (ticks, partition) = (worker.stores.ticks.clone(), worker.partition);
        let (clock, timeout) = (worker.stores.clock.clone(), worker.config.call_timeout);
        self.archiver
            .record_begun_query(self.committer.background_call_starter().start(async move {
                let query = clock::timeout(&clock, timeout, ticks.next_archive_position(partition));
                query.await.unwrap_or(Ok(None))
            }));
    }

    /// Begins to fold, in the background, the ticks of the dirty minutes whose marks both the
    /// archiver and the stored state have passed.
    fn begin_refolds(&mut self, archived: Option<Position>) {
        let passed = archived
            .unwrap_or_default()
            .min(self.committer.commit_state().stored_position());
        let requests = self.core.request_refolds(passed, MAX_REFOLDS);
        if requests.is_empty() {
            return;
        }
        let with_settings = requests.into_iter().map(|request| {
            let settings = self.core.settings_for(&request.instrument);
            (request, settings.unwrap_or_default())
        });
        let call = fold_and_append_refolds(self.worker, with_settings.collect());
        let answer = self.committer.background_call_starter().start(call);
        self.refolds.record_begun_call(answer);
    }

    /// Forgets which refolds were requested if they may not be in the log.
    fn end_refolds(&mut self, ended: Result<(), RefoldError>) -> Result<(), WorkerError> {
        match ended {
            Ok(()) => Ok(()),
            Err(RefoldError::Log(source)) => Err(self.worker.log_error(source)),
            Err(RefoldError::Repeatable(reason)) => {
                tracing::warn!(
                    partition = self.worker.partition,
                    reason,
                    "refolds may not have been appended; their ticks are folded again"
                );
                self.core.forget_requested_refolds();
                Ok(())
            }
        }
    }

    /// Fetches records and folds them all, or returns how the session ends.
    async fn fetch_and_fold(&mut self) -> Result<Option<SessionEnd>, WorkerError> {
        let worker = self.worker;
        let records = match fetch_records(worker, self.core.next_position().offset).await? {
            FetchOutcome::Records(records) => records,
            FetchOutcome::Closed => return Ok(None),
            FetchOutcome::OutOfRange(error) => {
                return self.end_session_out_of_range(&error).await.map(Some);
            }
            FetchOutcome::Failed(reason) => {
                self.back_off(&reason).await;
                return Ok(None);
            }
        };
        let now_ns = worker.stores.clock.now_ns();
        let (records, future) = split_before_far_future_record(&records, now_ns);
        if let (true, Some(future)) = (records.is_empty(), future) {
            self.schedule.postpone_advance(self.monotonic_ns());
            self.back_off(&future.to_string()).await;
            return Ok(None);
        }
        let was_failing = self.log_retries.has_last_attempt_failed();
        self.log_retries.record_success();
        if was_failing {
            self.readiness.report_recovery();
        }
        let records = self.within_commit_limit(records);
        let bytes = records.iter().map(record_bytes).sum();
        self.committer.add_folded_bytes(bytes);
        let uncommitted_count = match self.fold(records).await? {
            FoldOutcome::Folded { uncommitted_count } => uncommitted_count,
            FoldOutcome::Ended(end) => return Ok(Some(end)),
        };
        self.schedule.postpone_advance(self.monotonic_ns());
        let counts = self.core.take_counts();
        self.id_memory
            .report_evicted_segments(counts.evicted_id_segments);
        worker.metrics.add_counts(&counts);
        match self.mode.limit {
            Some(_) if self.mode.is_check && !records.is_empty() => {
                self.dry_run_limited_commit().await.map(Some)
            }
            Some(_) => self.commit_limited(uncommitted_count).await,
            None => Ok(None),
        }
    }

    /// Folds records. What they need is loaded, and some records wait until those before them are
    /// committed.
    async fn fold(&mut self, records: &[Record]) -> Result<FoldOutcome, WorkerError> {
        let (mut rest, mut uncommitted_count) = (records, 0);
        loop {
            let applied = self.core.apply(rest);
            rest = &rest[applied..];
            uncommitted_count += applied;
            if rest.is_empty() {
                return Ok(FoldOutcome::Folded { uncommitted_count });
            }
            let ended = if self.core.waits_for_commit() {
                let ended = self
                    .commit_all_for_waiting_record(uncommitted_count)
                    .await?;
                uncommitted_count = 0;
                ended
            } else {
                self.load_requested_data().await?
            };
            if let Some(end) = ended {
                return Ok(FoldOutcome::Ended(end));
            }
        }
    }

    /// Loads what the core requests, or returns how the session ends.
    async fn load_requested_data(&mut self) -> Result<Option<SessionEnd>, WorkerError> {
        let plan = LoadPlan::new(self.core.load_requests());
        let (worker, stop) = (self.worker, self.stop);
        let Some(loaded) = plan.load(worker, stop).await? else {
            return Ok(Some(SessionEnd::Stopped));
        };
        // If another worker has moved the partition, the store may hold records that are not folded
        // here yet, which would be counted twice.
        let progress = || worker.stores.bars.partition_progress(worker.partition);
        let Some(progress) = worker.retry_store_call(stop, progress).await? else {
            return Ok(Some(SessionEnd::Stopped));
        };
        if !self
            .committer
            .commit_state()
            .is_own_position(progress.map(|row| row.next_position()))
        {
            return Ok(Some(SessionEnd::Lost));
        }
        self.limit_id_memory();
        self.core.accept_loaded(loaded);
        self.readiness.report_recovery();
        Ok(None)
    }

    /// Ends the session because the log does not hold the next record.
    ///
    /// If records were dropped, what was folded before them is committed and loaded again: another
    /// worker may have moved the partition meanwhile, and the next record is then a later one. If
    /// the next record is beyond the end, it was folded from records that the log has lost.
    async fn end_session_out_of_range(
        &mut self,
        error: &LogError,
    ) -> Result<SessionEnd, WorkerError> {
        self.back_off(&error.to_string()).await;
        let ended = match error.is_below_retention() {
            true => self.commit_all().await?,
            false => None,
        };
        Ok(ended.unwrap_or(SessionEnd::OutOfRange))
    }

    /// Waits before the log is called again, after a failure. The main loop notices a stop.
    async fn back_off(&mut self, reason: &str) {
        let clock = &self.worker.stores.clock;
        self.worker.report_retry(reason);
        self.log_retries.record_failure(clock);
        let wait = self.log_retries.wait_until_due(clock);
        let _ = self.stop.run_until_cancelled(wait).await;
    }

    /// Returns whether more records may be fetched now. If not, the worker reports why.
    fn can_fetch(&self) -> bool {
        let pause_reason = self.committer.pause_reason(&self.core);
        if let Some(reason) = &pause_reason {
            let health = &self.worker.health;
            health.not_ready(format!("fetching is paused: {reason}"));
        }
        pause_reason.is_none()
    }

    /// Returns how long the session may sleep until its next periodic work.
    fn time_until_wake(&self) -> Duration {
        let is_uncommitted = self.committer.is_uncommitted_at(self.core.next_position());
        let wake_ns = self.schedule.next_wake_ns(&PendingWorkKinds {
            announcement: self.core.may_have_announcements(),
            commit: is_uncommitted && !self.committer.commit_state().is_commit_under_way(),
            refolds: self.needs_archiver_query(),
        });
        Duration::from_nanos(wake_ns.saturating_sub(self.monotonic_ns()))
    }

    fn monotonic_ns(&self) -> u64 {
        self.worker.stores.clock.monotonic_ns()
    }
}
