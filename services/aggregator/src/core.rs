//! The fold of one partition, as a pure state machine.

mod amendments;
mod delta;
mod exchange;
mod foresight;
mod ids;
mod letters;
mod output;
mod routes;
mod symbol;
mod time;
mod venues;

use std::collections::BTreeSet;

use bytes::Bytes;
use eventlog::Record;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use market::{Position, RejectReason, Trade};
use schemas::{DeadLetter, TradesRecord};
use store::{BarKey, ExcludedRange, IdSetKey, PartitionProgress, PartitionState, Verdict};

pub use exchange::{Counts, Need, Refolded, Supply, Update};

use ids::IdSet;
use symbol::{Admission, Moment, Symbol};
use venues::Venues;

/// The fold of one partition.
#[derive(Debug)]
pub struct Core {
    partitions: u32,
    progress: PartitionProgress,
    venues: Venues,
    symbols: Vec<Symbol>,
    routes: HashMap<Bytes, u32, RandomState>,
    last_route: Option<(Bytes, u32)>,
    /// When to ask which symbol whether it is idle: one entry a symbol at most.
    alarms: BTreeSet<(i64, u32)>,
    /// The least of them; `i64::MAX` where there is none.
    next_alarm_ns: i64,
    to_announce: Vec<u32>,
    to_write: Vec<u32>,
    changed_venues: Vec<usize>,
    rejected: Vec<ExcludedRange>,
    letters: Vec<DeadLetter>,
    needs: Vec<Need>,
    /// Whether the next record waits before it has had any effect.
    needs_ticks: bool,
    /// Symbols with marked minutes, by their places.
    marked: BTreeSet<u32>,
    counts: Counts,
    generation: u64,
}

impl Core {
    /// Goes on from a stored state; the topic has so many partitions.
    #[must_use]
    pub fn new(state: PartitionState, partitions: u32) -> Self {
        let mut core = Self {
            partitions,
            progress: state.progress,
            venues: Venues::default(),
            symbols: Vec::new(),
            routes: HashMap::default(),
            last_route: None,
            alarms: BTreeSet::new(),
            next_alarm_ns: i64::MAX,
            to_announce: Vec::new(),
            to_write: Vec::new(),
            changed_venues: Vec::new(),
            rejected: Vec::new(),
            letters: Vec::new(),
            needs: Vec::new(),
            needs_ticks: false,
            marked: BTreeSet::new(),
            counts: Counts::default(),
            generation: output::KEPT_COMMITS,
        };
        for row in state.venues {
            let venue = core.venues.place(row.venue.as_str());
            core.venues.set(venue, row.settings);
        }
        for row in state.symbols {
            let venue = core.venues.place(row.instrument.venue());
            core.add_symbol(Symbol::restored(row, venue));
        }
        for bar in state.open_bars {
            if let Some(place) = core.routes.get(bar.instrument.key().as_bytes()) {
                core.symbols[*place as usize].restore_open(bar.row);
            }
        }
        for row in state.dirty_minutes {
            let place = core.restored(&row.instrument);
            core.symbols[place as usize].restore_mark(row.start_ns, row.mark);
            core.marked.insert(place);
        }
        for row in state.pending_amendments {
            let place = core.restored(&row.key.instrument);
            core.symbols[place as usize].restore_ahead(row);
        }
        for place in 0..core.symbols.len() {
            core.arm(u32::try_from(place).expect("fewer than 2^32 symbols"));
        }
        core
    }

    /// The first offset that is not applied yet.
    #[must_use]
    pub const fn next_offset(&self) -> u64 {
        self.progress.next_offset
    }

    /// The greatest append time among the records that were applied, in UTC nanoseconds.
    #[must_use]
    pub const fn append_time_ns(&self) -> i64 {
        self.progress.append_time_ns
    }

    /// How far it is.
    #[must_use]
    pub const fn place(&self) -> Position {
        self.progress.next_position()
    }

    /// Where in `bar-updates` the state it was loaded from or last flushed to says to read on.
    #[must_use]
    pub const fn updates(&self) -> Position {
        self.progress.updates_position
    }

    /// Whether any bar changed since the last [`Core::take_updates`].
    #[must_use]
    pub const fn has_updates(&self) -> bool {
        !self.to_announce.is_empty()
    }

    /// Whether any window can close by time alone.
    #[must_use]
    pub fn waits_for_time(&self) -> bool {
        !self.alarms.is_empty()
    }

    /// Applies records in order, and answers how many. Where that is not all of them,
    /// [`Core::needs`] says what has to be supplied first.
    pub fn apply(&mut self, records: &[Record]) -> usize {
        for (place, record) in records.iter().enumerate() {
            if record.offset >= self.progress.next_offset && !self.record(record) {
                self.foresee(&records[place + 1..]);
                return place;
            }
        }
        records.len()
    }

    /// Applies a trade that is decoded already, the next record of the log; true where it
    /// counts. What [`Core::apply`] does beside: decode, find the symbol, bury what is wrong.
    #[inline]
    pub fn apply_trade(
        &mut self,
        place: u32,
        trade: &Trade,
        offset: u64,
        append_time_ns: i64,
    ) -> bool {
        self.progress.append_time_ns = self.progress.append_time_ns.max(append_time_ns);
        let at = Moment {
            epoch: self.progress.epoch,
            offset,
            append_time_ns: self.progress.append_time_ns,
            generation: self.generation,
        };
        self.pass_time(at);
        let admission = match market::validate_trade(trade, at.append_time_ns) {
            Ok(()) => self.fold(place, trade, at),
            Err(reject) => Admission::Rejected(reject),
        };
        if let Admission::Blocked(needs) = admission {
            self.needs = needs;
            return false;
        }
        self.progress.next_offset = offset + 1;
        matches!(admission, Admission::Counted { .. })
    }

