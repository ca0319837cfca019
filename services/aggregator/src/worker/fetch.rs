//! Fetching records from the log.

use backend::Backend;
use eventlog::{Log, LogError, Record};

use super::role::PartitionWorker;
use crate::error::WorkerError;

/// The outcome of one fetch.
pub(super) enum FetchOutcome {
    Records(Vec<Record>),
    /// The log is closed; waiting for its next record reports that too.
    Closed,
    /// The log does not hold the next record.
    OutOfRange(LogError),
    /// The fetch failed or timed out, and can be repeated.
    Failed(String),
}

/// Fetches records starting at `offset`.
///
/// # Errors
/// [`WorkerError::Log`] if no retry can help.
pub(super) async fn fetch_records<B: Backend>(
    worker: &PartitionWorker<B>,
    offset: u64,
) -> Result<FetchOutcome, WorkerError> {
    let trades = &worker.topics.trades;
    let fetch = trades.fetch(worker.partition, offset, worker.config.max_fetch_bytes);
    match clock::timeout(&worker.stores.clock, worker.config.call_timeout, fetch).await {
        Ok(Ok(batch)) => Ok(FetchOutcome::Records(batch.records)),
        Ok(Err(error @ LogError::OutOfRange { .. })) => Ok(FetchOutcome::OutOfRange(error)),
        Ok(Err(LogError::Closed)) => Ok(FetchOutcome::Closed),
        Ok(Err(error)) if error.is_transient() => Ok(FetchOutcome::Failed(error.to_string())),
        Ok(Err(source)) => Err(worker.log_error(source)),
        Err(elapsed) => Ok(FetchOutcome::Failed(elapsed.to_string())),
    }
}

/// Returns the size of a record's key and value.
pub(super) fn record_bytes(record: &Record) -> u64 {
    (record.key.len() + record.value.len()) as u64
}
