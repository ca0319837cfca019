//! What librdkafka offers and rdkafka does not wrap: topic ids, single settings of topics,
//! batches in both directions, cached ends. All unsafe code of this crate is here.
//!
//! Every pointer is owned by one value, which destroys it, and each of these values holds the
//! client that the pointer belongs to, so that the client is destroyed last. librdkafka's
//! functions may be called from any thread.

#![expect(
    unsafe_code,
    reason = "rdkafka wraps neither these requests nor batches; its bindings are raw"
)]

mod admin;

use std::ffi::{CString, c_int, c_void};
use std::ptr::{NonNull, null_mut};
use std::slice;
use std::sync::Arc;

use rdkafka::admin::AdminClient;
use rdkafka::bindings as raw;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{Producer as _, ThreadedProducer};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::util::IntoOpaque as _;
use tokio::sync::Notify;

pub(crate) use self::admin::{Description, change_settings, describe_topic, hear, set_credentials};
use super::client::ReaderContext;
use super::delivery::{Deliveries, Delivery};
use eventlog::{NewRecord, Offset};

/// A client of librdkafka, which lives as long as any clone of this.
pub(crate) trait Client: Clone + Send + Sync + 'static {
    /// The client; it is valid while `self` is there.
    fn pointer(&self) -> *mut raw::rd_kafka_t;
}

/// The client that reads.
pub(crate) type Consumer = Arc<BaseConsumer<ReaderContext>>;
/// The client that appends, with a thread that takes delivery reports.
pub(crate) type Producer = ThreadedProducer<Deliveries>;

impl<C: ConsumerContext + 'static> Client for Arc<BaseConsumer<C>> {
    fn pointer(&self) -> *mut raw::rd_kafka_t {
        self.client().native_ptr()
    }
}

/// The client that changes topics.
pub(crate) type Admin = Arc<AdminClient<DefaultClientContext>>;

impl Client for Admin {
    fn pointer(&self) -> *mut raw::rd_kafka_t {
        self.inner().native_ptr()
    }
}

impl Client for Producer {
    fn pointer(&self) -> *mut raw::rd_kafka_t {
        self.client().native_ptr()
    }
}

/// Adds brokers to those that the client knows, as `host:port` separated by commas.
pub(crate) fn add_brokers(client: &impl Client, brokers: &str) {
    let Ok(brokers) = CString::new(brokers) else {
        return;
    };
    // SAFETY: the client is valid, and the list ends with a zero and is copied.
    unsafe { raw::rd_kafka_brokers_add(client.pointer(), brokers.as_ptr()) };
}

/// Makes the producer one that has met a fatal error, which brokers cannot be asked for.
#[cfg(test)]
pub(crate) fn break_producer(producer: &Producer, reason: &std::ffi::CStr) {
    let code = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    // SAFETY: the client is valid, and the reason ends with a zero and is copied.
    let outcome =
        unsafe { raw::rd_kafka_test_fatal_error(producer.pointer(), code, reason.as_ptr()) };
    assert_eq!(outcome, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
}

/// A client's handle of a topic.
pub(crate) struct Topic<C: Client> {
    pointer: NonNull<raw::rd_kafka_topic_t>,
    name: CString,
    client: C,
}

// SAFETY: librdkafka's objects may be used from any thread, and the client is Send and Sync.
unsafe impl<C: Client> Send for Topic<C> {}
// SAFETY: as above; nothing is changed without librdkafka's own locks.
unsafe impl<C: Client> Sync for Topic<C> {}

impl<C: Client> Topic<C> {
    /// Asks nothing of the brokers: whether there is such a topic comes to light later.
    pub(crate) fn new(client: C, name: &str) -> Result<Self, Code> {
        let name = CString::new(name).map_err(|_| Code::InvalidTopic)?;
        // SAFETY: the client is valid, the name ends with a zero and is copied; without a
        // configuration of its own the topic gets the client's.
        let pointer =
            unsafe { raw::rd_kafka_topic_new(client.pointer(), name.as_ptr(), null_mut()) };
        Ok(Self {
            pointer: NonNull::new(pointer).ok_or(Code::InvalidTopic)?,
            name,
            client,
        })
    }

    /// The end of the partition as of its newest fetch; asks nothing of the brokers.
    pub(crate) fn cached_end(&self, partition: i32) -> Option<Offset> {
        let (mut low, mut high) = (-1, -1);
        // SAFETY: client and name are valid, and both results are written before it returns.
        let error = unsafe {
            raw::rd_kafka_get_watermark_offsets(
                self.client.pointer(),
                self.name.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
            )
        };
        // Before the first fetch it is a negative number with a meaning of librdkafka's own.
        (error == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR)
            .then(|| Offset::try_from(high).ok())
            .flatten()
    }
}

impl<C: Client> Drop for Topic<C> {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once, before the client.
        unsafe { raw::rd_kafka_topic_destroy(self.pointer.as_ptr()) };
    }
}

