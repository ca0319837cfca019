//! Finding the record whose effects the store refuses, by halving the commits.
//!
//! A legal record whose effects a store cannot hold must not stop its partition for ever. The value
//! domain makes this impossible for the cases that are known; this is the second line.

use std::collections::VecDeque;

use backend::Backend;
use bytes::Bytes;
use clock::{Clock, duration_ns};
use eventlog::Record;
use market::{Interval, MINUTE_NS, Position};
use schemas::{Repair, TradesTopicRecord};
use std::time::Duration;
use store::{BarStore, CommitOutcome, PartitionProgress, PartitionTransaction, StoreError};
use tokio_util::sync::CancellationToken;

use super::fetch::{FetchOutcome, fetch_records};
use super::own_records::new_record;
use super::role::PartitionWorker;
use crate::error::WorkerError;

/// How many records may be left out within [`LEFT_OUT_PERIOD`]. If there are more, it is not the
/// data.
const MAX_LEFT_OUT: usize = 3;
const LEFT_OUT_PERIOD: Duration = Duration::from_secs(3_600);

/// A commit whose data the store refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RefusedCommit {
    /// The stored position that the commit begins at.
    pub(super) begin: Position,
    /// The first offset after the records that it contains.
    pub(super) end_offset: u64,
    /// How many records it contains, if the session has counted them.
    pub(super) record_count: Option<usize>,
    /// The error of the store.
    pub(super) reason: String,
}

/// How a session folds while the record is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommitLimit {
    /// How many records one commit contains at most.
    pub(super) max_records: usize,
    /// Where the limit ends.
    pub(super) end_offset: u64,
}

/// A record that is left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOutRecord {
    pub(super) offset: u64,
    pub(super) reason: String,
}

/// The search for the record whose effects the store refuses.
#[derive(Debug, Default)]
pub(super) struct RefusedRecordSearch {
    limit: Option<CommitLimit>,
    left_out: Option<LeftOutRecord>,
    /// When records were left out, by the monotonic clock, in nanoseconds.
    left_out_times_ns: VecDeque<u64>,
}

impl RefusedRecordSearch {
    /// Returns how the next session folds, if its commits are limited.
    pub(super) fn commit_limit(&self) -> Option<CommitLimit> {
        self.limit.clone()
    }

    /// Returns the record that the next session leaves out.
    pub(super) const fn left_out(&self) -> Option<&LeftOutRecord> {
        self.left_out.as_ref()
    }

    /// Ends the search, because the session ended for another reason.
    pub(super) fn end(&mut self) {
        self.limit = None;
        self.left_out = None;
    }

    /// Continues the search after a refused commit. `progress` is what is stored now: if another
    /// worker has moved it, the search ends. Returns `false` if the worker is stopped first.
    ///
    /// # Errors
    /// The error of the store if no record is to blame: the store also refuses a transaction
    /// without data, or the commit in which the record is left out; or more than [`MAX_LEFT_OUT`]
    /// records were left out within [`LEFT_OUT_PERIOD`].
    pub(super) async fn continue_after<B: Backend>(
        &mut self,
        worker: &PartitionWorker<B>,
        refused: RefusedCommit,
        progress: &PartitionProgress,
        stop: &CancellationToken,
    ) -> Result<bool, WorkerError> {
        if progress.next_position() != refused.begin {
            self.end();
            return Ok(true);
        }
        let first_offset = progress.next_offset;
        let record_count = refused.record_count.unwrap_or_else(|| {
            usize::try_from(refused.end_offset - first_offset).unwrap_or(usize::MAX)
        });
        tracing::warn!(
            partition = worker.partition,
            first_offset,
            end_offset = refused.end_offset,
            reason = refused.reason,
            "the store refuses a commit; looking for the record at fault"
        );
        if record_count > 1 {
            self.left_out = None;
            self.limit = Some(CommitLimit {
                max_records: record_count / 2,
                end_offset: refused.end_offset,
            });
            return Ok(true);
        }
        let refusal = || {
            worker.store_error(StoreError::DataRefused {
                store: "bar store".to_owned(),
                reason: refused.reason.clone(),
            })
        };
        let Some(record) = fetch_record(worker, first_offset, stop).await? else {
            return Ok(false);
        };
        if self.is_left_out(record.offset) {
            return Err(refusal());
        }
        match commit_empty_transaction(worker, progress, stop).await? {
            None => return Ok(false),
            Some(EmptyCommitOutcome::Refused) => return Err(refusal()),
            Some(EmptyCommitOutcome::Conflict) => {
                self.end();
                return Ok(true);
            }
            Some(EmptyCommitOutcome::Committed) => {}
        }
        if !self.count_left_out(worker.stores.clock.monotonic_ns()) {
            return Err(refusal());
        }
        if !append_repair(worker, &record, stop).await? {
            return Ok(false);
        }
        tracing::error!(
            partition = worker.partition,
            offset = record.offset,
            reason = refused.reason,
            "the store refuses what a record changes; it is left out as unstorable"
        );
        self.limit = Some(CommitLimit {
            max_records: 1,
            end_offset: record.offset + 1,
        });
        self.left_out = Some(LeftOutRecord {
            offset: record.offset,
            reason: refused.reason,
        });
        Ok(true)
    }

