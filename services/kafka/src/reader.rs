//! Reading one partition: what was taken from librdkafka, and where that is.

use std::mem;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::sync::Notify;

use super::metrics;
use super::native::{Consumer, Messages, Reader, Topic};
use super::pulse::{DOUBT_BEATS, PATIENCE_BEATS};
use eventlog::{Batch, Offset, PartitionId, Record};

/// At most so many messages are taken at once, which bounds what is held here beside
/// librdkafka's own bounded queue.
const MOST_TAKEN: usize = 1_024;
/// And a fetch answers at most so much, whatever was asked for.
const MOST_BYTES: usize = 64 << 20;
/// Readers that bring nothing are started anew after ever longer, up to 2^this times the first.
const MOST_DOUBLINGS: u32 = 6;
/// What a record is taken for until some were seen.
const SUPPOSED_RECORD_BYTES: usize = 128;

/// Why a partition cannot be read on from where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// librdkafka gave up with this.
    Code(Code),
    /// The record at this offset has the sender's time, not the brokers'.
    NoAppendTime(Offset),
}

/// What a look at a partition found.
#[derive(Debug)]
pub(crate) enum Found {
    /// Some records.
    Batch(Batch),
    /// Nothing, and the partition ends here.
    End,
    /// Nothing yet.
    Nothing,
    /// The reader is at another offset, or there is none.
    Elsewhere,
    /// It broke off, and has to be started anew.
    Trouble(Trouble),
}

/// One partition and its reader, if there is one.
pub(crate) struct Slot {
    number: PartitionId,
    topic: Arc<Topic<Consumer>>,
    /// Notified when there may be something new.
    pub(crate) wake: Arc<Notify>,
    /// The partition holds at least the offsets before this.
    known_end: AtomicU64,
    /// Whether somebody ever waited at it, so that its lag is known outside. Who looks a record up
    /// does not lag.
    was_followed: AtomicBool,
    /// Held by the one who fetches: others, who may want to be elsewhere, wait.
    pub(crate) turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    reader: Option<Reader>,
    /// Where the next fetch goes on.
    next: Offset,
    /// Where the next message comes from; what lies between is in `stash`, or is no record.
    position: Offset,
    /// Taken, and beyond what the last fetch asked for.
    stash: Vec<Record>,
    last_append_ns: Option<i64>,
    /// The end that was known when librdkafka last said that there is nothing more; offsets
    /// before it may hold no record, such as the marks of others' transactions.
    drained: Option<Offset>,
    trouble: Option<Trouble>,
    mean_bytes: usize,
    last_used: u64,
    /// The beat in which it began, or a record came last.
    fruitful_at: u64,
    /// The beat in which the brokers were last asked what there is.
    asked_at: u64,
    /// Whether they have not answered yet.
    is_asked: bool,
    /// The beat since which the brokers say that there is a record at `position` or later.
    missed_since: Option<u64>,
    /// How many readers before this one have brought nothing from the same place.
    restarts: u32,
}

