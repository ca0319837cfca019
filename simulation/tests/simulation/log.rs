//! A simulated topic, which loses unsynced records and acknowledgements, and is sometimes busy.

mod log_impl;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use clock::Clock;
use eventlog::{NewRecord, Record};
use market::SECOND_NS;
use schemas::TradesTopicRecord;

use crate::clock::SimClock;
use crate::random::Random;

/// Returns how far the clock of the broker that appends a record is behind. The first record's
/// append time is right, so that all readers of the old generation agree when the new one begins.
const fn clock_skew_ns(offset: u64) -> i64 {
    if offset % 7 == 3 { 5 * SECOND_NS } else { 0 }
}

#[derive(Clone)]
pub struct SimLog {
    state: Arc<Mutex<State>>,
    random: Random,
    clock: SimClock,
    /// Whether some records come from a broker whose clock is behind.
    has_clock_skew: bool,
    /// Mutant: readers get the wall clock as the append time.
    uses_wall_clock: bool,
    /// Mutant: an append is acknowledged before it is durable.
    acknowledges_early: bool,
    /// Mutant: records that follow a record which is left out are dropped.
    drops_left_out: bool,
    /// Mutant: readers skip dropped records without an error.
    skips_gaps: bool,
    /// Mutant: copies of settings get ever later positions, so that each of them is applied.
    renews_settings_copies: bool,
    /// Mutant: copies of settings are acknowledged and lost.
    loses_settings_copies: bool,
    /// The epoch when the handle was opened.
    opened_epoch: u64,
    /// The process that appends through this handle, or 0.
    writer: u64,
}

struct State {
    epoch: u64,
    partitions: Vec<Partition>,
    /// The records of earlier generations, by epoch and partition.
    past: BTreeMap<(u64, u32), Vec<Record>>,
    /// Whether calls fail and acknowledgements are lost at random.
    faults: bool,
    next_ticket: u64,
    /// The processes that made the appends, by ticket.
    writers: BTreeMap<u64, u64>,
    /// The number of reads of dropped records.
    missed_reads: u64,
}

#[derive(Default)]
struct Partition {
    records: Vec<Record>,
    /// The ticket of each record's append, and the process that made it.
    appends: Vec<(u64, u64)>,
    /// The offset of the oldest retained record.
    first: u64,
    /// Appends that are not durable yet, by ticket.
    tail: Vec<(u64, Vec<NewRecord>)>,
    /// The first offsets of synced appends, by ticket.
    synced: Vec<(u64, u64)>,
    last_append_ns: i64,
}

impl SimLog {
    pub fn new(partitions: u32, epoch: u64, random: &Random, clock: &SimClock) -> Self {
        let state = State {
            epoch,
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            past: BTreeMap::new(),
            faults: true,
            next_ticket: 0,
            writers: BTreeMap::new(),
            missed_reads: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            random: random.clone(),
            clock: clock.clone(),
            has_clock_skew: false,
            uses_wall_clock: false,
            acknowledges_early: false,
            drops_left_out: false,
            skips_gaps: false,
            renews_settings_copies: false,
            loses_settings_copies: false,
            opened_epoch: epoch,
            writer: 0,
        }
    }

    pub fn with_clock_skew(mut self) -> Self {
        self.has_clock_skew = true;
        self
    }

    pub fn with_wall_clock(mut self) -> Self {
        self.uses_wall_clock = true;
        self
    }

    pub fn with_early_acknowledgement(mut self, acknowledges_early: bool) -> Self {
        self.acknowledges_early = acknowledges_early;
        self
    }

    pub fn without_left_out_records(mut self) -> Self {
        self.drops_left_out = true;
        self
    }

    pub fn with_skipped_gaps(mut self) -> Self {
        self.skips_gaps = true;
        self
    }

    pub fn with_renewed_settings_copies(mut self) -> Self {
        self.renews_settings_copies = true;
        self
    }

    pub fn with_lost_settings_copies(mut self) -> Self {
        self.loses_settings_copies = true;
        self
    }

    /// Changes copies of settings as a mutant does. Returns `None` if they are lost.
    fn mutate_settings_copies(&self, entries: Vec<NewRecord>) -> Option<Vec<NewRecord>> {
        if !self.renews_settings_copies && !self.loses_settings_copies {
            return Some(entries);
        }
        let mut mutated = Vec::new();
        for entry in entries {
            let decoded = TradesTopicRecord::decode(&entry.value);
            let Ok(TradesTopicRecord::SettingCopy(venue, mut declared)) = decoded else {
                mutated.push(entry);
                continue;
            };
            if self.loses_settings_copies {
                return None;
            }
            let mut state = self.state.lock().unwrap();
            state.next_ticket += 1;
            declared.declared_at.epoch = state.epoch;
            declared.declared_at.offset = (1 << 40) + state.next_ticket;
            let mut value = Vec::new();
            TradesTopicRecord::SettingCopy(venue, declared).encode(&mut value);
            mutated.push(NewRecord {
                key: entry.key,
                value: value.into(),
            });
        }
        Some(mutated)
    }

    /// Returns a handle through which one process appends.
    pub fn written_by(&self, writer: u64) -> Self {
        Self {
            writer,
            ..self.clone()
        }
    }

    /// Returns the durable records before offset `end` that one process has appended, by appends
    /// after the one with the ticket `after`.
    pub fn records_written_by(
        &self,
        writer: u64,
        after: u64,
        partition: u32,
        end: u64,
    ) -> Vec<Record> {
        let state = self.state.lock().unwrap();
        let partition = &state.partitions[partition as usize];
        let records = partition.records.iter().zip(&partition.appends);
        let records = records.filter(|(record, (ticket, by))| {
            *by == writer && *ticket > after && record.offset < end
        });
        records.map(|(record, _)| record.clone()).collect()
    }

