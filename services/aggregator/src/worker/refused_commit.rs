//! Finding the record whose effects the store refuses, by halving the commits.
//!
//! A legal record whose effects a store cannot hold must not stop its partition for ever. The value
//! domain makes this impossible for the cases that are known; this is the second line.

use backend::Backend;
use bytes::Bytes;
use clock::{Clock, duration_ns};
use eventlog::Record;
use market::{Interval, Position, RejectReason};
use schemas::{LeftOutNotice, TradesTopicRecord};
use std::time::Duration;
use store::{
    BarReader, BarStore, CommitOutcome, PartitionProgress, PartitionTransaction, StoreError,
    TickVerdict,
};
use tokio_util::sync::CancellationToken;

use super::fetch::{FetchOutcome, fetch_records};
use super::own_records::new_record;
use super::role::PartitionWorker;
use crate::error::WorkerError;

/// The period within which [`max_left_out_per_hour`](super::WorkerConfig) records may be left out.
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

/// How a session commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommitMode {
    /// The limit of its commits, if there is one.
    pub(super) limit: Option<CommitLimit>,
    /// Whether it only checks that the store would accept its first commit, and then ends.
    pub(super) is_check: bool,
}

/// The record whose effects the store seems to refuse, and its reason. It is left out once that is
/// checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SuspectedRecord {
    pub(super) offset: u64,
    pub(super) reason: String,
    /// Whether the store is known to accept the commit without it. Until then the session only
    /// checks that, and neither announces nor stores anything.
    pub(super) is_checked: bool,
}

/// The search for the record whose effects the store refuses.
#[derive(Debug, Default)]
pub(super) struct RefusedRecordSearch {
    limit: Option<CommitLimit>,
    suspected_record: Option<SuspectedRecord>,
}

impl RefusedRecordSearch {
    /// Returns how the next session folds, if its commits are limited.
    pub(super) fn commit_limit(&self) -> Option<CommitLimit> {
        self.limit.clone()
    }

    /// Returns the record that the next session leaves out.
    pub(super) const fn suspected_record(&self) -> Option<&SuspectedRecord> {
        self.suspected_record.as_ref()
    }

    /// Ends the search, because the session ended for another reason.
    pub(super) fn end(&mut self) {
        self.limit = None;
        self.suspected_record = None;
    }

    /// Continues the search after a refused commit. `progress` is what is stored now: if another
    /// worker has moved it, the search ends. Returns `false` if the worker is stopped first.
    ///
    /// # Errors
    /// The error of the store if no record is to blame: the store also refuses a transaction
    /// without data, or the commit in which the record is left out. Likewise if the record changes
    /// settings.
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
            self.suspected_record = None;
            self.limit = Some(CommitLimit {
                max_records: record_count / 2,
                end_offset: refused.end_offset,
            });
            return Ok(true);
        }
        let Some(record) = fetch_first_record_from(worker, first_offset, stop).await? else {
            return Ok(false);
        };
        if self.is_record_at_fault(record.offset) {
            let offset = record.offset;
            let without = format!("without the record at offset {offset} it is refused too");
            return Err(refusal(worker, format!("{}; {without}", refused.reason)));
        }
        if is_change_of_settings(&record) {
            let offset = record.offset;
            let without =
                format!("without the record at offset {offset} partitions would disagree");
            let reason = format!("{}; {without} on the settings of a venue", refused.reason);
            return Err(refusal(worker, reason));
        }
        match check_empty_transaction(worker, progress, stop).await? {
            None => return Ok(false),
            Some(EmptyCommitOutcome::Refused) => return Err(refusal(worker, refused.reason)),
            Some(EmptyCommitOutcome::Conflict) => {
                self.end();
                return Ok(true);
            }
            Some(EmptyCommitOutcome::Accepted) => {}
        }
        self.limit = Some(CommitLimit {
            max_records: 1,
            end_offset: record.offset + 1,
        });
        self.suspected_record = Some(SuspectedRecord {
            offset: record.offset,
            reason: refused.reason,
            is_checked: false,
        });
        Ok(true)
    }

    /// Appends the record `left out` and lets the next session leave the record at fault out. The
    /// session before has checked that the store accepts the commit without it. Returns `false` if
    /// the worker is stopped first.
    ///
    /// # Errors
    /// The error of the store if too many records were left out within [`LEFT_OUT_PERIOD`].
    pub(super) async fn leave_out<B: Backend>(
        &mut self,
        worker: &PartitionWorker<B>,
        stop: &CancellationToken,
    ) -> Result<bool, WorkerError> {
        let Some(suspected_record) = &mut self.suspected_record else {
            return Ok(true);
        };
        let (offset, reason) = (suspected_record.offset, suspected_record.reason.clone());
        let Some(record) = fetch_first_record_from(worker, offset, stop).await? else {
            return Ok(false);
        };
        suspected_record.is_checked = true;
        let limit = worker.config.max_left_out_per_hour;
        match count_left_out_within_period(worker, &record, stop).await? {
            None => return Ok(false),
            Some(count) if count >= limit => {
                let many = format!(
                    "{count} records were left out within an hour already (--max-left-out-per-hour)"
                );
                return Err(refusal(worker, format!("{reason}; {many}")));
            }
            Some(_) => {}
        }
        if !append_left_out_notice(worker, &record, stop).await? {
            return Ok(false);
        }
        tracing::error!(
            partition = worker.partition,
            offset,
            reason,
            "the store refuses what a record changes; it is left out as unstorable"
        );
        Ok(true)
    }

    /// Returns whether the session that ended has left a record out, or tried to.
    fn is_record_at_fault(&self, offset: u64) -> bool {
        let suspected_record = self.suspected_record.as_ref();
        suspected_record.is_some_and(|suspected_record| suspected_record.offset == offset)
    }
}

