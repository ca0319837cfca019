//! Where the reader of a partition is, and the records that it has delivered.

use std::mem;
use std::ops::Range;

use bytes::Bytes;
use eventlog::{Offset, Record};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::known_end::KnownPartitionEnd;
use super::read_error::ReadError;
use super::stall::StallDetector;
use super::unread_range::UnreadRange;
use crate::metrics;
use crate::native::{PartitionQueueReader, TakenMessage, TakenMessages};

/// How many messages are taken from librdkafka at once. This bounds the records that are held here
/// in addition to librdkafka's own bounded queue.
const MAX_MESSAGES: usize = 1_024;
/// The append time of the first record that is read, if the brokers gave it none.
const NO_APPEND_TIME_NS: i64 = 0;
/// The assumed size of a record until some have been read.
const ASSUMED_RECORD_BYTES: usize = 128;

/// The read position in a partition, and the records that were read ahead but not fetched yet.
#[derive(Default)]
pub(super) struct PartitionReadState {
    reader: Option<PartitionQueueReader>,
    /// Where the next fetch continues.
    next_offset: Offset,
    /// The offset of the next message. The offsets in `[next_offset, next_message_offset)` are in
    /// `buffered` or have no record.
    next_message_offset: Offset,
    /// Records beyond what the last fetch requested.
    buffered: Vec<Record>,
    /// The greatest append time that was returned, in UTC nanoseconds.
    last_append_ns: Option<i64>,
    /// The known end when librdkafka last reported that there is nothing more. Offsets before it
    /// may have no record, such as the markers of other processes' transactions.
    drained_end: Option<Offset>,
    /// The end up to which the brokers let readers read, as of their last answer after the last
    /// record. It is before the known end while a producer has an open transaction.
    readable_end: Option<Offset>,
    error: Option<ReadError>,
    /// The mean size of the records that were last read; 0 before that.
    mean_record_bytes: usize,
    last_used_round: u64,
    /// Whether a record without an append time was logged.
    has_reported_missing_time: bool,
    stall: StallDetector,
}

impl PartitionReadState {
    pub(super) fn is_reading(&self) -> bool {
        self.reader.is_some()
    }

    /// Returns whether the next fetch of the reader continues at `offset`.
    pub(super) fn is_reading_at(&self, offset: Offset) -> bool {
        self.is_reading() && self.next_offset == offset
    }

    pub(super) fn next_offset(&self) -> Offset {
        self.next_offset
    }

    pub(super) fn next_message_offset(&self) -> Offset {
        self.next_message_offset
    }

    pub(super) fn error(&self) -> Option<ReadError> {
        self.error
    }

    pub(super) fn last_used_round(&self) -> u64 {
        self.last_used_round
    }

    pub(super) fn set_last_used_round(&mut self, round: u64) {
        self.last_used_round = round;
    }

    pub(super) fn stall_detector(&mut self) -> &mut StallDetector {
        &mut self.stall
    }

    /// Returns the first offset that may hold a record which was not fetched yet.
    pub(super) fn unread_from(&self) -> Offset {
        match self.buffered.is_empty() {
            // The offsets between the two have no records.
            true => self.next_message_offset,
            false => self.next_offset,
        }
    }

    /// Records the end up to which the brokers let readers read.
    pub(super) fn set_readable_end(&mut self, end: Offset) {
        self.readable_end = Some(end);
    }

    /// Returns where the records are that were not fetched yet, if there are any before
    /// `known_end`.
    pub(super) fn unread_range(&self, known_end: Offset) -> Option<UnreadRange> {
        let first = self.unread_from();
        (self.is_reading() && first < known_end).then(|| UnreadRange {
            first,
            end: known_end,
            is_behind_open_transaction: self.readable_end.is_some_and(|end| end <= first),
        })
    }

    /// Returns whether no record is left before `known_end`.
    pub(super) fn is_at_end(&self, known_end: Offset) -> bool {
        self.next_message_offset >= known_end
            || self.drained_end.is_some_and(|drained| drained >= known_end)
    }