/// A queue of events of a client.
struct Queue(NonNull<raw::rd_kafka_queue_t>);

impl Queue {
    /// The queue must not outlive the client.
    fn new(client: &impl Client) -> Option<Self> {
        // SAFETY: the client is valid.
        NonNull::new(unsafe { raw::rd_kafka_queue_new(client.pointer()) }).map(Self)
    }

    /// What the client says of itself, for one that nobody else polls.
    fn main_of(client: &impl Client) -> Option<Self> {
        // SAFETY: the client is valid, and the answer is a reference of its own.
        NonNull::new(unsafe { raw::rd_kafka_queue_get_main(client.pointer()) }).map(Self)
    }

    fn pointer(&self) -> *mut raw::rd_kafka_queue_t {
        self.0.as_ptr()
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: given by librdkafka and destroyed once; requests that are under way hold their own
        // reference to the queue.
        unsafe { raw::rd_kafka_queue_destroy(self.pointer()) };
    }
}

fn check(error: RDKafkaRespErr) -> Result<(), Code> {
    match error {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        error => Err(error.into()),
    }
}

/// A record or an event as librdkafka holds it.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    /// An event in place of a record.
    pub(crate) event: Option<Code>,
    pub(crate) offset: i64,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    pointer: &'a raw::rd_kafka_message_t,
}

impl Message<'_> {
    /// Milliseconds since 1970, where the broker stamped the record.
    pub(crate) fn append_time_ms(&self) -> Option<i64> {
        let mut kind = raw::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is borrowed, and the kind is written before it returns.
        let time_ms = unsafe { raw::rd_kafka_message_timestamp(self.pointer, &raw mut kind) };
        let stamped = raw::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
        (kind == stamped).then_some(time_ms)
    }
}

/// One partition, being read ahead from an offset on. Dropping it stops that.
pub(crate) struct Reader {
    topic: Arc<Topic<Consumer>>,
    partition: i32,
    queue: Queue,
    pointers: Vec<*mut raw::rd_kafka_message_t>,
    /// What the queue's callback points at.
    _wake: Arc<Notify>,
}

// SAFETY: librdkafka's objects may be used from any thread; the messages belong to the reader.
unsafe impl Send for Reader {}

impl Reader {
    /// Begins to read ahead. `wake` is notified whenever there is something to take again.
    pub(crate) fn start(
        topic: Arc<Topic<Consumer>>,
        partition: i32,
        offset: i64,
        wake: Arc<Notify>,
    ) -> Result<Self, Code> {
        let queue = Queue::new(&topic.client).ok_or(Code::Fail)?;
        // SAFETY: the queue is valid, and `wake` lives until the callback is taken off again,
        // which waits for a call that is under way.
        unsafe {
            let wake = Arc::as_ptr(&wake).cast_mut().cast::<c_void>();
            raw::rd_kafka_queue_cb_event_enable(queue.pointer(), Some(notify), wake);
        }
        // SAFETY: topic and queue are valid; librdkafka holds a reference to the queue.
        let started = unsafe {
            let topic = topic.pointer.as_ptr();
            raw::rd_kafka_consume_start_queue(topic, partition, offset, queue.pointer())
        };
        let reader = Self {
            topic,
            partition,
            queue,
            pointers: Vec::new(),
            _wake: wake,
        };
        if started == 0 {
            return Ok(reader);
        }
        // SAFETY: it only reads what the call above left for this thread.
        Err(unsafe { raw::rd_kafka_last_error() }.into())
    }

