//! The clients of librdkafka.

use std::ffi::CString;
use std::sync::Arc;

use rdkafka::admin::AdminClient;
use rdkafka::bindings as raw;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{Producer as _, ThreadedProducer};
use rdkafka::types::RDKafkaRespErr;

use crate::callbacks::ReaderCallbacks;
use crate::delivery::ProducerCallbacks;

/// A client of librdkafka, which lives as long as any clone of the value.
pub(crate) trait NativeClient: Clone + Send + Sync + 'static {
    /// Returns the pointer to the client, which is valid while `self` exists.
    fn pointer(&self) -> *mut raw::rd_kafka_t;
}

/// The client that reads.
pub(crate) type ReaderClient = Arc<BaseConsumer<ReaderCallbacks>>;
/// The client that appends, with a thread that receives the delivery reports.
pub(crate) type ProducerClient = ThreadedProducer<ProducerCallbacks>;
/// The client that changes topics.
pub(crate) type AdminHandle = Arc<AdminClient<DefaultClientContext>>;

impl<C: ConsumerContext + 'static> NativeClient for Arc<BaseConsumer<C>> {
    fn pointer(&self) -> *mut raw::rd_kafka_t {
        self.client().native_ptr()
    }
}

impl NativeClient for AdminHandle {
    fn pointer(&self) -> *mut raw::rd_kafka_t {
        self.inner().native_ptr()
    }
}

impl NativeClient for ProducerClient {
    fn pointer(&self) -> *mut raw::rd_kafka_t {
        self.client().native_ptr()
    }
}

/// Adds brokers to those that the client knows, as `host:port` separated by commas.
pub(crate) fn add_brokers(client: &impl NativeClient, brokers: &str) {
    let Ok(brokers) = CString::new(brokers) else {
        return;
    };
    // SAFETY: the client is valid, and the list ends with a zero and is copied.
    unsafe { raw::rd_kafka_brokers_add(client.pointer(), brokers.as_ptr()) };
}

/// Puts the producer into the state after a fatal error, which real brokers rarely cause.
#[cfg(test)]
pub(crate) fn inject_fatal_error(producer: &ProducerClient, reason: &std::ffi::CStr) {
    let code = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    // SAFETY: the client is valid, and the reason ends with a zero and is copied.
    let result =
        unsafe { raw::rd_kafka_test_fatal_error(producer.pointer(), code, reason.as_ptr()) };
    assert_eq!(result, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
}

/// Converts an error code of librdkafka to a result.
pub(super) fn check_code(error: RDKafkaRespErr) -> Result<(), Code> {
    match error {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        error => Err(error.into()),
    }
}
