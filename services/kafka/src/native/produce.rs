//! Appending records.

use std::ffi::c_int;
use std::ptr::null_mut;
use std::sync::Arc;

use eventlog::NewRecord;
use rdkafka::bindings as raw;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::util::IntoOpaque as _;

use super::client::{ProducerClient, check_code};
use super::topic_handle::TopicHandle;
use crate::delivery::PendingAppend;

/// The records of an append that librdkafka did not queue.
pub(crate) struct RefusedRecordsSummary {
    /// The number of these records.
    pub(crate) count: usize,
    /// The error of the first of them.
    pub(crate) first_error: Code,
}

/// Puts records into the queue of the producer, in order. The outcome of each queued record is
/// reported to `delivery`, later and on another thread. Returns the records that were not queued,
/// or `None` if all were.
pub(crate) fn enqueue_records(
    topic: &TopicHandle<ProducerClient>,
    partition: i32,
    records: &[NewRecord],
    delivery: &Arc<PendingAppend>,
) -> Option<RefusedRecordsSummary> {
    let message = |record: &NewRecord| raw::rd_kafka_message_t {
        err: RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
        rkt: null_mut(),
        partition,
        payload: record.value.as_ptr().cast_mut().cast(),
        len: record.value.len(),
        key: record.key.as_ptr().cast_mut().cast(),
        key_len: record.key.len(),
        offset: 0,
        _private: delivery.clone().into_ptr(),
    };
    let mut messages: Vec<_> = records.iter().map(message).collect();
    let count = c_int::try_from(messages.len()).expect("an append has fewer than 2^31 records");
    // SAFETY: the topic is valid, and keys and values are copied (MSG_F_COPY), never written.
    unsafe {
        let flags = raw::RD_KAFKA_MSG_F_COPY;
        let messages = messages.as_mut_ptr();
        raw::rd_kafka_produce_batch(topic.pointer(), partition, flags, messages, count);
    }
    let mut refused: Option<RefusedRecordsSummary> = None;
    for message in &messages {
        if let Err(code) = check_code(message.err) {
            // SAFETY: created by `into_ptr` above, and librdkafka did not take it.
            drop(unsafe { <Arc<PendingAppend>>::from_ptr(message._private) });
            let refused = refused.get_or_insert(RefusedRecordsSummary {
                count: 0,
                first_error: code,
            });
            refused.count += 1;
        }
    }
    refused
}