    /// Returns whether the session that ended has left a record out.
    fn is_left_out(&self, offset: u64) -> bool {
        let left_out = self.left_out.as_ref();
        left_out.is_some_and(|left_out| left_out.offset == offset)
    }

    /// Counts a record that is left out. Returns whether that is allowed.
    fn count_left_out(&mut self, now_ns: u64) -> bool {
        let period_ns = duration_ns(LEFT_OUT_PERIOD);
        while let Some(oldest_ns) = self.left_out_times_ns.front()
            && now_ns - oldest_ns > period_ns
        {
            self.left_out_times_ns.pop_front();
        }
        self.left_out_times_ns.push_back(now_ns);
        self.left_out_times_ns.len() <= MAX_LEFT_OUT
    }
}

/// Returns the first record at or after an offset, or `None` if the worker is stopped first.
async fn fetch_record<B: Backend>(
    worker: &PartitionWorker<B>,
    offset: u64,
    stop: &CancellationToken,
) -> Result<Option<Record>, WorkerError> {
    loop {
        let reason = match fetch_records(worker, offset).await? {
            FetchOutcome::Records(records) => {
                if let Some(record) = records.into_iter().find(|one| one.offset >= offset) {
                    return Ok(Some(record));
                }
                "the log returned no record".to_owned()
            }
            FetchOutcome::Closed => return Ok(None),
            FetchOutcome::OutOfRange(source) => return Err(worker.log_error(source)),
            FetchOutcome::Failed(reason) => reason,
        };
        worker.report_retry(&reason);
        let sleep = worker.stores.clock.sleep(worker.config.max_backoff);
        if stop.run_until_cancelled(sleep).await.is_none() {
            return Ok(None);
        }
    }
}

/// What committing a transaction that changes nothing comes to.
enum EmptyCommitOutcome {
    Committed,
    /// Another worker has moved the partition.
    Conflict,
    /// The store refuses it too, so no record is to blame.
    Refused,
}

/// Commits a transaction that changes nothing. Returns `None` if the worker is stopped first.
async fn commit_empty_transaction<B: Backend>(
    worker: &PartitionWorker<B>,
    progress: &PartitionProgress,
    stop: &CancellationToken,
) -> Result<Option<EmptyCommitOutcome>, WorkerError> {
    let transaction = PartitionTransaction::empty(progress.next_position(), *progress);
    let commit = || async {
        match worker.stores.bars.commit(&transaction).await {
            Ok(CommitOutcome::Committed) => Ok(EmptyCommitOutcome::Committed),
            Ok(CommitOutcome::Conflict) => Ok(EmptyCommitOutcome::Conflict),
            Err(error) if error.is_data_refused() => Ok(EmptyCommitOutcome::Refused),
            Err(error) => Err(error),
        }
    };
    worker.retry_store_call(stop, commit).await
}

/// Appends a repair of the minute of a trade, an edit or a cancel that is left out. Its bars were
/// announced with it, and the refold gives them a later `through`. Returns `false` if the worker is
/// stopped first.
async fn append_repair<B: Backend>(
    worker: &PartitionWorker<B>,
    record: &Record,
    stop: &CancellationToken,
) -> Result<bool, WorkerError> {
    let (Ok(TradesTopicRecord::Trade(trade)) | Ok(TradesTopicRecord::Amendment(_, trade))) =
        TradesTopicRecord::decode(&record.value)
    else {
        return Ok(true);
    };
    let start_ns = Interval::M1.window_containing(trade.time_ns).start_ns;
    let repair = Repair {
        start_ns,
        end_ns: start_ns + MINUTE_NS,
        force: true,
    };
    let key = Bytes::copy_from_slice(&record.key);
    let records = [new_record(key, &TradesTopicRecord::Repair(repair))];
    let trades = &worker.topics.trades;
    let appended = worker
        .append_all_unless_stopped(stop, trades, &records)
        .await?;
    Ok(appended.is_some())
}
