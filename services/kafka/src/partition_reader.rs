//! Reading one partition.

mod known_end;
mod read_error;
mod read_state;
mod stall;
#[cfg(test)]
mod tests;
mod unread_range;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use eventlog::{Offset, PartitionId, RecordBatch};
use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use self::known_end::KnownPartitionEnd;
use self::read_state::PartitionReadState;
use crate::metrics;
use crate::native::{ReaderClient, TopicHandle};

pub(crate) use self::read_error::ReadError;
pub use self::unread_range::UnreadRange;

/// How many bytes one fetch returns at most, even if more were requested.
const MAX_FETCH_BYTES: usize = 64 << 20;

/// What a read of a partition returned.
#[derive(Debug)]
pub(crate) enum ReadOutcome {
    /// Records.
    Records(RecordBatch),
    /// No records: the partition ends here.
    AtEnd,
    /// No records yet, although the partition does not end here.
    NotYet,
    /// No records: the reader is at another offset, or there is no reader.
    NotPositioned,
    /// Reading failed, and the reader must be started again.
    Failed(ReadError),
}

/// One partition and its reader, if there is one.
pub(crate) struct PartitionReader {
    end: KnownPartitionEnd,
    /// Whether a caller ever waited for a record. Only then is the lag published: callers that only
    /// look up records do not lag.
    was_followed: AtomicBool,
    /// Held during a fetch. Other fetches, which may be at other offsets, wait for it.
    fetch_lock: tokio::sync::Mutex<()>,
    state: Mutex<PartitionReadState>,
}

impl PartitionReader {
    pub(crate) fn new(partition: PartitionId, topic: Arc<TopicHandle<ReaderClient>>) -> Self {
        Self {
            end: KnownPartitionEnd::new(partition, topic),
            was_followed: AtomicBool::new(false),
            fetch_lock: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        }
    }

