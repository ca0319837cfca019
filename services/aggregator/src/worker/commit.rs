//! One step of state and offset, until it is known whether it was taken.

use std::time::Duration;

use clock::{Clock, RetryPolicy};
use host::HealthComponent;
use market::Position;
use store::{BarReader, BarStore, CommitOutcome, StoreError, Transaction};

/// How long one try may take, and how long to wait before the next.
pub(super) struct Patience {
    pub(super) timeout: Duration,
    pub(super) retries: RetryPolicy,
}

/// Commits until the outcome is known. After an unknown result the progress row tells: at the
/// target the step was taken, where it was expected it was not, anywhere else another worker
/// has moved it.
pub(super) async fn commit<S: BarStore, C: Clock>(
    store: S,
    clock: C,
    transaction: Transaction,
    patience: Patience,
    health: HealthComponent,
) -> Result<CommitOutcome, StoreError> {
    let Patience { timeout, retries } = patience;
    let mut backoff = retries.backoff();
    loop {
        let reason = match clock::timeout(&clock, timeout, store.commit(&transaction)).await {
            Ok(Ok(CommitOutcome::Committed)) => return Ok(CommitOutcome::Committed),
            Ok(Ok(CommitOutcome::Conflict)) => "the partition was moved".to_owned(),
            Ok(Err(error)) if !error.is_transient() => return Err(error),
            Ok(Err(error)) => error.to_string(),
            Err(elapsed) => elapsed.to_string(),
        };
        match clock::timeout(&clock, timeout, place(&store, &transaction)).await {
            Ok(Ok(place)) if place == transaction.progress.next_position() => {
                return Ok(CommitOutcome::Committed);
            }
            Ok(Ok(place)) if place != transaction.expected => return Ok(CommitOutcome::Conflict),
            Ok(Err(error)) if !error.is_transient() => return Err(error),
            _ => {}
        }
        health.not_ready("the store does not take commits");
        tracing::warn!(
            partition = transaction.progress.partition,
            reason,
            "the store did not take a commit; trying again"
        );
        clock.sleep(backoff.next_delay()).await;
    }
}

async fn place<S: BarStore>(store: &S, transaction: &Transaction) -> Result<Position, StoreError> {
    let rows = store.partition_progress().await?;
    let partition = transaction.progress.partition;
    let row = rows.into_iter().find(|row| row.partition == partition);
    Ok(row.map_or(Position::default(), |row| row.next_position()))
}
