//! A queue of events.

use std::ptr::NonNull;

use rdkafka::bindings as raw;

use super::client::NativeClient;

/// A queue of events of a client. It must not outlive the client.
pub(super) struct EventQueue(NonNull<raw::rd_kafka_queue_t>);

impl EventQueue {
    /// Returns a new queue.
    pub(super) fn new(client: &impl NativeClient) -> Option<Self> {
        // SAFETY: the client is valid.
        NonNull::new(unsafe { raw::rd_kafka_queue_new(client.pointer()) }).map(Self)
    }

    /// Returns the queue of what a client reports about itself. It is for clients that nothing else
    /// polls.
    pub(super) fn main_queue(client: &impl NativeClient) -> Option<Self> {
        // SAFETY: the client is valid, and the result is a reference of its own.
        NonNull::new(unsafe { raw::rd_kafka_queue_get_main(client.pointer()) }).map(Self)
    }

    pub(super) fn pointer(&self) -> *mut raw::rd_kafka_queue_t {
        self.0.as_ptr()
    }
}

impl Drop for EventQueue {
    fn drop(&mut self) {
        // SAFETY: librdkafka gave the pointer, and it is destroyed once. Requests that are under
        // way hold their own reference to the queue.
        unsafe { raw::rd_kafka_queue_destroy(self.pointer()) };
    }
}