    /// Takes up to `max` messages that are there, without waiting.
    pub(crate) fn take(&mut self, max: usize) -> Messages<'_> {
        self.pointers.clear();
        self.pointers.reserve(max);
        // SAFETY: the queue is valid and there is room for `max` pointers.
        let count = unsafe {
            let room = self.pointers.as_mut_ptr();
            raw::rd_kafka_consume_batch_queue(self.queue.pointer(), 0, room, max)
        };
        // SAFETY: so many were written; -1 says that there are none.
        unsafe { self.pointers.set_len(usize::try_from(count).unwrap_or(0)) };
        Messages(&mut self.pointers)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // SAFETY: topic and queue are valid. Nothing calls back once this returns.
        unsafe {
            raw::rd_kafka_queue_cb_event_enable(self.queue.pointer(), None, null_mut());
            raw::rd_kafka_consume_stop(self.topic.pointer.as_ptr(), self.partition);
        }
    }
}

/// Called by librdkafka when a reader's queue is no longer empty.
unsafe extern "C" fn notify(_client: *mut raw::rd_kafka_t, wake: *mut c_void) {
    // SAFETY: `Reader::start` passed it, and the reader keeps it.
    unsafe { &*wake.cast_const().cast::<Notify>() }.notify_waiters();
}

/// Messages that were taken; dropping them gives them back.
pub(crate) struct Messages<'a>(&'a mut Vec<*mut raw::rd_kafka_message_t>);

impl Messages<'_> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The messages, in the partition's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        self.0.iter().map(|pointer| {
            // SAFETY: librdkafka gave the pointer, and it is valid until `drop`.
            let message = unsafe { &**pointer };
            Message {
                event: check(message.err).err(),
                offset: message.offset,
                key: bytes(message.key, message.key_len),
                value: bytes(message.payload, message.len),
                pointer: message,
            }
        })
    }
}

/// The bytes of a valid message, whose lifetime the caller gives; none where there is no pointer.
fn bytes<'a>(start: *const c_void, len: usize) -> &'a [u8] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: librdkafka gives pointer and length of one buffer.
    unsafe { slice::from_raw_parts(start.cast(), len) }
}

impl Drop for Messages<'_> {
    fn drop(&mut self) {
        for pointer in self.0.drain(..) {
            // SAFETY: each was given by librdkafka and is destroyed once.
            unsafe { raw::rd_kafka_message_destroy(pointer) };
        }
    }
}

/// Puts the entries in the producer's queue, in order. `delivery` hears of each that was taken,
/// later and on another thread. Answers how many were not taken, and why.
pub(crate) fn produce(
    topic: &Topic<Producer>,
    partition: i32,
    entries: &[NewRecord],
    delivery: &Arc<Delivery>,
) -> Option<(usize, Code)> {
    let message = |entry: &NewRecord| raw::rd_kafka_message_t {
        err: RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
        rkt: null_mut(),
        partition,
        payload: entry.value.as_ptr().cast_mut().cast(),
        len: entry.value.len(),
        key: entry.key.as_ptr().cast_mut().cast(),
        key_len: entry.key.len(),
        offset: 0,
        _private: delivery.clone().into_ptr(),
    };
    let mut messages: Vec<_> = entries.iter().map(message).collect();
    let count = c_int::try_from(messages.len()).expect("an append has fewer than 2^31 entries");
    // SAFETY: the topic is valid, and keys and values are copied (MSG_F_COPY), never written.
    unsafe {
        let topic = topic.pointer.as_ptr();
        let flags = raw::RD_KAFKA_MSG_F_COPY;
        raw::rd_kafka_produce_batch(topic, partition, flags, messages.as_mut_ptr(), count);
    }
    let mut refused = None;
    for message in &messages {
        if let Err(code) = check(message.err) {
            // SAFETY: made by `into_ptr` above, and librdkafka did not take it.
            drop(unsafe { <Arc<Delivery>>::from_ptr(message._private) });
            let (count, _) = refused.get_or_insert((0, code));
            *count += 1;
        }
    }
    refused
}
