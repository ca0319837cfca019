//! A second implementation of the fold, as simple as possible: record by record, every bar by
//! itself, without batches and without limits on memory.

mod identity;
mod minutes;
mod windows;

use std::collections::{BTreeMap, BTreeSet};

use eventlog::Record;
use market::{
    Amendment, Bar, BarRow, DAY_NS, DeclaredSettings, Instrument, Interval, Position,
    SettingsChange, TieOrder, Trade, Venue, VenueSettings, Window,
};
use schemas::{SETTINGS_PARTITION, TradesTopicRecord};

use crate::bar_store::refused_price;

const HORIZON_NS: i64 = 6 * DAY_NS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordOutcome {
    Counted,
    Excluded,
    /// The record is never archived as a tick.
    NotATick,
    /// The record is never archived as a tick, and is left out because the store refuses what it
    /// changes.
    LeftOutRefold,
}

#[derive(Clone)]
struct SymbolState {
    watermark_ns: i64,
    last_append_ns: i64,
    closed_until_ns: i64,
}

/// A trade that counts, as it was sent.
#[derive(Clone)]
struct CountedTrade {
    instrument: Instrument,
    trade: Trade,
    identity: Option<String>,
    at: Position,
    append_ns: i64,
}

/// An edit or a cancel that counts.
#[derive(Clone)]
struct CountedAmendment {
    amendment: Amendment,
    trade: Trade,
    instrument: Instrument,
    identity: Option<String>,
    at: Position,
    append_ns: i64,
}

/// A minute that is to be refolded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkedMinute {
    pub up_to: Position,
    pub amendments: u64,
    pub force: bool,
}

/// The fold of one partition up to `next_offset`.
#[derive(Clone)]
pub struct Oracle {
    pub partition: u32,
    partitions: u32,
    pub epoch: u64,
    pub next_offset: u64,
    append_time_ns: i64,
    venues: BTreeMap<Venue, DeclaredSettings>,
    symbols: BTreeMap<Instrument, SymbolState>,
    pub bars: BTreeMap<(Instrument, Window), BarRow>,
    /// The open windows of each instrument.
    open: BTreeMap<Instrument, Vec<Window>>,
    /// The bars that the last record changed. A bar may be listed more than once.
    pub changed: Vec<(Instrument, Window)>,
    known_identities: BTreeSet<(Instrument, String)>,
    day_appends: BTreeMap<(Instrument, i64), i64>,
    counted_trades: Vec<CountedTrade>,
    counted_amendments: Vec<CountedAmendment>,
    amendment_ids: BTreeSet<(Instrument, i64, String)>,
    /// The identities of trades whose amendment arrived first, and when it was appended.
    pending_amendments: Vec<(Instrument, String, i64)>,
    pub marked_minutes: BTreeMap<(Instrument, i64), MarkedMinute>,
    /// Whether the store refuses bars whose high is [`refused_price`].
    refuses_price: bool,
    /// The number of records that were left out because the store refuses what they change.
    pub left_out: u64,
    /// After how many left out records the others are applied anyway, as a worker does that has
    /// announced states before it knows that the store refuses them.
    applied_after: u64,
    /// The numbers of amendments and of repairs that were rejected because their hour is too old.
    pub past_horizon: (u64, u64),
    /// The numbers of refolded minutes, and of refolds without effect.
    pub refolds: (u64, u64),
    pub outcomes: BTreeMap<Position, RecordOutcome>,
    /// Of each record, whether it is an edit or a cancel, and its append time.
    pub appends: BTreeMap<Position, (bool, i64)>,
    /// Records that are dead letters.
    pub dead_letters: BTreeSet<Position>,
}