    /// Starts a reader at `offset` in place of the current one.
    pub(super) fn start_at(
        &mut self,
        offset: Offset,
        round: u64,
        end: &KnownPartitionEnd,
    ) -> Result<(), Code> {
        let native_offset = i64::try_from(offset).map_err(|_| Code::InvalidArgument)?;
        let (restarts, last_append_ns) = match self.next_offset == offset {
            true => (self.stall.restarts(), self.last_append_ns),
            false => (0, None),
        };
        // This stops the old reader first: librdkafka allows one reader for each partition.
        *self = Self {
            next_offset: offset,
            next_message_offset: offset,
            last_used_round: round,
            mean_record_bytes: self.mean_record_bytes,
            last_append_ns,
            stall: StallDetector::new(round, restarts),
            ..Self::default()
        };
        let (topic, wake) = (end.topic().clone(), end.wake().clone());
        let reader =
            PartitionQueueReader::start(topic, end.native_partition(), native_offset, wake)?;
        self.reader = Some(reader);
        Ok(())
    }

    /// Stops a stalled reader, and counts it for the next reader at the same offset.
    pub(super) fn stop_and_count_as_stalled(&mut self) {
        *self = Self {
            next_offset: self.next_offset,
            mean_record_bytes: self.mean_record_bytes,
            last_append_ns: self.last_append_ns,
            stall: StallDetector::new(0, self.stall.restarts() + 1),
            ..Self::default()
        };
    }

    /// Buffers a record if none is buffered and there is one. Returns whether a record is buffered.
    pub(super) fn try_buffer_record(&mut self, end: &KnownPartitionEnd) -> bool {
        let mut may_have_more = true;
        while self.buffered.is_empty() && may_have_more {
            let mut records = Vec::new();
            may_have_more = self.take_and_count_messages(1, &mut records, end) > 0;
            self.buffered = records;
        }
        !self.buffered.is_empty()
    }

    /// Takes records of about `max_bytes`; at least one, if there is one.
    pub(super) fn take_records(
        &mut self,
        max_bytes: usize,
        end: &KnownPartitionEnd,
    ) -> Vec<Record> {
        let records = self.collect_records(max_bytes, end);
        if let Some(last) = records.last() {
            self.next_offset = last.offset + 1;
        }
        records
    }

    fn collect_records(&mut self, max_bytes: usize, end: &KnownPartitionEnd) -> Vec<Record> {
        let mut records = mem::take(&mut self.buffered);
        let (mut taken, mut used_bytes) = (0, 0);
        loop {
            while let Some(record) = records.get(taken) {
                let size_bytes = record.key.len() + record.value.len();
                if taken > 0 && used_bytes + size_bytes > max_bytes {
                    self.buffered = records.split_off(taken);
                    return records;
                }
                used_bytes += size_bytes;
                taken += 1;
            }
            let room_bytes = max_bytes.saturating_sub(used_bytes);
            if (taken > 0 && room_bytes == 0)
                || self.take_and_count_messages(room_bytes, &mut records, end) == 0
            {
                return records;
            }
        }
    }

    /// Takes about `room_bytes` of messages from librdkafka and appends their records to
    /// `records`. Returns the number of messages.
    fn take_and_count_messages(
        &mut self,
        room_bytes: usize,
        records: &mut Vec<Record>,
        end: &KnownPartitionEnd,
    ) -> usize {
        if self.error.is_some() {
            return 0;
        }
        let Some(mut reader) = self.reader.take() else {
            return 0;
        };
        let mean_record_bytes = match self.mean_record_bytes {
            0 => ASSUMED_RECORD_BYTES,
            mean_record_bytes => mean_record_bytes,
        };
        let messages = reader.take((room_bytes / mean_record_bytes + 1).min(MAX_MESSAGES));
        let count = messages.len();
        if count > 0 {
            self.copy_messages_into_records(&messages, records, end);
        }
        drop(messages);
        self.reader = Some(reader);
        count
    }

