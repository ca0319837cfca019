//! What librdkafka offers and rdkafka does not wrap: topic ids, single settings of topics, batches
//! in both directions, and cached ends. All unsafe code of this crate is in this module.
//!
//! Every pointer is owned by one value, which destroys it, and each of these values holds the
//! client that the pointer belongs to, so that the client is destroyed last. The functions of
//! librdkafka may be called from any thread.

#![expect(
    unsafe_code,
    reason = "rdkafka wraps neither these requests nor batches; its bindings are raw"
)]

mod admin;
mod client;
mod produce;
mod queue;
mod queue_reader;
mod topic_handle;

pub(crate) use self::admin::{
    TopicDescription, alter_topic_settings, collect_connection_errors, describe_topic,
    set_credentials,
};
#[cfg(test)]
pub(crate) use self::client::inject_fatal_error;
pub(crate) use self::client::{
    AdminHandle, NativeClient, ProducerClient, ReaderClient, add_brokers,
};
pub(crate) use self::produce::enqueue_records;
pub(crate) use self::queue_reader::{PartitionQueueReader, TakenMessage, TakenMessages};
pub(crate) use self::topic_handle::TopicHandle;
