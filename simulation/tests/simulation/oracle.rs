//! The fold once more, as plainly as it can be said: record by record, every bar by itself, no
//! batches, no memory to manage.

mod identity;
mod minutes;

use std::collections::{BTreeMap, BTreeSet};

use eventlog::Record;
use market::{
    Amendment, Bar, BarRow, DAY_NS, Instrument, Interval, Position, Trade, Venue, VenueSettings,
    Window,
};
use schemas::TradesRecord;

const HORIZON_NS: i64 = 6 * DAY_NS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Counted,
    LeftOut,
    /// Never a tick.
    NoTick,
}

#[derive(Clone)]
struct Symbol {
    watermark_ns: i64,
    last_append_ns: i64,
    closed_until_ns: i64,
}

/// A trade that counts, as it came.
#[derive(Clone)]
struct Counted {
    instrument: Instrument,
    trade: Trade,
    identity: Option<String>,
    at: Position,
    append_ns: i64,
}

/// An edit or a cancel that counts.
#[derive(Clone)]
struct Amended {
    amendment: Amendment,
    trade: Trade,
    instrument: Instrument,
    identity: Option<String>,
    at: Position,
    append_ns: i64,
}

/// A minute that is to be folded anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    pub up_to: Position,
    pub amendments: u64,
}

/// The state of one partition after some records.
#[derive(Clone)]
pub struct Oracle {
    partition: u32,
    partitions: u32,
    pub epoch: u64,
    pub next_offset: u64,
    append_ns: i64,
    venues: BTreeMap<Venue, VenueSettings>,
    symbols: BTreeMap<Instrument, Symbol>,
    pub bars: BTreeMap<(Instrument, Window), BarRow>,
    /// The windows that are not closed, by symbol.
    open: BTreeMap<Instrument, Vec<Window>>,
    /// The bars that the last record changed; some more than once.
    pub changed: Vec<(Instrument, Window)>,
    seen: BTreeSet<(Instrument, String)>,
    day_appends: BTreeMap<(Instrument, i64), i64>,
    counted: Vec<Counted>,
    amended: Vec<Amended>,
    amendment_ids: BTreeSet<(Instrument, i64, String)>,
    /// Trades that were amended before they came, and when that was.
    ahead: Vec<(Instrument, String, i64)>,
    pub marked: BTreeMap<(Instrument, i64), Marked>,
    /// Minutes folded anew, and refolds that did nothing.
    pub refolds: (u64, u64),
    pub fates: BTreeMap<Position, Fate>,
    /// Records that are dead letters.
    pub rejected: BTreeSet<Position>,
}

impl Oracle {
    pub fn new(partition: u32, partitions: u32, epoch: u64) -> Self {
        Self {
            partition,
            partitions,
            epoch,
            next_offset: 0,
            append_ns: 0,
            venues: BTreeMap::new(),
            symbols: BTreeMap::new(),
            bars: BTreeMap::new(),
            open: BTreeMap::new(),
            changed: Vec::new(),
            seen: BTreeSet::new(),
            day_appends: BTreeMap::new(),
            counted: Vec::new(),
            amended: Vec::new(),
            amendment_ids: BTreeSet::new(),
            ahead: Vec::new(),
            marked: BTreeMap::new(),
            refolds: (0, 0),
            fates: BTreeMap::new(),
            rejected: BTreeSet::new(),
        }
    }

    /// Goes on with the next generation of the log.
    pub fn switch(&mut self) {
        self.epoch += 1;
        self.next_offset = 0;
    }

    const fn at(&self, record: &Record) -> Position {
        Position {
            epoch: self.epoch,
            offset: record.offset,
        }
    }

    pub fn apply(&mut self, record: &Record) {
        assert_eq!(record.offset, self.next_offset);
        self.changed.clear();
        self.append_ns = self.append_ns.max(record.append_time_ns);
        self.pass_time(record.offset);
        let fate = match TradesRecord::decode(&record.value) {
            Ok(TradesRecord::Trade(trade)) => self.trade(record, &trade),
            Ok(TradesRecord::Setting(venue, settings)) => {
                let known = self.venues.get(&venue);
                let settings = known.map_or(settings, |known| VenueSettings {
                    scheme: known.scheme,
                    scope: known.scope,
                    ..settings
                });
                self.venues.insert(venue, settings);
                self.pass_time(record.offset);
                Fate::NoTick
            }
            Ok(TradesRecord::Amendment(amendment, trade)) => self.amend(record, &amendment, &trade),
            Ok(TradesRecord::Refold(refold)) => self.refold(record, refold),
            Ok(TradesRecord::Repair(repair)) => self.repair(record, repair),
            Ok(TradesRecord::Advance) => Fate::NoTick,
            Err(_) => self.reject(record, Fate::NoTick),
        };
        self.fates.insert(self.at(record), fate);
        self.next_offset += 1;
    }

    fn settings(&self, instrument: &Instrument) -> Option<VenueSettings> {
        self.venues
            .get(&instrument.venue().parse().unwrap())
            .copied()
    }

    /// Every symbol's watermark at this append time, and what it closes.
    fn pass_time(&mut self, offset: u64) {
        for instrument in self.symbols.keys().cloned().collect::<Vec<_>>() {
            let settings = self.settings(&instrument).unwrap();
            let symbol = self.symbols.get_mut(&instrument).unwrap();
            let silence_ns = self.append_ns - symbol.last_append_ns;
            let runs_ns = if silence_ns >= settings.idle_ns {
                silence_ns
            } else {
                0
            };
            let closed_ns = symbol.watermark_ns + runs_ns - settings.lateness_ns;
            symbol.closed_until_ns = symbol.closed_until_ns.max(closed_ns);
            self.close(&instrument, offset);
        }
    }

