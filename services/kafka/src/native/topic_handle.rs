//! A client's handle of a topic.

use std::ffi::CString;
use std::ptr::{NonNull, null_mut};

use eventlog::Offset;
use rdkafka::bindings as raw;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::client::{NativeClient, check_code};

/// A client's handle of a topic.
pub(crate) struct TopicHandle<C: NativeClient> {
    pointer: NonNull<raw::rd_kafka_topic_t>,
    name: CString,
    client: C,
}

// SAFETY: the objects of librdkafka may be used from any thread, and the client is Send and Sync.
unsafe impl<C: NativeClient> Send for TopicHandle<C> {}
// SAFETY: as above; nothing is changed without librdkafka's own locks.
unsafe impl<C: NativeClient> Sync for TopicHandle<C> {}

impl<C: NativeClient> TopicHandle<C> {
    /// Creates a handle. Makes no request to the brokers, so the topic need not exist.
    pub(crate) fn new(client: C, name: &str) -> Result<Self, Code> {
        let name = CString::new(name).map_err(|_| Code::InvalidTopic)?;
        // SAFETY: the client is valid, and the name ends with a zero and is copied. Without a
        // configuration of its own the topic gets the client's.
        let pointer =
            unsafe { raw::rd_kafka_topic_new(client.pointer(), name.as_ptr(), null_mut()) };
        Ok(Self {
            pointer: NonNull::new(pointer).ok_or(Code::InvalidTopic)?,
            name,
            client,
        })
    }

    /// Returns the name of the topic.
    pub(crate) fn name(&self) -> &str {
        self.name.to_str().unwrap_or_default()
    }

    pub(super) fn pointer(&self) -> *mut raw::rd_kafka_topic_t {
        self.pointer.as_ptr()
    }

    pub(super) fn client(&self) -> &C {
        &self.client
    }

    /// Returns the end of the partition as of its newest fetch. Makes no request to the brokers.
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
        // Before the first fetch the end is negative, a special value of librdkafka.
        check_code(error)
            .ok()
            .and_then(|()| Offset::try_from(high).ok())
    }
}

impl<C: NativeClient> Drop for TopicHandle<C> {
    fn drop(&mut self) {
        // SAFETY: created by `new`, and destroyed once, before the client.
        unsafe { raw::rd_kafka_topic_destroy(self.pointer.as_ptr()) };
    }
}
