//! Records sorted into blocks.

use std::collections::BTreeMap;

use bytes::Bytes;
use eventlog::Record;
use hashbrown::HashMap;
use market::{Instrument, Interval};
use schemas::TradesRecord;
use store::{TickBlock, TickRecord};

/// The trades, edits and cancels of one partition that are not yet written, by instrument and event-time hour.
#[derive(Debug)]
pub struct Blocks {
    partition: u32,
    partitions: u32,
    epoch: u64,
    /// The greatest append time of the records so far, in UTC nanoseconds.
    append_time_ns: i64,
    /// Instruments by key; only those of this partition, and of which a tick waits: keys are what
    /// senders make of them, and which venues were declared is not known here.
    instruments: HashMap<Bytes, usize>,
    names: Vec<Instrument>,
    last: Option<(Bytes, usize)>,
    ticks: BTreeMap<(usize, i64), Vec<TickRecord>>,
    count: u64,
}

impl Blocks {
    /// No records of a partition of a topic with so many, of an epoch; `append_time_ns` is the
    /// greatest append time of those before, in UTC nanoseconds.
    #[must_use]
    pub fn new(partition: u32, partitions: u32, epoch: u64, append_time_ns: i64) -> Self {
        Self {
            partition,
            partitions,
            epoch,
            append_time_ns,
            instruments: HashMap::new(),
            names: Vec::new(),
            last: None,
            ticks: BTreeMap::new(),
            count: 0,
        }
    }

    /// Takes a record, where it is a trade, an edit or a cancel that neither the record nor its
    /// append time rejects: the rules are the aggregator's, and so is the append time, which is
    /// never less than that of any record before, ticks or not.
    pub fn push(&mut self, record: &Record) {
        self.append_time_ns = self.append_time_ns.max(record.append_time_ns);
        let trade = match TradesRecord::decode(&record.value) {
            Ok(TradesRecord::Trade(trade) | TradesRecord::Amendment(_, trade)) => trade,
            _ => return,
        };
        if market::check(&trade, self.append_time_ns).is_err() {
            return;
        }
        let Some(place) = self.place(&record.key) else {
            return;
        };
        let hour_ns = Interval::H1.window(trade.time_ns).start_ns;
        self.count += 1;
        self.ticks
            .entry((place, hour_ns))
            .or_default()
            .push(TickRecord {
                offset: record.offset,
                append_time_ns: self.append_time_ns,
                time_ns: trade.time_ns,
                value: record.value.clone(),
            });
    }

    /// The greatest append time of the records so far, in UTC nanoseconds.
    #[must_use]
    pub const fn append_time_ns(&self) -> i64 {
        self.append_time_ns
    }

    /// How many ticks wait to be written.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.count
    }

    /// Whether no tick waits to be written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The blocks so far, by instrument in the order of their first ticks, then by hour: the same
    /// records give the same blocks, whatever came before them.
    pub fn take(&mut self) -> Vec<TickBlock> {
        self.count = 0;
        self.last = None;
        self.instruments.clear();
        let names = std::mem::take(&mut self.names);
        let ticks = std::mem::take(&mut self.ticks);
        let block = |((place, hour_ns), ticks): ((usize, i64), _)| TickBlock {
            instrument: names[place].clone(),
            hour_ns,
            partition: self.partition,
            epoch: self.epoch,
            ticks,
        };
        ticks.into_iter().map(block).collect()
    }

    fn place(&mut self, key: &Bytes) -> Option<usize> {
        if let Some((last, place)) = &self.last
            && last == key
        {
            return Some(*place);
        }
        let place = match self.instruments.get(key) {
            Some(place) => *place,
            None => {
                let instrument =
                    schemas::instrument_from_key(key, self.partition, self.partitions).ok()?;
                let key = Bytes::copy_from_slice(key);
                self.instruments.insert(key, self.names.len());
                self.names.push(instrument);
                self.names.len() - 1
            }
        };
        self.last = Some((key.clone(), place));
        Some(place)
    }
}

#[cfg(test)]
mod tests;
