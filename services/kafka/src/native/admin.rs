//! Requests to the brokers about topics, and what a client reports about itself.

use std::ffi::{CStr, CString, c_int};
use std::ptr::{NonNull, null, null_mut};
use std::slice;
use std::time::Duration;

use rdkafka::bindings as raw;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::client::{NativeClient, check_code};
use super::queue::EventQueue;
use crate::connection_error::LastConnectionError;
use crate::rights::TopicRight;

/// The description of a topic by the brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicDescription {
    /// The identifier of the topic, which no other topic has, not even an earlier or later one of
    /// the same name (KIP-516); in base64.
    pub(crate) id: String,
    /// The number of partitions.
    pub(crate) partitions: usize,
    /// What the user of the client may do with it; `None` if the brokers do not say.
    pub(crate) rights: Option<Vec<TopicRight>>,
}

/// Requests the description of a topic. Blocks for `timeout` at most.
pub(crate) fn describe_topic(
    client: &impl NativeClient,
    name: &str,
    timeout: Duration,
) -> Result<TopicDescription, Code> {
    let name = CString::new(name).map_err(|_| Code::InvalidTopic)?;
    let mut names = [name.as_ptr()];
    let operation = raw::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    // SAFETY: the names are valid throughout, and the request copies the collection, which is
    // destroyed here, once. The event is valid when it is read, and the description owns its data.
    unsafe {
        let topics = raw::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let event = send_request(client, operation, timeout, |options, queue| {
            let error = raw::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
            // It accepts null, which means that there was no error.
            raw::rd_kafka_error_destroy(error);
            raw::rd_kafka_DescribeTopics(client.pointer(), topics, options, queue);
        });
        raw::rd_kafka_TopicCollection_destroy(topics);
        read_description(event?.pointer())
    }
}

/// Changes settings of a topic, and leaves all others as they are. Blocks for `timeout` at most.
pub(crate) fn alter_topic_settings(
    client: &impl NativeClient,
    name: &str,
    settings: &[(String, String)],
    timeout: Duration,
) -> Result<(), Code> {
    let text = |text: &str| CString::new(text).map_err(|_| Code::InvalidConfig);
    let name = text(name)?;
    let settings: Vec<_> = settings
        .iter()
        .map(|(setting, value)| Ok((text(setting)?, text(value)?)))
        .collect::<Result<_, Code>>()?;
    let operation = raw::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
    // SAFETY: names and values are copied, the resource is destroyed once, after the request has
    // copied it, and everything that is read from the event belongs to it.
    unsafe {
        let kind = raw::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
        let mut resource = raw::rd_kafka_ConfigResource_new(kind, name.as_ptr());
        for (setting, value) in &settings {
            let set = raw::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET;
            let (setting, value) = (setting.as_ptr(), value.as_ptr());
            let error =
                raw::rd_kafka_ConfigResource_add_incremental_config(resource, setting, set, value);
            // It accepts null, which means that there was no error.
            raw::rd_kafka_error_destroy(error);
        }
        let event = send_request(client, operation, timeout, |options, queue| {
            let resources = &raw mut resource;
            raw::rd_kafka_IncrementalAlterConfigs(client.pointer(), resources, 1, options, queue);
        });
        raw::rd_kafka_ConfigResource_destroy(resource);
        let event = event?;
        let result = raw::rd_kafka_event_IncrementalAlterConfigs_result(event.pointer());
        let mut count = 0;
        let changed =
            raw::rd_kafka_IncrementalAlterConfigs_result_resources(result, &raw mut count);
        if changed.is_null() || count != 1 {
            return Err(Code::Fail);
        }
        check_code(raw::rd_kafka_ConfigResource_error(*changed))
    }
}

/// Sets the user and password that the client uses for its next connections.
pub(crate) fn set_credentials(
    client: &impl NativeClient,
    user: &str,
    password: &str,
) -> Result<(), Code> {
    let text = |text: &str| CString::new(text).map_err(|_| Code::InvalidConfig);
    let (user, password) = (text(user)?, text(password)?);
    // SAFETY: the client is valid and copies both texts. Both functions accept an error of null,
    // whose code is 0.
    let code = unsafe {
        let (user, password) = (user.as_ptr(), password.as_ptr());
        let error = raw::rd_kafka_sasl_set_credentials(client.pointer(), user, password);
        let code = raw::rd_kafka_error_code(error);
        raw::rd_kafka_error_destroy(error);
        code
    };
    check_code(code)
}

