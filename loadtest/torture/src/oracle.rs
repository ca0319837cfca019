//! A second fold of the log, as simple as possible: record by record, every bar by itself.

mod bars;
mod generation_records;
mod partition_state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use market::{
    Amendment, AmendmentKind, Decimal, HOUR_NS, Position, RejectReason, SettingsChange, TieOrder,
    Trade, VenueSettings,
};
use schemas::{SETTINGS_PARTITION, TradesTopicRecord};

pub(crate) use self::bars::compute_bars;
pub(crate) use self::generation_records::GenerationRecords;
use self::partition_state::{
    EpochPartition, PartitionFoldState, equalize_settings, find_instrument_and_settings,
    trade_identity,
};
use crate::kafka::BrokerRecord;
use crate::sent_trades::trade_name;

/// A trade that counts, with the values of its latest edit.
#[derive(Debug, Clone)]
pub(crate) struct CountedTrade {
    pub(crate) instrument: String,
    pub(crate) trade: Trade,
    pub(crate) position: Position,
    /// The order of trades of equal event time at its venue.
    pub(crate) ties: TieOrder,
    identity: Option<String>,
}

/// A record that does not count.
#[derive(Debug, Clone)]
pub(crate) struct UncountedRecord {
    pub(crate) reason: RejectReason,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Where the log holds a record: epoch, partition, offset.
pub(crate) type LogPosition = (u64, u32, u64);

/// What an amendment names: instrument, identity and time of a trade.
type AmendmentTarget = (String, String, i64);

/// The fold of every record of every generation of the log.
#[derive(Debug)]
pub(crate) struct Oracle {
    /// The price of the trades that the store was made to refuse.
    unstorable_price: Decimal,
    pub(crate) dead: BTreeMap<LogPosition, UncountedRecord>,
    pub(crate) duplicates: u64,
    /// The names of trades of which a record, of the trade or of an amendment, was not folded
    /// before its generation was deleted.
    pub(crate) unfolded: HashSet<String>,
    /// The end of each epoch and partition.
    ends: HashMap<(u64, u32), u64>,
    /// The settings of each venue after its last change.
    pub(crate) settings: BTreeMap<String, VenueSettings>,
    /// The edits and cancels that count.
    pub(crate) amendments: u64,
    counted: Vec<CountedTrade>,
    changes: HashMap<AmendmentTarget, Vec<Option<Trade>>>,
}

impl Oracle {
    /// Folds generations of the log, the first of which has epoch 1.
    /// The store refused every trade of the price `unstorable_price`.
    pub(crate) fn from_generation_records(
        generations: &[GenerationRecords],
        unstorable_price: Decimal,
    ) -> Self {
        let mut oracle = Self {
            unstorable_price,
            dead: BTreeMap::new(),
            unfolded: HashSet::new(),
            ends: HashMap::new(),
            settings: BTreeMap::new(),
            duplicates: 0,
            amendments: 0,
            counted: Vec::new(),
            changes: HashMap::new(),
        };
        let count = generations.first().map_or(0, |first| first.records.len());
        let partitions = u32::try_from(count).unwrap_or_default();
        let mut states: Vec<_> = (0..partitions)
            .map(|_| PartitionFoldState::default())
            .collect();
        for (epoch, generation) in (1..).zip(generations) {
            equalize_settings(&mut states);
            for (partition, carried) in (0..).zip(&mut states) {
                let end = generation.first_unfolded_offset_or_max(partition);
                oracle.ends.insert((epoch, partition), end);
                let at = EpochPartition {
                    epoch,
                    partition,
                    partitions,
                };
                for record in &generation.records[partition as usize] {
                    if record.offset >= end {
                        oracle.note_unfolded(record);
                        continue;
                    }
                    if let Err(reason) = oracle.apply_record(record, at, carried) {
                        let dead = UncountedRecord {
                            reason,
                            key: record.key.clone(),
                            value: record.value.clone(),
                        };
                        oracle.dead.insert((epoch, partition, record.offset), dead);
                    }
                }
            }
        }
        let settings_state = states.into_iter().nth(SETTINGS_PARTITION as usize);
        let settings = settings_state.map(|state| state.venues);
        oracle.settings = settings.into_iter().flatten().collect();
        oracle
    }

    fn note_unfolded(&mut self, record: &BrokerRecord) {
        if let Ok(TradesTopicRecord::Trade(trade) | TradesTopicRecord::Amendment(_, trade)) =
            TradesTopicRecord::decode(&record.value)
        {
            let instrument = String::from_utf8_lossy(&record.key);
            self.unfolded.insert(trade_name(&instrument, &trade));
        }
    }

    /// Returns whether a record was not folded before its generation was deleted.
    pub(crate) fn is_at_or_beyond_end(&self, (epoch, partition, offset): LogPosition) -> bool {
        let end = self.ends.get(&(epoch, partition));
        end.is_some_and(|end| offset >= *end)
    }