    /// Copies the records of the messages, up to an error, into one buffer.
    fn copy_messages_into_records(
        &mut self,
        messages: &TakenMessages<'_>,
        records: &mut Vec<Record>,
        end: &KnownPartitionEnd,
    ) {
        let message_bytes = |message: TakenMessage<'_>| match message.event {
            Some(_) => 0,
            None => message.key.len() + message.value.len(),
        };
        let size_bytes: usize = messages.iter().map(message_bytes).sum();
        self.mean_record_bytes = (size_bytes / messages.len()).max(1);
        let mut buffer = Vec::with_capacity(size_bytes);
        let mut copied: Vec<CopiedRecordRanges> = Vec::with_capacity(messages.len());
        let mut key = 0..0;
        for message in messages.iter() {
            let offset = Offset::try_from(message.offset).unwrap_or(self.next_message_offset);
            if let Some(code) = message.event {
                if !self.handle_event_and_check_can_continue(code, offset, end) {
                    break;
                }
                continue;
            }
            if offset < self.next_message_offset {
                continue;
            }
            let append_time_ns =
                self.advance_past_and_get_append_time_ns(offset, message.append_time_ms(), end);
            if buffer[key.clone()] != *message.key {
                key = push_bytes(&mut buffer, message.key);
            }
            copied.push(CopiedRecordRanges {
                offset,
                append_time_ns,
                key: key.clone(),
                value: push_bytes(&mut buffer, message.value),
            });
        }
        let buffer = Bytes::from(buffer);
        records.extend(copied.into_iter().map(|record| Record {
            offset: record.offset,
            append_time_ns: record.append_time_ns,
            key: buffer.slice(record.key),
            value: buffer.slice(record.value),
        }));
    }

    /// Moves past the record at `offset`, and returns its append time, which never goes back.
    ///
    /// A record with a timestamp of its sender gets the greatest append time before it, as far as
    /// this reader knows: [`NO_APPEND_TIME_NS`] if it has read none. Every role takes the maximum
    /// with the append time that it has stored, so all of them give the record the same one.
    fn advance_past_and_get_append_time_ns(
        &mut self,
        offset: Offset,
        append_time_ms: Option<i64>,
        end: &KnownPartitionEnd,
    ) -> i64 {
        let time_ns = match append_time_ms {
            Some(time_ms) => time_ms.saturating_mul(1_000_000),
            None => {
                self.report_missing_append_time(offset, end);
                NO_APPEND_TIME_NS
            }
        };
        let append_time_ns = self
            .last_append_ns
            .map_or(time_ns, |last| last.max(time_ns));
        self.last_append_ns = Some(append_time_ns);
        self.next_message_offset = offset + 1;
        self.drained_end = None;
        self.readable_end = None;
        self.stall.record_delivered(self.last_used_round);
        append_time_ns
    }

    /// Counts a record without an append time, and logs the first of each reader.
    fn report_missing_append_time(&mut self, offset: Offset, end: &KnownPartitionEnd) {
        metrics::count_missing_append_time(end.topic_name());
        if !self.has_reported_missing_time {
            self.has_reported_missing_time = true;
            tracing::error!(
                topic = end.topic_name(),
                partition = end.partition(),
                offset,
                "records have timestamps of their senders and are given the append time of the \
                 records before them; set message.timestamp.type=LogAppendTime, as `candlewick \
                 topics apply` does"
            );
        }
    }

    /// Handles an event among the records. Returns whether reading can continue.
    fn handle_event_and_check_can_continue(
        &mut self,
        code: Code,
        offset: Offset,
        end: &KnownPartitionEnd,
    ) -> bool {
        match code {
            Code::PartitionEOF => {
                self.next_message_offset = self.next_message_offset.max(offset);
                self.stall.record_end_of_partition();
                self.drained_end = Some(end.get());
                true
            }
            // librdkafka restores the connection.
            Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut => {
                tracing::warn!(partition = end.partition(), "Kafka: {code}");
                true
            }
            code => {
                self.error = Some(ReadError(code));
                false
            }
        }
    }
}

/// A record whose key and value are at these places of a buffer.
struct CopiedRecordRanges {
    offset: Offset,
    append_time_ns: i64,
    key: Range<usize>,
    value: Range<usize>,
}

fn push_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) -> Range<usize> {
    let start = buffer.len();
    buffer.extend_from_slice(bytes);
    start..buffer.len()
}