/// Moves the errors and log lines that the client has queued to `last_connection_error`. It is for
/// clients that nothing else polls.
pub(crate) fn collect_connection_errors(
    client: &impl NativeClient,
    last_connection_error: &LastConnectionError,
) {
    let Some(queue) = EventQueue::main_queue(client) else {
        return;
    };
    loop {
        // SAFETY: the queue is valid; the result is null if it is empty.
        let event = unsafe { raw::rd_kafka_queue_poll(queue.pointer(), 0) };
        let Some(event) = NonNull::new(event).map(QueueEvent) else {
            return;
        };
        // SAFETY: the event is valid and of the type that is read, and all texts belong to it.
        unsafe {
            match raw::rd_kafka_event_type(event.pointer()) {
                raw::RD_KAFKA_EVENT_ERROR => {
                    let code = Code::from(raw::rd_kafka_event_error(event.pointer()));
                    let reason = CStr::from_ptr(raw::rd_kafka_event_error_string(event.pointer()));
                    last_connection_error
                        .record_error(&KafkaError::Global(code), &reason.to_string_lossy());
                }
                raw::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut line, mut severity) = (null(), null(), 0);
                    let read = raw::rd_kafka_event_log(
                        event.pointer(),
                        &raw mut facility,
                        &raw mut line,
                        &raw mut severity,
                    );
                    if read == 0 {
                        let text = |start| CStr::from_ptr(start).to_string_lossy();
                        last_connection_error.record_log_line_if_connection_lost(
                            severity,
                            &text(facility),
                            &text(line),
                        );
                    }
                }
                _ => {}
            }
        }
    }
}

/// An event of a queue, such as the response to a request.
struct QueueEvent(NonNull<raw::rd_kafka_event_t>);

impl QueueEvent {
    fn pointer(&self) -> *mut raw::rd_kafka_event_t {
        self.0.as_ptr()
    }
}

impl Drop for QueueEvent {
    fn drop(&mut self) {
        // SAFETY: `rd_kafka_queue_poll` gave the pointer, and it is destroyed once.
        unsafe { raw::rd_kafka_event_destroy(self.pointer()) };
    }
}

/// Sends a request with options and a queue for its response, and waits for the response.
fn send_request(
    client: &impl NativeClient,
    operation: raw::rd_kafka_admin_op_t,
    timeout: Duration,
    request: impl FnOnce(*mut raw::rd_kafka_AdminOptions_t, *mut raw::rd_kafka_queue_t),
) -> Result<QueueEvent, Code> {
    let timeout_ms = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
    let queue = EventQueue::new(client).ok_or(Code::Fail)?;
    // SAFETY: client and queue are valid throughout; the request copies the options, which are
    // destroyed here, once.
    let event = unsafe {
        let options = raw::rd_kafka_AdminOptions_new(client.pointer(), operation);
        // A timeout out of range leaves the default of a minute.
        raw::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, null_mut(), 0);
        request(options, queue.pointer());
        raw::rd_kafka_AdminOptions_destroy(options);
        raw::rd_kafka_queue_poll(queue.pointer(), timeout_ms.saturating_add(1_000))
    };
    let event = NonNull::new(event)
        .map(QueueEvent)
        .ok_or(Code::OperationTimedOut)?;
    // SAFETY: the event is valid.
    check_code(unsafe { raw::rd_kafka_event_error(event.pointer()) })?;
    Ok(event)
}

/// Reads the description of one topic from the response.
///
/// # Safety
/// The event must be valid.
unsafe fn read_description(event: *mut raw::rd_kafka_event_t) -> Result<TopicDescription, Code> {
    // SAFETY: everything that is read belongs to the event, pointers that may be null are checked,
    // and an error of null has the code 0.
    unsafe {
        let result = raw::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err(Code::Fail);
        }
        let mut count = 0;
        let topics = raw::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if topics.is_null() || count != 1 {
            return Err(Code::Fail);
        }
        let topic = *topics;
        check_code(raw::rd_kafka_error_code(
            raw::rd_kafka_TopicDescription_error(topic),
        ))?;
        let mut partitions = 0;
        raw::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        let id = raw::rd_kafka_Uuid_base64str(raw::rd_kafka_TopicDescription_topic_id(topic));
        if id.is_null() {
            return Err(Code::UnsupportedVersion);
        }
        let id = CStr::from_ptr(id).to_string_lossy().into_owned();
        let mut count = 0;
        let operations =
            raw::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut count);
        let rights = (!operations.is_null()).then(|| {
            let operations = slice::from_raw_parts(operations, count).iter();
            operations.filter_map(|one| topic_right(*one)).collect()
        });
        Ok(TopicDescription {
            id,
            partitions,
            rights,
        })
    }
}

/// Returns the right that an operation of Kafka is, if this program ever needs it.
fn topic_right(operation: raw::rd_kafka_AclOperation_t) -> Option<TopicRight> {
    use raw::rd_kafka_AclOperation_t as Operation;
    match operation {
        Operation::RD_KAFKA_ACL_OPERATION_READ => Some(TopicRight::Read),
        Operation::RD_KAFKA_ACL_OPERATION_WRITE => Some(TopicRight::Write),
        Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE => Some(TopicRight::Describe),
        Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS => Some(TopicRight::DescribeConfigs),
        _ => None,
    }
}