    fn apply_record(
        &mut self,
        record: &BrokerRecord,
        at: EpochPartition,
        carried: &mut PartitionFoldState,
    ) -> Result<(), RejectReason> {
        // A record with its sender's time has the append time of the record before it.
        let append_ns = record.append_time_ns.unwrap_or(carried.append_ns);
        carried.append_ns = carried.append_ns.max(append_ns);
        match TradesTopicRecord::decode(&record.value).map_err(|_| RejectReason::Malformed)? {
            TradesTopicRecord::Trade(trade) => self.apply_trade(record, trade, at, carried),
            TradesTopicRecord::Amendment(amendment, trade) => {
                self.apply_amendment(record, amendment, trade, at, carried)
            }
            TradesTopicRecord::Setting(venue, change) => {
                let declared_at = Position {
                    epoch: at.epoch,
                    offset: record.offset,
                };
                if at.partition != SETTINGS_PARTITION {
                    return Err(RejectReason::Misrouted);
                }
                carried.change_settings(venue.as_str(), &change, declared_at)
            }
            TradesTopicRecord::SettingCopy(venue, declared) => {
                let declared_at = declared.declared_at;
                if at.partition == SETTINGS_PARTITION || declared_at.epoch != at.epoch {
                    return Err(RejectReason::Misrouted);
                }
                let known = carried.declared_at.get(venue.as_str());
                if known.is_some_and(|known| *known >= declared_at) {
                    return Ok(());
                }
                let change = SettingsChange::of_all(&declared.settings);
                carried.change_settings(venue.as_str(), &change, declared_at)
            }
            // These records determine when a bar is refolded, not its values.
            TradesTopicRecord::Advance
            | TradesTopicRecord::Refold(_)
            | TradesTopicRecord::Repair(_)
            | TradesTopicRecord::LeftOut(_) => Ok(()),
        }
    }

    fn apply_trade(
        &mut self,
        record: &BrokerRecord,
        trade: Trade,
        at: EpochPartition,
        carried: &mut PartitionFoldState,
    ) -> Result<(), RejectReason> {
        market::validate_trade_of_any_venue(&trade, carried.append_ns)?;
        let (instrument, settings) = find_instrument_and_settings(record, at, carried)?;
        settings.validate_trade(&trade)?;
        if trade.price == self.unstorable_price {
            return Err(RejectReason::Unstorable);
        }
        let identity = trade_identity(&trade, &settings);
        if let Some(identity) = &identity
            && !carried.seen.insert((instrument.clone(), identity.clone()))
        {
            self.duplicates += 1;
            return Ok(());
        }
        self.counted.push(CountedTrade {
            instrument,
            trade,
            position: Position {
                epoch: at.epoch,
                offset: record.offset,
            },
            ties: settings.ties,
            identity,
        });
        Ok(())
    }

    fn apply_amendment(
        &mut self,
        record: &BrokerRecord,
        amendment: Amendment,
        trade: Trade,
        at: EpochPartition,
        carried: &mut PartitionFoldState,
    ) -> Result<(), RejectReason> {
        market::validate_trade_of_any_venue(&trade, carried.append_ns)?;
        let (instrument, settings) = find_instrument_and_settings(record, at, carried)?;
        settings.validate_amendment(&amendment, &trade)?;
        let Some(identity) = trade_identity(&trade, &settings) else {
            return Err(RejectReason::TargetMissing);
        };
        let hour = trade.time_ns / HOUR_NS;
        if !carried
            .amended
            .insert((instrument.clone(), hour, amendment.id))
        {
            self.duplicates += 1;
            return Ok(());
        }
        self.amendments += 1;
        let time_ns = trade.time_ns;
        let values = (amendment.kind == AmendmentKind::Edit).then_some(trade);
        let target = (instrument, identity, time_ns);
        self.changes.entry(target).or_default().push(values);
        Ok(())
    }

    /// Returns the trades that count, after all edits and cancels.
    pub(crate) fn counted_trades_after_amendments(&self) -> Vec<CountedTrade> {
        let mut trades = Vec::with_capacity(self.counted.len());
        for counted in &self.counted {
            let mut counted = counted.clone();
            let target = counted.identity.clone().map(|identity| {
                let time_ns = counted.trade.time_ns;
                (counted.instrument.clone(), identity, time_ns)
            });
            let changes = target.and_then(|target| self.changes.get(&target));
            let changes = changes.map_or(&[][..], Vec::as_slice);
            if changes.iter().any(Option::is_none) {
                continue;
            }
            if let Some(Some(edit)) = changes.last() {
                counted.trade.price = edit.price;
                counted.trade.quantity = edit.quantity;
                counted.trade.side = edit.side;
            }
            trades.push(counted);
        }
        trades
    }
}