impl Slot {
    pub(crate) fn new(number: PartitionId, topic: Arc<Topic<Consumer>>) -> Self {
        Self {
            number,
            topic,
            wake: Arc::new(Notify::new()),
            known_end: AtomicU64::new(0),
            was_followed: AtomicBool::new(false),
            turn: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the reader panics")
    }

    /// The partition's number as librdkafka has it.
    pub(crate) fn native_number(&self) -> i32 {
        i32::try_from(self.number).expect("a number that the brokers gave")
    }

    /// The partition holds all offsets before this; it may hold more.
    pub(crate) fn known_end(&self) -> Offset {
        let cached = self.topic.cached_end(self.native_number()).unwrap_or(0);
        self.known_end.load(Ordering::Acquire).max(cached)
    }

    /// Notes that the partition holds all offsets before `end`.
    pub(crate) fn raise_end(&self, end: Offset) {
        if self.known_end.fetch_max(end, Ordering::AcqRel) < end {
            self.wake.notify_waiters();
        }
    }

    /// Reads from `offset` on, which is within the bounds. It blocks for about a millisecond.
    pub(crate) fn start(&self, offset: Offset, now: u64) -> Result<(), Code> {
        let native = i64::try_from(offset).map_err(|_| Code::InvalidArgument)?;
        let mut state = self.state();
        let (restarts, last_append_ns) = match state.next == offset {
            true => (state.restarts, state.last_append_ns),
            false => (0, None),
        };
        // The old one is stopped first: a partition has one at a time.
        *state = State {
            next: offset,
            position: offset,
            last_used: now,
            fruitful_at: now,
            mean_bytes: state.mean_bytes,
            restarts,
            last_append_ns,
            ..State::default()
        };
        let (topic, wake) = (self.topic.clone(), self.wake.clone());
        state.reader = Some(Reader::start(topic, self.native_number(), native, wake)?);
        Ok(())
    }

    /// Stops to read ahead.
    pub(crate) fn stop(&self) {
        *self.state() = State::default();
    }

    /// Stops to read ahead where nobody has asked since `then`.
    pub(crate) fn stop_unused_since(&self, then: u64) {
        let mut state = self.state();
        if state.reader.is_some() && state.last_used < then {
            *state = State::default();
        }
    }

    /// How many records there are that were not taken; none where nobody ever waited for any, and
    /// 0 where nobody reads now.
    pub(crate) fn lag(&self) -> Option<u64> {
        if !self.was_followed.load(Ordering::Acquire) {
            return None;
        }
        let state = self.state();
        // What lies between the two is no record, where none is held.
        let next = match state.stash.is_empty() {
            true => state.position,
            false => state.next,
        };
        Some(match state.reader {
            Some(_) => self.known_end().saturating_sub(next),
            None => 0,
        })
    }

    /// Whether the brokers should be asked what there is, since nothing has come for long: a reader
    /// that librdkafka has forgotten looks like one at the end. Whoever is told so asks, and
    /// passes the answer to [`Slot::note_told`].
    pub(crate) fn is_doubtful(&self, now: u64) -> bool {
        let mut state = self.state();
        let since = state.fruitful_at.max(state.asked_at);
        let is_due = !state.is_asked && now >= since + DOUBT_BEATS;
        let is_doubtful = state.reader.is_some() && is_due;
        if is_doubtful {
            (state.asked_at, state.is_asked) = (now, true);
        }
        is_doubtful
    }

    /// Notes that the brokers give records up to `end`, as one was told who asked at `asked_at`, or
    /// that they did not say.
    pub(crate) fn note_told(&self, end: Option<Offset>, asked_at: u64) {
        if let Some(end) = end {
            self.raise_end(end);
        }
        let mut state = self.state();
        state.is_asked = false;
        // The answer may be late, and the reader younger than the question.
        let since = asked_at.max(state.fruitful_at);
        state.missed_since = match end.is_some_and(|end| end > state.position) {
            true => state.missed_since.or(Some(since)),
            false => None,
        };
    }

    /// Takes the records from `offset` on.
    pub(crate) fn take(&self, offset: Offset, max_bytes: usize, now: u64) -> Found {
        let mut state = self.state();
        if state.reader.is_none() || state.next != offset {
            return Found::Elsewhere;
        }
        state.last_used = now;
        let records = state.take(max_bytes.min(MOST_BYTES), self);
        if let Some(last) = records.last() {
            let next_offset = last.offset + 1;
            state.next = next_offset;
            return Found::Batch(Batch {
                records,
                next_offset,
            });
        }
        self.conclude(&mut state, now)
    }

    /// Whether there is a record at `offset` or later, where the reader is at `offset`.
    pub(crate) fn look(&self, offset: Offset, now: u64) -> Found {
        let mut state = self.state();
        if state.reader.is_none() || state.next != offset {
            return Found::Elsewhere;
        }
        state.last_used = now;
        self.was_followed.store(true, Ordering::Release);
        let mut is_more = true;
        while state.stash.is_empty() && is_more {
            let mut records = Vec::new();
            is_more = state.pull(1, &mut records, self) > 0;
            state.stash = records;
        }
        if !state.stash.is_empty() {
            return Found::Batch(Batch::default());
        }
        self.conclude(&mut state, now)
    }

    /// What it means that there was no record.
    fn conclude(&self, state: &mut State, now: u64) -> Found {
        if let Some(trouble) = state.trouble {
            *state = State::default();
            return Found::Trouble(trouble);
        }
        if state.stands_still(now) {
            let (partition, offset) = (self.number, state.next);
            tracing::warn!(
                partition,
                offset,
                "a reader stands still; it is started anew"
            );
            metrics::restarted_reader();
            *state = State {
                next: offset,
                mean_bytes: state.mean_bytes,
                restarts: state.restarts + 1,
                last_append_ns: state.last_append_ns,
                ..State::default()
            };
            return Found::Elsewhere;
        }
        let end = self.known_end();
        if state.position >= end || state.drained.is_some_and(|drained| drained >= end) {
            return Found::End;
        }
        Found::Nothing
    }
}

impl State {
    /// Whether the brokers have a record and the reader has not brought it for too long. What is
    /// on its way, such as a large record over a thin line, is given more time with each start.
    fn stands_still(&self, now: u64) -> bool {
        let patience = PATIENCE_BEATS << self.restarts.min(MOST_DOUBLINGS);
        self.missed_since
            .is_some_and(|since| now >= since + patience)
    }