    fn close(&mut self, instrument: &Instrument, offset: u64) {
        let closed_until_ns = self.symbols[instrument].closed_until_ns;
        let Some(open) = self.open.get_mut(instrument) else {
            return;
        };
        let (closed, open): (Vec<_>, Vec<_>) = std::mem::take(open)
            .into_iter()
            .partition(|window| window.end_ns() <= closed_until_ns);
        self.open.insert(instrument.clone(), open);
        for window in closed {
            let key = (instrument.clone(), window);
            let row = self.bars.get_mut(&key).expect("an open window has a bar");
            row.closed = true;
            row.through = Position {
                epoch: self.epoch,
                offset,
            };
            self.changed.push(key);
        }
    }

    fn reject(&mut self, record: &Record, fate: Fate) -> Fate {
        self.rejected.insert(self.at(record));
        fate
    }

    /// Whether the record and its append time reject a trade, or an amendment of one.
    fn is_impossible(&self, trade: &Trade) -> bool {
        let negative = |quantity| quantity < market::Decimal::ZERO;
        trade.time_ns < 0
            || trade.time_ns > self.append_ns + market::FUTURE_LIMIT_NS
            || trade.quantity.is_some_and(negative)
    }

    /// The instrument of a record that is in the partition that its key names.
    fn instrument(&self, record: &Record) -> Option<Instrument> {
        let key = String::from_utf8_lossy(&record.key).into_owned();
        let instrument = key.parse::<Instrument>().ok()?;
        let named = schemas::partition_of(key.as_bytes(), self.partitions);
        (named == self.partition).then_some(instrument)
    }

    fn is_too_old(&self, instrument: &Instrument, time_ns: i64) -> bool {
        let hour = (instrument.clone(), Interval::H1.window_containing(time_ns));
        let first = self.bars.get(&hour).map(|row| row.bar.first_append_ns);
        self.append_ns > first.unwrap_or(self.append_ns) + HORIZON_NS
    }

    fn trade(&mut self, record: &Record, trade: &Trade) -> Fate {
        if self.is_impossible(trade) {
            return self.reject(record, Fate::NoTick);
        }
        let Some(instrument) = self.instrument(record) else {
            return self.reject(record, Fate::NoTick);
        };
        let Some(settings) = self.settings(&instrument) else {
            return self.reject(record, Fate::LeftOut);
        };
        if settings.validate_trade(trade).is_err() || self.is_too_old(&instrument, trade.time_ns) {
            return self.reject(record, Fate::LeftOut);
        }
        let identity = Self::identity(trade, &settings);
        if !self.is_new(&instrument, trade, identity.as_ref()) {
            return Fate::LeftOut;
        }
        self.count(&instrument, trade, &settings, record.offset);
        let append_ns = self.append_ns;
        let waits = |(of, name, since_ns): &(Instrument, String, i64)| {
            *of == instrument
                && Some(name) == identity.as_ref()
                && append_ns - since_ns <= HORIZON_NS
        };
        if self.ahead.iter().any(waits) {
            self.mark(&instrument, trade.time_ns, record.offset, 0);
        }
        self.counted.push(Counted {
            instrument,
            trade: trade.clone(),
            identity,
            at: self.at(record),
            append_ns,
        });
        Fate::Counted
    }

    fn count(
        &mut self,
        instrument: &Instrument,
        trade: &Trade,
        settings: &VenueSettings,
        offset: u64,
    ) {
        let through = Position {
            epoch: self.epoch,
            offset,
        };
        let closed_until_ns = self
            .symbols
            .get(instrument)
            .map_or(i64::MIN, |symbol| symbol.closed_until_ns);
        let one = Bar::from_trade(trade, through, self.append_ns);
        for interval in Interval::ALL {
            let window = interval.window_containing(trade.time_ns);
            let key = (instrument.clone(), window);
            self.changed.push(key.clone());
            let row = match self.bars.get_mut(&key) {
                Some(row) => {
                    row.bar.merge(&one);
                    row
                }
                None => {
                    let closed = window.end_ns() <= closed_until_ns;
                    if !closed {
                        self.open
                            .entry(instrument.clone())
                            .or_default()
                            .push(window);
                    }
                    self.bars.entry(key).or_insert(BarRow {
                        window,
                        bar: one.clone(),
                        closed,
                        revision: 0,
                        through,
                    })
                }
            };
            row.revision += u64::from(row.closed);
            row.through = through;
        }
        let append_ns = self.append_ns;
        let symbol = self.symbols.entry(instrument.clone()).or_insert(Symbol {
            watermark_ns: i64::MIN,
            last_append_ns: append_ns,
            closed_until_ns: i64::MIN,
        });
        let silence_ns = append_ns - symbol.last_append_ns;
        if silence_ns >= settings.idle_ns && symbol.watermark_ns != i64::MIN {
            symbol.watermark_ns += silence_ns;
        }
        symbol.watermark_ns = symbol.watermark_ns.max(trade.time_ns);
        symbol.last_append_ns = append_ns;
        symbol.closed_until_ns = symbol
            .closed_until_ns
            .max(symbol.watermark_ns - settings.lateness_ns);
        self.close(instrument, offset);
    }
}

fn add(sum: &mut Option<Bar>, bar: Option<&Bar>) {
    match (sum, bar) {
        (Some(sum), Some(bar)) => sum.merge(bar),
        (none @ None, Some(bar)) => *none = Some(bar.clone()),
        (_, None) => {}
    }
}
