//! Appends on their way: what waits, and what the brokers answered.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::ProducerContext;
use rdkafka::statistics::Statistics;
use tokio::sync::oneshot;

use super::complaint::Complaints;
use super::{client, metrics};
use eventlog::Offset;

/// The bytes of all appends that are not yet answered.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    bytes: AtomicUsize,
}

impl Pending {
    /// Takes room for an append, or answers how many bytes wait already.
    pub(crate) fn take(&self, size_bytes: usize, max_bytes: usize) -> Result<(), usize> {
        let room = |bytes: usize| {
            let sum = bytes.saturating_add(size_bytes);
            (bytes == 0 || sum <= max_bytes).then_some(sum)
        };
        self.bytes
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, room)
            .map(|_| ())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    fn give_back(&self, size_bytes: usize) {
        self.bytes.fetch_sub(size_bytes, Ordering::AcqRel);
    }
}

/// One append on its way. Each of its records holds it, and settles it once.
pub(crate) struct Delivery {
    waiting: AtomicUsize,
    first: AtomicU64,
    end: AtomicU64,
    failure: OnceLock<Code>,
    answer: Mutex<Option<oneshot::Sender<Outcome>>>,
    size_bytes: usize,
    pending: Arc<Pending>,
}

/// What became of an append.
type Outcome = Result<Range<Offset>, Code>;
/// The same, once it is there.
pub(crate) type Answer = oneshot::Receiver<Outcome>;

impl Delivery {
    /// An append of `count` records, for which `size_bytes` of `pending` were taken.
    pub(crate) fn new(
        count: usize,
        size_bytes: usize,
        pending: Arc<Pending>,
    ) -> (Arc<Self>, Answer) {
        let (answer, answered) = oneshot::channel();
        let delivery = Self {
            waiting: AtomicUsize::new(count),
            first: AtomicU64::new(Offset::MAX),
            end: AtomicU64::new(0),
            failure: OnceLock::new(),
            answer: Mutex::new(Some(answer)),
            size_bytes,
            pending,
        };
        (Arc::new(delivery), answered)
    }

    /// Says that a record is durable.
    fn record(&self, offset: Offset) {
        self.first.fetch_min(offset, Ordering::AcqRel);
        self.end.fetch_max(offset + 1, Ordering::AcqRel);
        self.settle(1);
    }

    /// Says that `count` records failed.
    pub(crate) fn fail(&self, count: usize, code: Code) {
        // The first failure is the cause of those after it.
        let _ = self.failure.set(code);
        self.settle(count);
    }

    fn settle(&self, count: usize) {
        if self.waiting.fetch_sub(count, Ordering::AcqRel) != count {
            return;
        }
        self.pending.give_back(self.size_bytes);
        let outcome = match self.failure.get() {
            Some(code) => Err(*code),
            None => Ok(self.first.load(Ordering::Acquire)..self.end.load(Ordering::Acquire)),
        };
        let answer = self
            .answer
            .lock()
            .expect("no holder of the answer panics")
            .take();
        if let Some(answer) = answer {
            // Whoever asked may have gone.
            let _ = answer.send(outcome);
        }
    }
}

/// What the producer's thread calls.
#[derive(Default)]
pub(crate) struct Deliveries {
    /// Why nobody answers the producer.
    pub(crate) complaints: Complaints,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.complaints.note_line(level as i32, facility, message);
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.complaints.note(&error, reason);
        client::error(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.complaints.note_brokers(&statistics);
        metrics::publish(&statistics, None);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Arc<Delivery>) {
        match result {
            Ok(message) => match Offset::try_from(message.offset()) {
                Ok(offset) => delivery.record(offset),
                // A repeat of what the brokers have and remember no offset of: it is durable, and
                // the caller cannot be told where.
                Err(_) => delivery.fail(1, Code::NoOffset),
            },
            Err((error, _)) => delivery.fail(1, error.rdkafka_error_code().unwrap_or(Code::Fail)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Delivery, Pending};
    use std::sync::Arc;

    #[test]
    fn an_append_is_answered_once_all_records_are_settled() {
        let pending = Arc::new(Pending::default());
        pending.take(10, 100).unwrap();
        let (delivery, mut answer) = Delivery::new(3, 10, pending.clone());
        delivery.record(8);
        delivery.record(7);
        assert!(answer.try_recv().is_err());
        delivery.record(11);
        assert_eq!(answer.try_recv(), Ok(Ok(7..12)));
        assert_eq!(pending.bytes(), 0);
    }

    #[test]
    fn one_failure_fails_the_append_after_the_last() {
        let pending = Arc::new(Pending::default());
        pending.take(10, 100).unwrap();
        let (delivery, mut answer) = Delivery::new(4, 10, pending);
        delivery.fail(1, Code::MessageTimedOut);
        delivery.fail(2, Code::PurgeQueue);
        assert!(answer.try_recv().is_err());
        delivery.record(1);
        assert_eq!(answer.try_recv(), Ok(Err(Code::MessageTimedOut)));
    }

    #[test]
    fn what_waits_is_bounded_and_one_large_append_still_goes() {
        let pending = Pending::default();
        assert_eq!(pending.take(500, 100), Ok(()));
        assert_eq!(pending.take(1, 100), Err(500));
        pending.give_back(500);
        assert_eq!(pending.take(60, 100), Ok(()));
        assert_eq!(pending.take(41, 100), Err(60));
        assert_eq!(pending.take(40, 100), Ok(()));
    }
}