/// Returns how many records of the partition were left out within [`LEFT_OUT_PERIOD`] before
/// `record`, or `None` if the worker is stopped first. Those that other workers have left out
/// count too. The time is that of the log. Every record before this one is committed, so the store
/// knows those that were left out.
async fn count_left_out_within_period<B: Backend>(
    worker: &PartitionWorker<B>,
    record: &Record,
    stop: &CancellationToken,
) -> Result<Option<usize>, WorkerError> {
    let period_ns = duration_ns(LEFT_OUT_PERIOD).cast_signed();
    let since_ns = record.append_time_ns.saturating_sub(period_ns);
    let verdict = TickVerdict::Rejected(RejectReason::Unstorable);
    let bars = &worker.stores.bars;
    let count = || bars.count_excluded_ticks_since(worker.partition, verdict, since_ns);
    let count = worker.retry_store_call(stop, count).await?;
    Ok(count.map(|count| usize::try_from(count).unwrap_or(usize::MAX)))
}

/// Returns whether a record changes settings. Every partition has to apply it, so it is not left
/// out.
fn is_change_of_settings(record: &Record) -> bool {
    matches!(
        TradesTopicRecord::decode(&record.value),
        Ok(TradesTopicRecord::Setting(..) | TradesTopicRecord::SettingCopy(..))
    )
}

fn refusal<B: Backend>(worker: &PartitionWorker<B>, reason: String) -> WorkerError {
    worker.store_error(StoreError::DataRefused {
        store: "bar store".to_owned(),
        reason,
    })
}

/// Returns the first record at or after an offset, or `None` if the worker is stopped first.
async fn fetch_first_record_from<B: Backend>(
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

/// What committing a transaction that changes nothing would come to.
enum EmptyCommitOutcome {
    Accepted,
    /// Another worker has moved the partition.
    Conflict,
    /// The store refuses it too, so no record is to blame.
    Refused,
}

/// Checks whether the store would commit a transaction that changes nothing. Returns `None` if the
/// worker is stopped first.
async fn check_empty_transaction<B: Backend>(
    worker: &PartitionWorker<B>,
    progress: &PartitionProgress,
    stop: &CancellationToken,
) -> Result<Option<EmptyCommitOutcome>, WorkerError> {
    let transaction = PartitionTransaction::empty(progress.next_position(), *progress);
    let commit = || async {
        match worker.stores.bars.dry_run_commit(&transaction).await {
            Ok(CommitOutcome::Committed) => Ok(EmptyCommitOutcome::Accepted),
            Ok(CommitOutcome::Conflict) => Ok(EmptyCommitOutcome::Conflict),
            Err(error) if error.is_data_refused() => Ok(EmptyCommitOutcome::Refused),
            Err(error) => Err(error),
        }
    };
    worker.retry_store_call(stop, commit).await
}

/// Appends the record that gives the bars a later `through` which a trade, an edit, a cancel or a
/// refold that is left out may have changed: clients hold states that were announced with it.
/// Returns `false` if the worker is stopped first.
async fn append_left_out_notice<B: Backend>(
    worker: &PartitionWorker<B>,
    record: &Record,
    stop: &CancellationToken,
) -> Result<bool, WorkerError> {
    let (time_ns, is_refold) = match TradesTopicRecord::decode(&record.value) {
        Ok(TradesTopicRecord::Trade(trade) | TradesTopicRecord::Amendment(_, trade)) => {
            (trade.time_ns, false)
        }
        Ok(TradesTopicRecord::Refold(refold)) => (refold.start_ns, true),
        _ => return Ok(true),
    };
    let notice = LeftOutNotice {
        start_ns: Interval::M1.window_containing(time_ns).start_ns,
        is_refold,
    };
    let key = Bytes::copy_from_slice(&record.key);
    let records = [new_record(key, &TradesTopicRecord::LeftOut(notice))];
    let trades = &worker.topics.trades;
    let appended = worker
        .append_all_unless_stopped(stop, trades, &records)
        .await?;
    Ok(appended.is_some())
}
