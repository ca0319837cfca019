//! Requests to the brokers: what a topic is, and single settings of it.

use std::ffi::{CStr, CString, c_int};
use std::ptr::{NonNull, null, null_mut};
use std::time::Duration;

use rdkafka::bindings as raw;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::{Client, Queue, check};
use crate::complaint::Complaints;

/// What the brokers say of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    /// What tells this topic from every other, of the same name too (KIP-516), in base64.
    pub(crate) id: String,
    /// How many partitions it has.
    pub(crate) partitions: usize,
}

/// Asks the brokers about a topic; blocks for as long as `patience`.
pub(crate) fn describe_topic(
    client: &impl Client,
    name: &str,
    patience: Duration,
) -> Result<Description, Code> {
    let name = CString::new(name).map_err(|_| Code::InvalidTopic)?;
    let mut names = [name.as_ptr()];
    let operation = raw::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    // SAFETY: names are valid throughout, and the request copies the collection, which is
    // destroyed here, once. The event is valid when it is read, and what was read owns its data.
    unsafe {
        let topics = raw::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let event = ask(client, operation, patience, |options, queue| {
            raw::rd_kafka_DescribeTopics(client.pointer(), topics, options, queue);
        });
        raw::rd_kafka_TopicCollection_destroy(topics);
        read_description(event?.pointer())
    }
}

/// Changes settings of a topic, and leaves all others as they are; blocks for as long as
/// `patience`.
pub(crate) fn change_settings(
    client: &impl Client,
    name: &str,
    settings: &[(String, String)],
    patience: Duration,
) -> Result<(), Code> {
    let text = |text: &str| CString::new(text).map_err(|_| Code::InvalidConfig);
    let name = text(name)?;
    let settings: Vec<_> = settings
        .iter()
        .map(|(setting, value)| Ok((text(setting)?, text(value)?)))
        .collect::<Result<_, Code>>()?;
    let operation = raw::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
    // SAFETY: names and values are copied, the resource is destroyed once, after the request has
    // copied it; all that is read of the event belongs to it.
    unsafe {
        let kind = raw::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
        let mut resource = raw::rd_kafka_ConfigResource_new(kind, name.as_ptr());
        for (setting, value) in &settings {
            let set = raw::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET;
            let (setting, value) = (setting.as_ptr(), value.as_ptr());
            let error =
                raw::rd_kafka_ConfigResource_add_incremental_config(resource, setting, set, value);
            // Of an error of null there is nothing to destroy.
            raw::rd_kafka_error_destroy(error);
        }
        let event = ask(client, operation, patience, |options, queue| {
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
        check(raw::rd_kafka_ConfigResource_error(*changed))
    }
}

/// Gives the client another user and password, for when it connects next.
pub(crate) fn set_credentials(
    client: &impl Client,
    user: &str,
    password: &str,
) -> Result<(), Code> {
    let text = |text: &str| CString::new(text).map_err(|_| Code::InvalidConfig);
    let (user, password) = (text(user)?, text(password)?);
    // SAFETY: the client is valid and copies both texts; of an error of null the code is 0 and
    // there is nothing to destroy.
    let code = unsafe {
        let (user, password) = (user.as_ptr(), password.as_ptr());
        let error = raw::rd_kafka_sasl_set_credentials(client.pointer(), user, password);
        let code = raw::rd_kafka_error_code(error);
        raw::rd_kafka_error_destroy(error);
        code
    };
    check(code)
}

/// Hands what the client has said since to `complaints`. It is for clients that nobody polls.
pub(crate) fn hear(client: &impl Client, complaints: &Complaints) {
    let Some(queue) = Queue::main_of(client) else {
        return;
    };
    loop {
        // SAFETY: the queue is valid; it answers null where it is empty.
        let event = unsafe { raw::rd_kafka_queue_poll(queue.pointer(), 0) };
        let Some(event) = NonNull::new(event).map(Event) else {
            return;
        };
        // SAFETY: the event is valid, and of the kind that is read; all texts belong to it.
        unsafe {
            match raw::rd_kafka_event_type(event.pointer()) {
                raw::RD_KAFKA_EVENT_ERROR => {
                    let code = Code::from(raw::rd_kafka_event_error(event.pointer()));
                    let reason = CStr::from_ptr(raw::rd_kafka_event_error_string(event.pointer()));
                    complaints.note(&KafkaError::Global(code), &reason.to_string_lossy());
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
                        complaints.note_line(severity, &text(facility), &text(line));
                    }
                }
                _ => {}
            }
        }
    }
}

/// An answer of the brokers.
struct Event(NonNull<raw::rd_kafka_event_t>);

impl Event {
    fn pointer(&self) -> *mut raw::rd_kafka_event_t {
        self.0.as_ptr()
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: given by `rd_kafka_queue_poll`, destroyed once.
        unsafe { raw::rd_kafka_event_destroy(self.pointer()) };
    }
}

/// Sends a request with options and a queue for its answer, which it waits for.
fn ask(
    client: &impl Client,
    operation: raw::rd_kafka_admin_op_t,
    patience: Duration,
    request: impl FnOnce(*const raw::rd_kafka_AdminOptions_t, *mut raw::rd_kafka_queue_t),
) -> Result<Event, Code> {
    let patience_ms = c_int::try_from(patience.as_millis()).unwrap_or(c_int::MAX);
    let queue = Queue::new(client).ok_or(Code::Fail)?;
    // SAFETY: client and queue are valid throughout; the request copies the options, which are
    // destroyed here, once.
    let event = unsafe {
        let options = raw::rd_kafka_AdminOptions_new(client.pointer(), operation);
        // Out of its range the timeout stays at its default of a minute.
        raw::rd_kafka_AdminOptions_set_request_timeout(options, patience_ms, null_mut(), 0);
        request(options, queue.pointer());
        raw::rd_kafka_AdminOptions_destroy(options);
        raw::rd_kafka_queue_poll(queue.pointer(), patience_ms.saturating_add(1_000))
    };
    let event = NonNull::new(event)
        .map(Event)
        .ok_or(Code::OperationTimedOut)?;
    // SAFETY: the event is valid.
    check(unsafe { raw::rd_kafka_event_error(event.pointer()) })?;
    Ok(event)
}

/// # Safety
/// The event must be valid.
unsafe fn read_description(event: *mut raw::rd_kafka_event_t) -> Result<Description, Code> {
    // SAFETY: all that is read belongs to the event; pointers are checked where null is possible,
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
        check(raw::rd_kafka_error_code(
            raw::rd_kafka_TopicDescription_error(topic),
        ))?;
        let mut partitions = 0;
        raw::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        let id = raw::rd_kafka_Uuid_base64str(raw::rd_kafka_TopicDescription_topic_id(topic));
        if id.is_null() {
            return Err(Code::UnsupportedVersion);
        }
        let id = CStr::from_ptr(id).to_string_lossy().into_owned();
        Ok(Description { id, partitions })
    }
}
