//! The records that a worker appends to `trades` itself: advances and refolds.

use backend::Backend;
use bytes::Bytes;
use eventlog::{Log, LogError, NewRecord};
use market::Instrument;
use schemas::{Refold, TradesTopicRecord};

use super::role::PartitionWorker;
use crate::error::WorkerError;

/// Appends an advance, so that time passes in a quiet log. A failure is logged: the next advance
/// follows soon.
pub(super) async fn append_advance<B: Backend>(worker: &PartitionWorker<B>) {
    let record = new_record(Bytes::new(), &TradesTopicRecord::Advance);
    let append = worker.topics.trades.append(worker.partition, vec![record]);
    let clock = &worker.stores.clock;
    match clock::timeout(clock, worker.config.call_timeout, append).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::warn!(partition = worker.partition, %error, "no advance was appended");
        }
        Err(error) => {
            tracing::warn!(partition = worker.partition, %error, "no advance was appended");
        }
    }
}

/// Appends refolds. Returns `false` if it is not known whether the log holds them: they may then
/// be appended again, since a refold that the log holds twice does nothing the second time.
///
/// # Errors
/// [`WorkerError::Log`] if the topic was recreated or refuses the records.
pub(super) async fn try_append_refolds<B: Backend>(
    worker: &PartitionWorker<B>,
    refolds: &[(Instrument, Refold)],
) -> Result<bool, WorkerError> {
    let record = |(instrument, refold): &(Instrument, Refold)| {
        let key = Bytes::copy_from_slice(instrument.key().as_bytes());
        new_record(key, &TradesTopicRecord::Refold(*refold))
    };
    let records = refolds.iter().map(record).collect();
    let append = worker.topics.trades.append(worker.partition, records);
    let clock = &worker.stores.clock;
    let reason = match clock::timeout(clock, worker.config.call_timeout, append).await {
        Ok(Ok(_)) => return Ok(true),
        Ok(Err(source @ (LogError::Recreated { .. } | LogError::Refused { .. }))) => {
            return Err(worker.log_error(source));
        }
        Ok(Err(error)) => error.to_string(),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(
        partition = worker.partition,
        reason,
        "refolds may not have been appended; they are appended again"
    );
    Ok(false)
}

fn new_record(key: Bytes, record: &TradesTopicRecord) -> NewRecord {
    let mut value = Vec::new();
    record.encode(&mut value);
    NewRecord {
        key,
        value: value.into(),
    }
}
