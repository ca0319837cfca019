//! Records grouped into blocks.

use std::collections::BTreeMap;

use bytes::Bytes;
use eventlog::Record;
use hashbrown::HashMap;
use market::{Instrument, Interval};
use schemas::TradesTopicRecord;
use store::{TickBlock, TickRecord};

/// The trades, edits and cancels of one partition that are not written yet, by instrument and
/// event-time hour.
#[derive(Debug)]
pub struct BlockBuilder {
    partition: u32,
    partitions: u32,
    epoch: u64,
    /// The greatest append time of the records so far, in UTC nanoseconds.
    greatest_append_time_ns: i64,
    /// The index in `instruments` by the key of the record. It holds only instruments that have a
    /// tick waiting: senders may use any keys, and the archiver does not know which venues are
    /// declared.
    indexes: HashMap<Bytes, usize>,
    instruments: Vec<Instrument>,
    /// The key of the last record and its index: consecutive records often have the same key.
    last_key: Option<(Bytes, usize)>,
    /// The ticks by the index of their instrument and the start of their hour in UTC nanoseconds.
    ticks: BTreeMap<(usize, i64), Vec<TickRecord>>,
    tick_count: u64,
}

impl BlockBuilder {
    /// Returns empty blocks for one of the `partitions` of a topic in an epoch.
    /// `greatest_append_time_ns` is the greatest append time of the records before, in UTC
    /// nanoseconds.
    #[must_use]
    pub fn new(partition: u32, partitions: u32, epoch: u64, greatest_append_time_ns: i64) -> Self {
        Self {
            partition,
            partitions,
            epoch,
            greatest_append_time_ns,
            indexes: HashMap::new(),
            instruments: Vec::new(),
            last_key: None,
            ticks: BTreeMap::new(),
            tick_count: 0,
        }
    }

    /// Adds a record if it is a trade, an edit or a cancel that is valid by itself and at its
    /// append time. The rules are those of the aggregator. So is the append time, which is never
    /// less than that of any record before, whether that was a tick or not.
    pub fn push_if_valid_tick(&mut self, record: &Record) {
        self.greatest_append_time_ns = self.greatest_append_time_ns.max(record.append_time_ns);
        let trade = match TradesTopicRecord::decode(&record.value) {
            Ok(TradesTopicRecord::Trade(trade) | TradesTopicRecord::Amendment(_, trade)) => trade,
            _ => return,
        };
        if market::validate_trade_of_any_venue(&trade, self.greatest_append_time_ns).is_err() {
            return;
        }
        let Some(index) = self.find_or_add_instrument(&record.key) else {
            return;
        };
        let hour_ns = Interval::H1.window_containing(trade.time_ns).start_ns;
        self.tick_count += 1;
        self.ticks
            .entry((index, hour_ns))
            .or_default()
            .push(TickRecord {
                offset: record.offset,
                append_time_ns: self.greatest_append_time_ns,
                time_ns: trade.time_ns,
                value: record.value.clone(),
            });
    }

    /// Returns the greatest append time of the records so far, in UTC nanoseconds.
    #[must_use]
    pub const fn greatest_append_time_ns(&self) -> i64 {
        self.greatest_append_time_ns
    }

    /// Returns the number of ticks that wait to be written.
    #[must_use]
    pub const fn tick_count(&self) -> u64 {
        self.tick_count
    }

    /// Returns whether no tick waits to be written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tick_count == 0
    }

    /// Removes the blocks and returns them, by instrument in the order of their first ticks, then
    /// by hour. The blocks depend on the records in them only, not on earlier records.
    pub fn take_blocks(&mut self) -> Vec<TickBlock> {
        self.tick_count = 0;
        self.last_key = None;
        self.indexes.clear();
        let instruments = std::mem::take(&mut self.instruments);
        let ticks = std::mem::take(&mut self.ticks);
        let block = |((index, hour_ns), ticks): ((usize, i64), _)| TickBlock {
            instrument: instruments[index].clone(),
            hour_ns,
            partition: self.partition,
            epoch: self.epoch,
            ticks,
        };
        ticks.into_iter().map(block).collect()
    }

    /// Returns the index of a key's instrument, or `None` if the key is not that of an instrument
    /// of this partition.
    fn find_or_add_instrument(&mut self, key: &Bytes) -> Option<usize> {
        if let Some((last, index)) = &self.last_key
            && last == key
        {
            return Some(*index);
        }
        let index = match self.indexes.get(key) {
            Some(index) => *index,
            None => {
                let instrument =
                    schemas::instrument_from_key(key, self.partition, self.partitions).ok()?;
                let key = Bytes::copy_from_slice(key);
                self.indexes.insert(key, self.instruments.len());
                self.instruments.push(instrument);
                self.instruments.len() - 1
            }
        };
        self.last_key = Some((key.clone(), index));
        Some(index)
    }
}

#[cfg(test)]
mod tests;