impl Oracle {
    pub fn new(partition: u32, partitions: u32, refuses_price: bool) -> Self {
        Self {
            refuses_price,
            left_out: 0,
            applied_after: u64::MAX,
            partition,
            partitions,
            epoch: 1,
            next_offset: 0,
            append_time_ns: 0,
            venues: BTreeMap::new(),
            symbols: BTreeMap::new(),
            bars: BTreeMap::new(),
            open: BTreeMap::new(),
            changed: Vec::new(),
            known_identities: BTreeSet::new(),
            day_appends: BTreeMap::new(),
            counted_trades: Vec::new(),
            counted_amendments: Vec::new(),
            amendment_ids: BTreeSet::new(),
            pending_amendments: Vec::new(),
            marked_minutes: BTreeMap::new(),
            past_horizon: (0, 0),
            refolds: (0, 0),
            outcomes: BTreeMap::new(),
            appends: BTreeMap::new(),
            dead_letters: BTreeSet::new(),
        }
    }

    /// Returns a copy that leaves no further record out.
    pub fn without_further_refusals(&self) -> Self {
        Self {
            applied_after: self.left_out,
            ..self.clone()
        }
    }

    /// Leaves a record out if the store refuses a bar with this high.
    fn is_left_out(&mut self, record: &Record, high: market::Decimal) -> bool {
        let is_left_out =
            self.refuses_price && high == refused_price() && self.left_out < self.applied_after;
        if is_left_out {
            self.left_out += 1;
            self.dead_letters.insert(self.position_of(record));
        }
        is_left_out
    }

    /// Continues with the next generation of the log, under settings that all partitions share.
    pub fn start_next_epoch(&mut self, settings: &BTreeMap<Venue, DeclaredSettings>) {
        self.epoch += 1;
        self.next_offset = 0;
        self.venues.clone_from(settings);
    }

    /// Returns the position of the next record.
    pub const fn next_position(&self) -> Position {
        Position {
            epoch: self.epoch,
            offset: self.next_offset,
        }
    }

    const fn position_of(&self, record: &Record) -> Position {
        Position {
            epoch: self.epoch,
            offset: record.offset,
        }
    }

    pub fn apply(&mut self, record: &Record) {
        assert_eq!(record.offset, self.next_offset);
        self.changed.clear();
        self.append_time_ns = self.append_time_ns.max(record.append_time_ns);
        self.pass_time(record.offset);
        let outcome = match TradesTopicRecord::decode(&record.value) {
            Ok(TradesTopicRecord::Trade(trade)) => self.apply_trade(record, &trade),
            Ok(TradesTopicRecord::Setting(venue, change)) => {
                let declared_at = self.position_of(record);
                match self.partition {
                    SETTINGS_PARTITION => self.change_settings(record, venue, change, declared_at),
                    _ => self.reject(record, RecordOutcome::NotATick),
                }
            }
            Ok(TradesTopicRecord::SettingCopy(venue, declared)) => {
                let declared_at = declared.declared_at;
                let change = SettingsChange::of_all(&declared.settings);
                let known = self.venues.get(&venue).map(|known| known.declared_at);
                if self.partition == SETTINGS_PARTITION || declared_at.epoch != self.epoch {
                    self.reject(record, RecordOutcome::NotATick)
                } else if known < Some(declared_at) {
                    self.change_settings(record, venue, change, declared_at)
                } else {
                    RecordOutcome::NotATick
                }
            }
            Ok(TradesTopicRecord::Amendment(amendment, trade)) => {
                self.apply_amendment(record, &amendment, &trade)
            }
            Ok(TradesTopicRecord::Refold(refold)) => self.apply_refold(record, &refold),
            Ok(TradesTopicRecord::Repair(repair)) => self.apply_repair(record, repair),
            Ok(TradesTopicRecord::LeftOut(left_out)) => self.apply_left_out(record, left_out),
            Ok(TradesTopicRecord::Advance) => RecordOutcome::NotATick,
            Err(_) => self.reject(record, RecordOutcome::NotATick),
        };
        let position = self.position_of(record);
        self.outcomes.insert(position, outcome);
        let is_amendment = TradesTopicRecord::begins_as_amendment(&record.value);
        self.appends
            .insert(position, (is_amendment, self.append_time_ns));
        self.next_offset += 1;
    }

