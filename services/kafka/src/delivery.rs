//! Appends that the brokers have not acknowledged yet.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use eventlog::Offset;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::ProducerContext;
use rdkafka::statistics::Statistics;
use tokio::sync::oneshot;

use crate::callbacks::{forward_log_line, log_client_error};
use crate::connection_error::LastConnectionError;
use crate::metrics;

/// The bytes of all appends that are not yet acknowledged.
#[derive(Debug, Default)]
pub(crate) struct PendingBytes {
    bytes: AtomicUsize,
}

impl PendingBytes {
    /// Adds an append of `size_bytes` if the sum stays within `max_bytes`, or if nothing else is
    /// pending. Otherwise returns how many bytes are pending.
    pub(crate) fn try_add_or_get_pending(
        &self,
        size_bytes: usize,
        max_bytes: usize,
    ) -> Result<(), usize> {
        let add = |bytes: usize| {
            let sum = bytes.saturating_add(size_bytes);
            (bytes == 0 || sum <= max_bytes).then_some(sum)
        };
        self.bytes
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, add)
            .map(|_| ())
    }

    pub(crate) fn get(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    fn subtract(&self, size_bytes: usize) {
        self.bytes.fetch_sub(size_bytes, Ordering::AcqRel);
    }
}

/// One append that is not yet acknowledged. Each of its records holds a reference to it, and
/// settles one record: it reports that the record was acknowledged or has failed.
pub(crate) struct PendingAppend {
    /// How many records are neither acknowledged nor failed.
    unsettled: AtomicUsize,
    first: AtomicU64,
    end: AtomicU64,
    first_failure: OnceLock<Code>,
    result: Mutex<Option<oneshot::Sender<AppendOutcome>>>,
    size_bytes: usize,
    pending_bytes: Arc<PendingBytes>,
}

/// The offsets of an append, or why it failed.
type AppendOutcome = Result<Range<Offset>, Code>;
/// Receives the outcome of an append.
pub(crate) type AppendOutcomeReceiver = oneshot::Receiver<AppendOutcome>;

impl PendingAppend {
    /// Returns an append of `count` records, whose `size_bytes` were added to `pending_bytes`.
    pub(crate) fn new(
        count: usize,
        size_bytes: usize,
        pending_bytes: Arc<PendingBytes>,
    ) -> (Arc<Self>, AppendOutcomeReceiver) {
        let (result, receiver) = oneshot::channel();
        let delivery = Self {
            unsettled: AtomicUsize::new(count),
            first: AtomicU64::new(Offset::MAX),
            end: AtomicU64::new(0),
            first_failure: OnceLock::new(),
            result: Mutex::new(Some(result)),
            size_bytes,
            pending_bytes,
        };
        (Arc::new(delivery), receiver)
    }

    /// Records that a record was acknowledged at `offset`.
    fn settle_acknowledged_record(&self, offset: Offset) {
        self.first.fetch_min(offset, Ordering::AcqRel);
        self.end.fetch_max(offset + 1, Ordering::AcqRel);
        self.settle_records(1);
    }

    /// Records that `count` records failed.
    pub(crate) fn settle_failed_records(&self, count: usize, code: Code) {
        // The first failure is the cause of the later ones.
        let _ = self.first_failure.set(code);
        self.settle_records(count);
    }

    /// Counts `count` records as settled. After the last record, sends the outcome.
    fn settle_records(&self, count: usize) {
        if self.unsettled.fetch_sub(count, Ordering::AcqRel) != count {
            return;
        }
        self.pending_bytes.subtract(self.size_bytes);
        let outcome = match self.first_failure.get() {
            Some(code) => Err(*code),
            None => Ok(self.first.load(Ordering::Acquire)..self.end.load(Ordering::Acquire)),
        };
        let result = self
            .result
            .lock()
            .expect("no holder of the sender panics")
            .take();
        if let Some(result) = result {
            // The caller may no longer wait for it.
            let _ = result.send(outcome);
        }
    }
}

/// The callbacks of the producer, which its own thread runs.
#[derive(Default)]
pub(crate) struct ProducerCallbacks {
    last_connection_error: LastConnectionError,
}

impl ProducerCallbacks {
    /// Returns what the producer reported about its connections.
    pub(crate) fn last_connection_error(&self) -> &LastConnectionError {
        &self.last_connection_error
    }
}

impl ClientContext for ProducerCallbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.last_connection_error
            .record_log_line_if_connection_lost(level as i32, facility, message);
        forward_log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.last_connection_error.record_error(&error, reason);
        log_client_error(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.last_connection_error
            .record_whether_broker_is_known(&statistics);
        metrics::publish_statistics(&statistics, None);
    }
}

impl ProducerContext for ProducerCallbacks {
    type DeliveryOpaque = Arc<PendingAppend>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Arc<PendingAppend>) {
        match result {
            Ok(message) => match Offset::try_from(message.offset()) {
                Ok(offset) => delivery.settle_acknowledged_record(offset),
                // The brokers have the record from an earlier attempt and no longer know its
                // offset: it is durable, and the caller cannot get its offset.
                Err(_) => delivery.settle_failed_records(1, Code::NoOffset),
            },
            Err((error, _)) => {
                delivery.settle_failed_records(1, error.rdkafka_error_code().unwrap_or(Code::Fail));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_append_has_an_outcome_once_all_records_are_settled() {
        let pending_bytes = Arc::new(PendingBytes::default());
        pending_bytes.try_add_or_get_pending(10, 100).unwrap();
        let (delivery, mut receiver) = PendingAppend::new(3, 10, pending_bytes.clone());
        delivery.settle_acknowledged_record(8);
        delivery.settle_acknowledged_record(7);
        assert!(receiver.try_recv().is_err());
        delivery.settle_acknowledged_record(11);
        assert_eq!(receiver.try_recv(), Ok(Ok(7..12)));
        assert_eq!(pending_bytes.get(), 0);
    }

    #[test]
    fn one_failed_record_fails_the_append_after_the_last_record() {
        let pending_bytes = Arc::new(PendingBytes::default());
        pending_bytes.try_add_or_get_pending(10, 100).unwrap();
        let (delivery, mut receiver) = PendingAppend::new(4, 10, pending_bytes);
        delivery.settle_failed_records(1, Code::MessageTimedOut);
        delivery.settle_failed_records(2, Code::PurgeQueue);
        assert!(receiver.try_recv().is_err());
        delivery.settle_acknowledged_record(1);
        assert_eq!(receiver.try_recv(), Ok(Err(Code::MessageTimedOut)));
    }

    #[test]
    fn pending_bytes_are_bounded_and_one_large_append_is_accepted_alone() {
        let pending_bytes = PendingBytes::default();
        assert_eq!(pending_bytes.try_add_or_get_pending(500, 100), Ok(()));
        assert_eq!(pending_bytes.try_add_or_get_pending(1, 100), Err(500));
        pending_bytes.subtract(500);
        assert_eq!(pending_bytes.try_add_or_get_pending(60, 100), Ok(()));
        assert_eq!(pending_bytes.try_add_or_get_pending(41, 100), Err(60));
        assert_eq!(pending_bytes.try_add_or_get_pending(40, 100), Ok(()));
    }
}
