//! The records that a worker appends to `trades` itself: advances and refolds.

use backend::Backend;
use bytes::Bytes;
use eventlog::{Log, NewRecord};
use market::Instrument;
use schemas::{RefoldResult, TradesTopicRecord};

use super::role::PartitionWorker;

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

/// Returns the record of a refold.
pub(super) fn refold_record(instrument: &Instrument, refold: RefoldResult) -> NewRecord {
    let key = Bytes::copy_from_slice(instrument.key().as_bytes());
    new_record(key, &TradesTopicRecord::Refold(Box::new(refold)))
}

pub(super) fn new_record(key: Bytes, record: &TradesTopicRecord) -> NewRecord {
    let mut value = Vec::new();
    record.encode(&mut value);
    NewRecord {
        key,
        value: value.into(),
    }
}
