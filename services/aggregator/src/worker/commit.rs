//! Committing one transaction until its outcome is known.

use std::time::Duration;

use clock::{Clock, RetryPolicy};
use host::HealthComponent;
use market::Position;
use store::{BarReader, BarStore, CommitOutcome, PartitionTransaction, StoreError};

/// How long one attempt may take, and how long to wait between attempts.
pub(super) struct CommitRetrySettings {
    pub(super) timeout: Duration,
    pub(super) policy: RetryPolicy,
}

/// Commits `transaction` until the outcome is known.
///
/// After an unknown result the progress row decides: if it is the transaction's, it was committed;
/// at the expected position it was not; otherwise another worker has moved the partition. The
/// position alone would not do: another worker may have reached the same one with a record left
/// out. Its row names another position in `bar-updates`, because each announces its changes.
///
/// # Errors
/// The error of the store if no retry can help.
pub(super) async fn commit<S: BarStore, C: Clock>(
    store: S,
    clock: C,
    transaction: PartitionTransaction,
    retries: CommitRetrySettings,
    health: HealthComponent,
) -> Result<CommitOutcome, StoreError> {
    let should_retry = |reason: &String| {
        health.not_ready(format!("the store does not accept commits: {reason}"));
        tracing::warn!(
            partition = transaction.progress.partition,
            reason,
            "the store did not accept a commit; trying again"
        );
        true
    };
    let attempt = || commit_once(&store, &clock, &transaction, retries.timeout);
    clock::retry(&clock, &retries.policy, should_retry, attempt)
        .await
        .expect("a policy without limits retries every failure")
}

/// Makes one attempt to commit. `Ok` holds the final result: the outcome, or a permanent error of
/// the store. `Err` holds the reason of a failure after which the caller tries again.
async fn commit_once<S: BarStore, C: Clock>(
    store: &S,
    clock: &C,
    transaction: &PartitionTransaction,
    timeout: Duration,
) -> Result<Result<CommitOutcome, StoreError>, String> {
    let reason = match clock::timeout(clock, timeout, store.commit(transaction)).await {
        Ok(Ok(CommitOutcome::Committed)) => return Ok(Ok(CommitOutcome::Committed)),
        Ok(Ok(CommitOutcome::Conflict)) => "the partition was moved".to_owned(),
        Ok(Err(error)) if !error.is_transient() => return Ok(Err(error)),
        Ok(Err(error)) => error.to_string(),
        Err(elapsed) => elapsed.to_string(),
    };
    let partition = transaction.progress.partition;
    let progress = store.partition_progress(partition);
    let stored = match clock::timeout(clock, timeout, progress).await {
        Ok(Ok(row)) => row,
        Ok(Err(error)) if !error.is_transient() => return Ok(Err(error)),
        _ => return Err(reason),
    };
    let position = stored.map_or_else(Position::default, |row| row.next_position());
    if stored == Some(transaction.progress) {
        Ok(Ok(CommitOutcome::Committed))
    } else if position != transaction.expected {
        Ok(Ok(CommitOutcome::Conflict))
    } else {
        Err(reason)
    }
}