    /// Changes settings. A change of what the first settings have fixed is rejected.
    fn change_settings(
        &mut self,
        record: &Record,
        venue: Venue,
        change: SettingsChange,
        declared_at: Position,
    ) -> RecordOutcome {
        let before = self.venues.get(&venue).map(|known| known.settings);
        match change.apply_to(before.as_ref()) {
            Ok(settings) => {
                let declared = DeclaredSettings {
                    settings,
                    declared_at,
                };
                self.venues.insert(venue, declared);
                self.pass_time(record.offset);
                RecordOutcome::NotATick
            }
            Err(_) => self.reject(record, RecordOutcome::NotATick),
        }
    }

    /// Returns each venue's settings.
    pub const fn venues(&self) -> &BTreeMap<Venue, DeclaredSettings> {
        &self.venues
    }

    fn settings(&self, instrument: &Instrument) -> Option<VenueSettings> {
        let declared = self.venues.get(&instrument.venue().parse().unwrap())?;
        Some(declared.settings)
    }

    fn reject(&mut self, record: &Record, outcome: RecordOutcome) -> RecordOutcome {
        self.dead_letters.insert(self.position_of(record));
        outcome
    }

    /// Returns whether a trade or an amendment of one is rejected by its own values and append
    /// time.
    fn is_impossible(&self, trade: &Trade) -> bool {
        let negative = |quantity| quantity < market::Decimal::ZERO;
        trade.time_ns < 0
            || trade.time_ns > self.append_time_ns + market::FUTURE_LIMIT_NS
            || trade.quantity.is_some_and(negative)
    }

    /// Returns the instrument of a record; `None` if the record is in a partition other than its
    /// key's.
    fn instrument(&self, record: &Record) -> Option<Instrument> {
        let key = String::from_utf8_lossy(&record.key).into_owned();
        let instrument = key.parse::<Instrument>().ok()?;
        let named = schemas::partition_of(key.as_bytes(), self.partitions);
        (named == self.partition).then_some(instrument)
    }

    fn is_too_old(&self, instrument: &Instrument, time_ns: i64) -> bool {
        let hour = (instrument.clone(), Interval::H1.window_containing(time_ns));
        let counted = self.bars.get(&hour).filter(|row| row.bar.admitted > 0);
        let first = counted.map(|row| row.bar.first_append_ns);
        self.append_time_ns > first.unwrap_or(self.append_time_ns) + HORIZON_NS
    }

    fn apply_trade(&mut self, record: &Record, trade: &Trade) -> RecordOutcome {
        if self.is_impossible(trade) {
            return self.reject(record, RecordOutcome::NotATick);
        }
        let Some(instrument) = self.instrument(record) else {
            return self.reject(record, RecordOutcome::NotATick);
        };
        let Some(settings) = self.settings(&instrument) else {
            return self.reject(record, RecordOutcome::Excluded);
        };
        if settings.validate_trade(trade).is_err() || self.is_too_old(&instrument, trade.time_ns) {
            return self.reject(record, RecordOutcome::Excluded);
        }
        let identity = Self::identity(trade, &settings);
        let is_new = identity
            .as_ref()
            .is_none_or(|identity| !self.is_known(&instrument, trade, identity));
        if is_new && self.is_left_out(record, trade.price) {
            return RecordOutcome::Excluded;
        }
        if !self.insert_identity_if_new(&instrument, trade, identity.as_ref()) {
            return RecordOutcome::Excluded;
        }
        self.count_trade(&instrument, trade, &settings, record.offset);
        let append_ns = self.append_time_ns;
        let waits = |(of, name, since_ns): &(Instrument, String, i64)| {
            *of == instrument
                && Some(name) == identity.as_ref()
                && append_ns - since_ns <= HORIZON_NS
        };
        if self.pending_amendments.iter().any(waits) {
            self.mark_minute(&instrument, trade.time_ns, record.offset, 0, false);
        }
        self.counted_trades.push(CountedTrade {
            instrument,
            trade: trade.clone(),
            identity,
            at: self.position_of(record),
            append_ns,
        });
        RecordOutcome::Counted
    }
}

fn merge_into(sum: &mut Option<Bar>, bar: Option<&Bar>, ties: TieOrder) {
    match (sum, bar) {
        (Some(sum), Some(bar)) => sum.merge(bar, ties),
        (none @ None, Some(bar)) => *none = Some(bar.clone()),
        (_, None) => {}
    }
}