    fn lock_state(&self) -> MutexGuard<'_, PartitionReadState> {
        self.state.lock().expect("no holder of the state panics")
    }

    /// Returns the lock that a fetch holds.
    pub(crate) fn fetch_lock(&self) -> &tokio::sync::Mutex<()> {
        &self.fetch_lock
    }

    /// Returns a future that completes when the partition may have something new.
    pub(crate) fn notified(&self) -> Notified<'_> {
        self.wake().notified()
    }

    /// Returns what wakes the callers that wait for a record.
    fn wake(&self) -> &Arc<Notify> {
        self.end.wake()
    }

    /// Returns the number of the partition in librdkafka's type.
    pub(crate) fn native_partition(&self) -> i32 {
        self.end.native_partition()
    }

    /// Returns an offset before which the partition holds all offsets. It may hold more.
    pub(crate) fn known_end(&self) -> Offset {
        self.end.get()
    }

    /// Records that the partition holds all offsets before `end`.
    pub(crate) fn raise_known_end(&self, end: Offset) {
        self.end.raise(end);
    }

    /// Starts a reader at `offset`, which must be within the bounds, in place of the current one.
    /// It blocks for about a millisecond.
    pub(crate) fn start_at(&self, offset: Offset, round: u64) -> Result<(), Code> {
        self.lock_state().start_at(offset, round, &self.end)
    }

    /// Stops reading ahead.
    pub(crate) fn stop(&self) {
        *self.lock_state() = PartitionReadState::default();
    }

    /// Stops reading ahead if the last read was before `round`.
    pub(crate) fn stop_if_unused_since(&self, round: u64) {
        let mut state = self.lock_state();
        if state.is_reading() && state.last_used_round() < round {
            *state = PartitionReadState::default();
        }
    }

    /// Returns how many records the partition has after the last fetched one: zero if it has no
    /// reader now, and `None` if no caller ever waited for a record.
    pub(crate) fn lag_records_if_ever_waited_for(&self) -> Option<u64> {
        if !self.was_followed.load(Ordering::Acquire) {
            return None;
        }
        let state = self.lock_state();
        Some(match state.is_reading() {
            true => self.known_end().saturating_sub(state.unread_from()),
            false => 0,
        })
    }

    /// Returns where the records are that were not fetched yet, or `None` if there are none
    /// or no reader.
    pub(crate) fn unread_range(&self) -> Option<UnreadRange> {
        self.lock_state().unread_range(self.known_end())
    }

    /// Returns the end of the records. It is where the next fetch continues if only offsets without
    /// records are left, such as the markers of other processes' transactions.
    pub(crate) fn end_of_records(&self) -> Offset {
        let known_end = self.known_end();
        let state = self.lock_state();
        match state.is_reading() && state.unread_from() >= known_end {
            true => state.next_offset(),
            false => known_end,
        }
    }

    /// Returns whether the reader is at `next_offset` and there is no record from there to before
    /// `end`.
    pub(crate) fn is_read_to(&self, next_offset: Offset, end: Offset) -> bool {
        let state = self.lock_state();
        state.is_reading_at(next_offset) && state.unread_from() >= end
    }

    /// Begins a query of the partition's end if no record has come for long, because a reader that
    /// librdkafka has forgotten looks like a reader at the end. Returns whether it did; then the
    /// caller must query the brokers and pass the answer to [`Self::finish_end_query`]. Until that,
    /// this returns `false`.
    pub(crate) fn mark_end_query_begun_if_no_recent_record(&self, round: u64) -> bool {
        let mut state = self.lock_state();
        state.is_reading()
            && state
                .stall_detector()
                .mark_end_query_begun_if_no_recent_record(round)
    }

    /// Records the answer to a query of the end that was sent in round `sent_round`: `None` if the
    /// brokers did not answer.
    pub(crate) fn finish_end_query(&self, end: Option<Offset>, sent_round: u64) {
        if let Some(end) = end {
            self.raise_known_end(end);
        }
        let mut state = self.lock_state();
        if let Some(end) = end {
            state.set_readable_end(end);
        }
        let has_unread = end.is_some_and(|end| end > state.next_message_offset());
        state
            .stall_detector()
            .finish_end_query(has_unread, sent_round);
    }

    /// Removes and returns about `max_bytes` of records, starting at `offset`.
    pub(crate) fn take_records(&self, offset: Offset, max_bytes: usize, round: u64) -> ReadOutcome {
        let mut state = self.lock_state();
        if !state.is_reading_at(offset) {
            return ReadOutcome::NotPositioned;
        }
        state.set_last_used_round(round);
        let records = state.take_records(max_bytes.min(MAX_FETCH_BYTES), &self.end);
        match records.last().map(|last| last.offset + 1) {
            Some(next_offset) => ReadOutcome::Records(RecordBatch {
                records,
                next_offset,
            }),
            None => self.explain_no_records_and_stop_if_broken(&mut state, round),
        }
    }

    /// Checks whether there is a record at `offset` or later. If there is, the batch returned is
    /// empty, and the record stays for the next fetch.
    pub(crate) fn check_for_records(&self, offset: Offset, round: u64) -> ReadOutcome {
        let mut state = self.lock_state();
        if !state.is_reading_at(offset) {
            return ReadOutcome::NotPositioned;
        }
        state.set_last_used_round(round);
        self.was_followed.store(true, Ordering::Release);
        match state.try_buffer_record(&self.end) {
            true => ReadOutcome::Records(RecordBatch::default()),
            false => self.explain_no_records_and_stop_if_broken(&mut state, round),
        }
    }

    /// Returns why there was no record. Stops a reader that has failed or is stalled.
    fn explain_no_records_and_stop_if_broken(
        &self,
        state: &mut PartitionReadState,
        round: u64,
    ) -> ReadOutcome {
        if let Some(error) = state.error() {
            *state = PartitionReadState::default();
            return ReadOutcome::Failed(error);
        }
        if state.stall_detector().is_stalled(round) {
            let (partition, offset) = (self.end.partition(), state.next_offset());
            tracing::warn!(
                partition,
                offset,
                "restarting a reader that does not deliver existing records"
            );
            metrics::count_reader_restart();
            state.stop_and_count_as_stalled();
            return ReadOutcome::NotPositioned;
        }
        match state.is_at_end(self.known_end()) {
            true => ReadOutcome::AtEnd,
            false => ReadOutcome::NotYet,
        }
    }
}
