//! A queue of events.

use std::ptr::NonNull;

use rdkafka::bindings as raw;

use super::client::Client;

/// A queue of events of a client. It must not outlive the client.
pub(super) struct Queue(NonNull<raw::rd_kafka_queue_t>);

impl Queue {
    /// Returns a new queue.
    pub(super) fn new(client: &impl Client) -> Option<Self> {
        // SAFETY: the client is valid.
        NonNull::new(unsafe { raw::rd_kafka_queue_new(client.pointer()) }).map(Self)
    }

    /// Returns the queue of what a client reports about itself. It is for clients that nothing else
    /// polls.
    pub(super) fn main_queue(client: &impl Client) -> Option<Self> {
        // SAFETY: the client is valid, and the result is a reference of its own.
        NonNull::new(unsafe { raw::rd_kafka_queue_get_main(client.pointer()) }).map(Self)
    }

    pub(super) fn pointer(&self) -> *mut raw::rd_kafka_queue_t {
        self.0.as_ptr()
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: librdkafka gave the pointer, and it is destroyed once. Requests that are under
        // way hold their own reference to the queue.
        unsafe { raw::rd_kafka_queue_destroy(self.pointer()) };
    }
}