    /// What has to be supplied before the next record can be applied, and with it what trades
    /// after it will need.
    #[must_use]
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// Whether all that has had any effect belongs to records before [`Core::next_offset`], so
    /// that the state can be flushed: nothing is needed, or only before the next record begins.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.needs.is_empty() || self.needs_ticks
    }

    /// Takes what was needed.
    pub fn supply(&mut self, supplies: Vec<Supply>) {
        self.needs.clear();
        self.needs_ticks = false;
        let generation = self.generation;
        for supply in supplies {
            let (Supply::Bar(BarKey { instrument, .. }, _)
            | Supply::Ids {
                key: IdSetKey { instrument, .. },
                ..
            }
            | Supply::Ticks { instrument, .. }) = &supply;
            let place = self.routes.get(instrument.key().as_bytes());
            let Some(symbol) = place.map(|place| &mut self.symbols[*place as usize]) else {
                continue;
            };
            match supply {
                Supply::Bar(key, row) => {
                    symbol.supply_bar(key.window, row.map(|row| *row), generation);
                }
                Supply::Ids { key, ranged, row } => {
                    let set = if ranged {
                        IdSet::ranges(&row, generation)
                    } else {
                        IdSet::exact(row, generation)
                    };
                    symbol.supply_ids(key, set);
                }
                Supply::Ticks {
                    start_ns,
                    up_to,
                    refolded,
                    ..
                } => symbol.supply_ticks(start_ns, up_to, refolded),
            }
        }
    }

    fn moment(&self, record: &Record) -> Moment {
        Moment {
            epoch: self.progress.epoch,
            offset: record.offset,
            append_time_ns: self.progress.append_time_ns,
            generation: self.generation,
        }
    }

    /// Applies one record; false where something has to be supplied first.
    fn record(&mut self, record: &Record) -> bool {
        let decoded = TradesRecord::decode(&record.value);
        if let Ok(TradesRecord::Refold(refold)) = &decoded
            && !self.can_refold(record, *refold)
        {
            return false;
        }
        self.progress.append_time_ns = self.progress.append_time_ns.max(record.append_time_ns);
        let at = self.moment(record);
        self.pass_time(at);
        match decoded {
            Ok(TradesRecord::Trade(trade)) => {
                if !self.trade(record, &trade, at) {
                    return false;
                }
            }
            Ok(TradesRecord::Advance) => {}
            Ok(TradesRecord::Setting(venue, settings)) => {
                let place = self.venues.place(venue.as_str());
                self.set_venue(place, settings, at);
            }
            Ok(TradesRecord::Amendment(amendment, trade)) => {
                if !self.amendment(record, &amendment, &trade, at) {
                    return false;
                }
            }
            Ok(TradesRecord::Refold(refold)) => self.refold(record, refold, at),
            Ok(TradesRecord::Repair(repair)) => {
                if !self.repair(record, repair, at) {
                    return false;
                }
            }
            Err(error) => self.bury(record, RejectReason::Malformed, error.to_string()),
        }
        self.progress.next_offset = record.offset + 1;
        true
    }

    fn trade(&mut self, record: &Record, trade: &Trade, at: Moment) -> bool {
        if let Err(reject) = market::validate_trade(trade, at.append_time_ns) {
            self.bury(record, reject, reject.explanation().to_owned());
            return true;
        }
        let Some(place) = self.place_for(record, at, |settings| settings.validate_trade(trade))
        else {
            return true;
        };
        match self.fold(place, trade, at) {
            Admission::Counted { late } => {
                self.counts.trades += 1;
                self.counts.late += u64::from(late);
            }
            Admission::Duplicate => {
                self.counts.duplicates += 1;
                self.leave_out(Verdict::Duplicate, at);
            }
            Admission::Rejected(reject) => self.reject_by_state(record, reject, at),
            Admission::Blocked(needs) => {
                self.needs = needs;
                return false;
            }
        }
        true
    }

    /// Folds a trade of the symbol at a place.
    #[inline]
    fn fold(&mut self, place: u32, trade: &Trade, at: Moment) -> Admission {
        let symbol = &mut self.symbols[place as usize];
        let settings = self.venues.settings(symbol.venue);
        if let Err(reject) = settings.validate_trade(trade) {
            return Admission::Rejected(reject);
        }
        let admission = symbol.trade(trade, settings, at);
        if matches!(admission, Admission::Counted { .. }) {
            let idle_from_ns = symbol.idle_from_ns(settings);
            if symbol.marks() > 0 {
                self.marked.insert(place);
            }
            if symbol.alarm_ns > idle_from_ns {
                self.set_alarm(place, idle_from_ns);
            }
            self.list(place);
        }
        admission
    }

    #[inline]
    fn list(&mut self, place: u32) {
        let symbol = &mut self.symbols[place as usize];
        if !std::mem::replace(&mut symbol.announce_listed, true) {
            self.to_announce.push(place);
        }
        if !std::mem::replace(&mut symbol.write_listed, true) {
            self.to_write.push(place);
        }
    }
}
