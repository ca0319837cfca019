//! A second fold of the log, as simple as possible: record by record, every bar by itself.

mod bars;

use std::collections::{BTreeMap, HashMap, HashSet};

use market::{
    Amendment, AmendmentKind, DAY_NS, HOUR_NS, IdScheme, IdScope, Position, RejectReason,
    SettingsChange, TieOrder, Trade, TradeId, VenueSettings,
};
use schemas::{SETTINGS_PARTITION, TradesTopicRecord};

pub(crate) use self::bars::compute_bars;
use crate::kafka::{BrokerRecord, RecordsByPartition};

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
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) dead: BTreeMap<LogPosition, UncountedRecord>,
    pub(crate) duplicates: u64,
    /// The edits and cancels that count.
    pub(crate) amendments: u64,
    counted: Vec<CountedTrade>,
    changes: HashMap<AmendmentTarget, Vec<Option<Trade>>>,
}

/// The state of one partition between records, and between generations.
#[derive(Default)]
struct PartitionFoldState {
    venues: HashMap<String, VenueSettings>,
    /// The position of each venue's last change.
    declared_at: HashMap<String, Position>,
    seen: HashSet<(String, String)>,
    amended: HashSet<(String, i64, TradeId)>,
    append_ns: i64,
}

impl PartitionFoldState {
    fn change_settings(
        &mut self,
        venue: &str,
        change: &SettingsChange,
        declared_at: Position,
    ) -> Result<(), RejectReason> {
        let settings = change.apply_to(self.venues.get(venue));
        let settings = settings.map_err(|_| RejectReason::SettingsConflict)?;
        self.venues.insert(venue.to_owned(), settings);
        self.declared_at.insert(venue.to_owned(), declared_at);
        Ok(())
    }
}

/// Where a record comes from.
#[derive(Clone, Copy)]
struct RecordSource {
    epoch: u64,
    partition: u32,
    partitions: u32,
}

impl Oracle {
    /// Folds generations of the log, the first of which has epoch 1.
    pub(crate) fn from_generations(generations: &[RecordsByPartition]) -> Self {
        let mut oracle = Self::default();
        let count = generations.first().map_or(0, Vec::len);
        let partitions = u32::try_from(count).unwrap_or_default();
        for partition in 0..partitions {
            let mut carried = PartitionFoldState::default();
            for (epoch, records) in (1..).zip(generations) {
                let at = RecordSource {
                    epoch,
                    partition,
                    partitions,
                };
                for record in &records[partition as usize] {
                    if let Err(reason) = oracle.apply_record(record, at, &mut carried) {
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
        oracle
    }

    fn apply_record(
        &mut self,
        record: &BrokerRecord,
        at: RecordSource,
        carried: &mut PartitionFoldState,
    ) -> Result<(), RejectReason> {
        carried.append_ns = carried.append_ns.max(record.append_time_ns);
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
        at: RecordSource,
        carried: &mut PartitionFoldState,
    ) -> Result<(), RejectReason> {
        market::validate_trade_of_any_venue(&trade, carried.append_ns)?;
        let (instrument, settings) = find_instrument_and_settings(record, at, carried)?;
        settings.validate_trade(&trade)?;
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
        at: RecordSource,
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

fn find_instrument_and_settings(
    record: &BrokerRecord,
    at: RecordSource,
    carried: &PartitionFoldState,
) -> Result<(String, VenueSettings), RejectReason> {
    let instrument = schemas::instrument_from_key(&record.key, at.partition, at.partitions)?;
    let settings = carried.venues.get(instrument.venue());
    let settings = settings.ok_or(RejectReason::VenueUnknown)?;
    Ok((instrument.key().to_owned(), *settings))
}

/// Returns the identity of a trade within its instrument.
fn trade_identity(trade: &Trade, settings: &VenueSettings) -> Option<String> {
    let (hour, day) = (trade.time_ns / HOUR_NS, trade.time_ns / DAY_NS);
    let Some(id) = &trade.id else {
        let sender = trade.sender?;
        return Some(format!("sender {:?} {} {hour}", sender.key, sender.index));
    };
    let scope = trade.scope.as_deref().unwrap_or("");
    Some(match (settings.scheme, settings.scope) {
        (IdScheme::None, _) => return None,
        (IdScheme::Contiguous, IdScope::Symbol) => format!("{id}"),
        (IdScheme::Contiguous, IdScope::Day) => format!("{day} {id}"),
        (IdScheme::Contiguous, _) => format!("{scope} {id}"),
        (IdScheme::Unique, IdScope::Symbol | IdScope::Day) => format!("{hour} {id}"),
        (IdScheme::Unique, _) => format!("{hour} {scope} {id}"),
    })
}