    /// Records of about `max_bytes`; at least one, if there is one.
    fn take(&mut self, max_bytes: usize, slot: &Slot) -> Vec<Record> {
        let mut records = mem::take(&mut self.stash);
        let (mut taken, mut used_bytes) = (0, 0);
        loop {
            while let Some(record) = records.get(taken) {
                let size_bytes = record.key.len() + record.value.len();
                if taken > 0 && used_bytes + size_bytes > max_bytes {
                    self.stash = records.split_off(taken);
                    return records;
                }
                used_bytes += size_bytes;
                taken += 1;
            }
            let room = max_bytes.saturating_sub(used_bytes);
            if (taken > 0 && room == 0) || self.pull(room, &mut records, slot) == 0 {
                return records;
            }
        }
    }

    /// Takes what librdkafka has, about `room` bytes of it; answers how many messages it had.
    fn pull(&mut self, room: usize, records: &mut Vec<Record>, slot: &Slot) -> usize {
        if self.trouble.is_some() {
            return 0;
        }
        let Some(mut reader) = self.reader.take() else {
            return 0;
        };
        let mean_bytes = match self.mean_bytes {
            0 => SUPPOSED_RECORD_BYTES,
            mean_bytes => mean_bytes,
        };
        let messages = reader.take((room / mean_bytes + 1).min(MOST_TAKEN));
        let count = messages.len();
        if count > 0 {
            self.accept(&messages, records, slot);
        }
        drop(messages);
        self.reader = Some(reader);
        count
    }

    fn accept(&mut self, messages: &Messages<'_>, records: &mut Vec<Record>, slot: &Slot) {
        let size = |message: super::native::Message<'_>| match message.event {
            Some(_) => 0,
            None => message.key.len() + message.value.len(),
        };
        let size_bytes: usize = messages.iter().map(size).sum();
        self.mean_bytes = (size_bytes / messages.len()).max(1);
        // One copy out of librdkafka's memory, and one buffer for all of them.
        let mut buffer = Vec::with_capacity(size_bytes);
        let mut places: Vec<Place> = Vec::with_capacity(messages.len());
        let mut key = 0..0;
        for message in messages.iter() {
            let offset = Offset::try_from(message.offset).unwrap_or(self.position);
            if let Some(code) = message.event {
                if !self.note(code, offset, slot) {
                    break;
                }
                continue;
            }
            if offset < self.position {
                continue;
            }
            let Some(time_ms) = message.append_time_ms() else {
                self.trouble = Some(Trouble::NoAppendTime(offset));
                break;
            };
            let time_ns = time_ms.saturating_mul(1_000_000);
            let append_time_ns = self
                .last_append_ns
                .map_or(time_ns, |last| last.max(time_ns));
            self.last_append_ns = Some(append_time_ns);
            self.position = offset + 1;
            self.drained = None;
            (self.fruitful_at, self.missed_since, self.restarts) = (self.last_used, None, 0);
            if buffer[key.clone()] != *message.key {
                key = push(&mut buffer, message.key);
            }
            places.push(Place {
                offset,
                append_time_ns,
                key: key.clone(),
                value: push(&mut buffer, message.value),
            });
        }
        let buffer = Bytes::from(buffer);
        records.extend(places.into_iter().map(|place| Record {
            offset: place.offset,
            append_time_ns: place.append_time_ns,
            key: buffer.slice(place.key),
            value: buffer.slice(place.value),
        }));
    }

    /// Notes an event among the records; answers whether reading goes on.
    fn note(&mut self, code: Code, offset: Offset, slot: &Slot) -> bool {
        match code {
            Code::PartitionEOF => {
                self.position = self.position.max(offset);
                // One that librdkafka has forgotten does not say so.
                self.missed_since = None;
                self.drained = Some(slot.known_end());
                true
            }
            // librdkafka connects again by itself.
            Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut => {
                tracing::warn!(partition = slot.number, "Kafka: {code}");
                true
            }
            code => {
                self.trouble = Some(Trouble::Code(code));
                false
            }
        }
    }
}

/// A record of a batch, whose key and value lie in the batch's buffer.
struct Place {
    offset: Offset,
    append_time_ns: i64,
    key: Range<usize>,
    value: Range<usize>,
}

fn push(buffer: &mut Vec<u8>, bytes: &[u8]) -> Range<usize> {
    let start = buffer.len();
    buffer.extend_from_slice(bytes);
    start..buffer.len()
}

#[cfg(test)]
mod tests;