    /// Returns the ticket of the last append.
    pub fn last_ticket(&self) -> u64 {
        self.state.lock().unwrap().next_ticket
    }

    /// Returns a handle of the current generation.
    pub fn reopened(&self) -> Self {
        Self {
            opened_epoch: self.state.lock().unwrap().epoch,
            ..self.clone()
        }
    }

    /// Deletes and recreates the topic: its offsets begin at 0. Open handles continue with the new
    /// topic, as those of Kafka do, and only [`eventlog::Log::check_epoch`] reports it.
    pub fn recreate(&self) {
        let mut state = self.state.lock().unwrap();
        let epoch = state.epoch;
        let partitions = std::mem::take(&mut state.partitions);
        for (number, partition) in (0..).zip(partitions) {
            state.partitions.push(Partition {
                last_append_ns: partition.last_append_ns,
                ..Partition::default()
            });
            state.past.insert((epoch, number), partition.records);
        }
        state.epoch += 1;
    }

    pub fn missed_reads(&self) -> u64 {
        self.state.lock().unwrap().missed_reads
    }

    pub fn current_epoch(&self) -> u64 {
        self.state.lock().unwrap().epoch
    }

    /// Returns the durable records of a generation of a partition from offset `from`.
    pub fn records_of(&self, epoch: u64, partition: u32, from: u64) -> Vec<Record> {
        let state = self.state.lock().unwrap();
        let records = match state.past.get(&(epoch, partition)) {
            Some(records) => records,
            None => &state.partitions[partition as usize].records,
        };
        records[usize::try_from(from).unwrap()..].to_vec()
    }

    /// Drops all but the `kept` newest records, as a full ring does.
    pub fn keep_newest(&self, partition: u32, kept: u64) {
        let mut state = self.state.lock().unwrap();
        let partition = &mut state.partitions[partition as usize];
        let end = partition.records.len() as u64;
        partition.first = partition.first.max(end.saturating_sub(kept));
    }

    /// Drops the records below an offset, as retention does.
    pub fn drop_below(&self, partition: u32, offset: u64) {
        let mut state = self.state.lock().unwrap();
        let partition = &mut state.partitions[partition as usize];
        partition.first = partition.first.max(offset);
    }

    /// Makes the appended records of a partition durable.
    pub fn sync(&self, partition: u32) {
        let now_ns = self.clock.now_ns();
        let mut state = self.state.lock().unwrap();
        let State {
            partitions,
            writers,
            ..
        } = &mut *state;
        let partition = &mut partitions[partition as usize];
        for (ticket, entries) in std::mem::take(&mut partition.tail) {
            let writer = writers.get(&ticket).copied().unwrap_or_default();
            partition.last_append_ns = partition.last_append_ns.max(now_ns);
            partition
                .synced
                .push((ticket, partition.records.len() as u64));
            for entry in entries {
                let offset = partition.records.len() as u64;
                let clock_skew_ns = if self.has_clock_skew {
                    clock_skew_ns(offset)
                } else {
                    0
                };
                partition.appends.push((ticket, writer));
                partition.records.push(Record {
                    offset,
                    append_time_ns: partition.last_append_ns - clock_skew_ns,
                    key: entry.key,
                    value: entry.value,
                });
            }
        }
    }

    /// Drops what is not durable, as a loss of power does.
    pub fn lose_power(&self) {
        for partition in &mut self.state.lock().unwrap().partitions {
            partition.tail.clear();
        }
    }

    pub fn disable_faults(&self) {
        self.state.lock().unwrap().faults = false;
    }

    pub fn enable_faults(&self) {
        self.state.lock().unwrap().faults = true;
    }

    /// Appends records that are durable at once.
    pub fn append_now(&self, partition: u32, entries: Vec<NewRecord>) {
        self.sync(partition);
        self.state.lock().unwrap().partitions[partition as usize]
            .tail
            .push((u64::MAX, entries));
        self.sync(partition);
    }

    /// Returns the durable records of a partition from offset `from`.
    pub fn records(&self, partition: u32, from: u64) -> Vec<Record> {
        let state = self.state.lock().unwrap();
        let records = &state.partitions[partition as usize].records;
        records[usize::try_from(from).unwrap()..].to_vec()
    }

    fn retained_range(&self, partition: u32) -> (u64, u64) {
        let state = self.state.lock().unwrap();
        let held = &state.partitions[partition as usize];
        (held.first, held.records.len() as u64)
    }

    pub fn end(&self, partition: u32) -> u64 {
        self.state.lock().unwrap().partitions[partition as usize]
            .records
            .len() as u64
    }

    fn is_fault_due(&self, times: u64) -> bool {
        self.state.lock().unwrap().faults && self.random.one_in(times)
    }

    fn is_pending(&self, partition: u32, ticket: u64) -> bool {
        let state = self.state.lock().unwrap();
        let tail = &state.partitions[partition as usize].tail;
        tail.iter().any(|(known, _)| *known == ticket)
    }

    fn first_offset_of(&self, partition: u32, ticket: u64) -> Option<u64> {
        let state = self.state.lock().unwrap();
        let synced = &state.partitions[partition as usize].synced;
        synced
            .iter()
            .find(|(known, _)| *known == ticket)
            .map(|(_, first)| *first)
    }
}
