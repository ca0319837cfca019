//! Reading one partition through a queue of its own.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::slice;
use std::sync::Arc;

use rdkafka::bindings as raw;
use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::sync::Notify;

use super::client::{ReaderClient, check_code};
use super::queue::EventQueue;
use super::topic_handle::TopicHandle;

/// Reads one partition ahead into a queue, starting at an offset. Dropping the reader stops that.
pub(crate) struct PartitionQueueReader {
    topic: Arc<TopicHandle<ReaderClient>>,
    partition: i32,
    queue: EventQueue,
    pointers: Vec<*mut raw::rd_kafka_message_t>,
    /// The callback of the queue has a pointer to it.
    _wake: Arc<Notify>,
}

// SAFETY: the objects of librdkafka may be used from any thread, and the reader owns the messages.
unsafe impl Send for PartitionQueueReader {}

impl PartitionQueueReader {
    /// Starts reading ahead. Notifies the waiters of `wake` each time the queue becomes non-empty.
    pub(crate) fn start(
        topic: Arc<TopicHandle<ReaderClient>>,
        partition: i32,
        offset: i64,
        wake: Arc<Notify>,
    ) -> Result<Self, Code> {
        let queue = EventQueue::new(topic.client()).ok_or(Code::Fail)?;
        // SAFETY: the queue is valid, and `wake` lives until the callback is removed, which waits
        // for a call that is under way.
        unsafe {
            let wake = Arc::as_ptr(&wake).cast_mut().cast::<c_void>();
            raw::rd_kafka_queue_cb_event_enable(queue.pointer(), Some(notify_waiters), wake);
        }
        // SAFETY: topic and queue are valid, and librdkafka holds a reference to the queue.
        let started = unsafe {
            raw::rd_kafka_consume_start_queue(topic.pointer(), partition, offset, queue.pointer())
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
        // SAFETY: it only reads what the call above stored for this thread.
        Err(unsafe { raw::rd_kafka_last_error() }.into())
    }

    /// Takes up to `max_messages` messages from the queue, without waiting.
    pub(crate) fn take(&mut self, max_messages: usize) -> TakenMessages<'_> {
        self.pointers.clear();
        self.pointers.reserve(max_messages);
        // SAFETY: the queue is valid, and there is room for `max_messages` pointers.
        let count = unsafe {
            let room = self.pointers.as_mut_ptr();
            raw::rd_kafka_consume_batch_queue(self.queue.pointer(), 0, room, max_messages)
        };
        // SAFETY: `count` pointers were written; -1 means that there are none.
        unsafe { self.pointers.set_len(usize::try_from(count).unwrap_or(0)) };
        TakenMessages(&mut self.pointers)
    }
}

impl Drop for PartitionQueueReader {
    fn drop(&mut self) {
        // SAFETY: topic and queue are valid. No callback runs once this returns.
        unsafe {
            raw::rd_kafka_queue_cb_event_enable(self.queue.pointer(), None, null_mut());
            raw::rd_kafka_consume_stop(self.topic.pointer(), self.partition);
        }
    }
}

/// The callback that librdkafka runs when the queue of a reader is no longer empty.
unsafe extern "C" fn notify_waiters(_client: *mut raw::rd_kafka_t, wake: *mut c_void) {
    // SAFETY: `PartitionQueueReader::start` passed the pointer, and the reader keeps its target
    // alive.
    unsafe { &*wake.cast_const().cast::<Notify>() }.notify_waiters();
}

/// Messages that were taken from a queue. Dropping them returns them to librdkafka.
pub(crate) struct TakenMessages<'a>(&'a mut Vec<*mut raw::rd_kafka_message_t>);

impl TakenMessages<'_> {
    /// Returns the number of messages.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the messages, in the order of the partition.
    pub(crate) fn iter(&self) -> impl Iterator<Item = TakenMessage<'_>> {
        self.0.iter().map(|pointer| {
            // SAFETY: librdkafka gave the pointer, and it is valid until `drop`.
            let message = unsafe { &**pointer };
            TakenMessage {
                event: check_code(message.err).err(),
                offset: message.offset,
                key: message_bytes(message.key, message.key_len),
                value: message_bytes(message.payload, message.len),
                pointer: message,
            }
        })
    }
}

impl Drop for TakenMessages<'_> {
    fn drop(&mut self) {
        for pointer in self.0.drain(..) {
            // SAFETY: librdkafka gave each pointer, and it is destroyed once.
            unsafe { raw::rd_kafka_message_destroy(pointer) };
        }
    }
}

/// Returns a key or value as a slice, which is empty if the pointer is null. The caller must choose
/// a lifetime that does not outlive the message.
fn message_bytes<'a>(start: *const c_void, len: usize) -> &'a [u8] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: librdkafka gives the pointer and the length of one buffer.
    unsafe { slice::from_raw_parts(start.cast(), len) }
}

/// A record or an event in librdkafka's memory.
#[derive(Debug)]
pub(crate) struct TakenMessage<'a> {
    /// The event, if this is not a record.
    pub(crate) event: Option<Code>,
    pub(crate) offset: i64,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    pointer: &'a raw::rd_kafka_message_t,
}

impl TakenMessage<'_> {
    /// Returns when the broker appended the record, in milliseconds since 1970, or `None` if the
    /// record has a timestamp of its sender.
    pub(crate) fn append_time_ms(&self) -> Option<i64> {
        let mut kind = raw::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is borrowed, and the kind is written before it returns.
        let time_ms = unsafe { raw::rd_kafka_message_timestamp(self.pointer, &raw mut kind) };
        let append_time = raw::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
        (kind == append_time).then_some(time_ms)
    }
}
