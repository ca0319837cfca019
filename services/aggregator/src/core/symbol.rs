//! One symbol: its windows, its watermark, and when they close.

mod ahead;
mod dirty;
mod identity;
mod output;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use market::{BarRow, Instrument, Interval, Position, RejectReason, Trade, VenueSettings, Window};
use store::{BarKey, IdSetKey, SymbolRow};

use ahead::Ahead;
use dirty::Dirty;
use identity::Within;

use super::Need;
use super::delta::Delta;
use super::ids::IdSet;

/// A bar that is in memory; none where the store has none either.
#[derive(Debug, Default)]
struct Slot {
    row: Option<BarRow>,
    announce: bool,
    write: bool,
    used: u64,
}

/// What became of a trade.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It counts; its minute may have been closed before.
    Counted { late: bool },
    /// Its identity was seen before.
    Duplicate,
    /// The settings or the horizon do not allow it.
    Rejected(RejectReason),
    /// Something has to be loaded first.
    Blocked(Vec<Need>),
}

/// Where and when the log holds a record, and which commit comes next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) epoch: u64,
    pub(super) offset: u64,
    pub(super) append_time_ns: i64,
    pub(super) generation: u64,
}

impl Moment {
    const fn position(self) -> Position {
        Position {
            epoch: self.epoch,
            offset: self.offset,
        }
    }

    /// The position after it.
    const fn next(self) -> Position {
        Position {
            epoch: self.epoch,
            offset: self.offset + 1,
        }
    }
}

#[derive(Debug)]
pub(super) struct Symbol {
    pub(super) instrument: Instrument,
    /// Its venue's place in the core's list.
    pub(super) venue: usize,
    watermark_ns: i64,
    last_append_ns: i64,
    closed_until_ns: i64,
    /// The least end of an open window; `i64::MAX` where there is none.
    next_close_ns: i64,
    /// The start of the newest minute that trades came for; `i64::MIN` where none is known.
    pub(super) newest_minute_ns: i64,
    /// The least append time for which the core will ask about idleness; `i64::MAX` for none.
    pub(super) alarm_ns: i64,
    delta: Delta,
    /// The set that the last trade's id was in.
    ids_within: Within,
    /// That set, held apart from the others to be at hand.
    current_ids: Option<(IdSetKey, IdSet)>,
    other_ids: Vec<(IdSetKey, IdSet)>,
    slots: HashMap<Window, Slot, RandomState>,
    dirty: Dirty,
    ahead: Ahead,
    open: Vec<Window>,
    announced: Vec<Window>,
    written: Vec<Window>,
    changed: bool,
    /// Whether the core has it on its list of symbols to announce.
    pub(super) announce_listed: bool,
    /// Whether the core has it on its list of symbols to write.
    pub(super) write_listed: bool,
}

impl Symbol {
    pub(super) fn new(instrument: Instrument, venue: usize) -> Self {
        Self::restored(
            SymbolRow {
                instrument,
                watermark_ns: i64::MIN,
                last_append_ns: i64::MIN,
                closed_until_ns: i64::MIN,
            },
            venue,
        )
    }

    pub(super) fn restored(row: SymbolRow, venue: usize) -> Self {
        Self {
            instrument: row.instrument,
            venue,
            watermark_ns: row.watermark_ns,
            last_append_ns: row.last_append_ns,
            closed_until_ns: row.closed_until_ns,
            next_close_ns: i64::MAX,
            newest_minute_ns: i64::MIN,
            alarm_ns: i64::MAX,
            delta: Delta::none(),
            ids_within: Within::default(),
            current_ids: None,
            other_ids: Vec::new(),
            slots: HashMap::default(),
            dirty: Dirty::default(),
            ahead: Ahead::default(),
            open: Vec::new(),
            announced: Vec::new(),
            written: Vec::new(),
            changed: false,
            announce_listed: false,
            write_listed: false,
        }
    }

    /// Puts an open bar back that was loaded at the start.
    pub(super) fn restore_open(&mut self, row: BarRow) {
        self.next_close_ns = self.next_close_ns.min(row.window.end_ns());
        self.open.push(row.window);
        if row.window.interval == Interval::M1 {
            self.newest_minute_ns = self.newest_minute_ns.max(row.window.start_ns);
        }
        self.supply_bar(row.window, Some(row), 0);
    }

    pub(super) fn supply_bar(&mut self, window: Window, row: Option<BarRow>, generation: u64) {
        self.slots.entry(window).or_insert_with(|| Slot {
            row,
            used: generation,
            ..Slot::default()
        });
    }

    pub(super) fn supply_ids(&mut self, key: IdSetKey, set: IdSet) {
        if !self.has_ids(&key) {
            self.other_ids.push((key, set));
        }
    }

    /// Folds a trade that the record and the settings allow, or says what that needs.
    #[inline]
    pub(super) fn trade(
        &mut self,
        trade: &Trade,
        settings: &VenueSettings,
        at: Moment,
    ) -> Admission {
        if at.append_time_ns.saturating_sub(self.last_append_ns) >= settings.idle_ns {
            self.run_on(settings, at.append_time_ns);
        }
        if !self.delta.holds(trade.time_ns)
            && let Err(needs) = self.begin(trade, settings, at)
        {
            return Admission::Blocked(needs);
        }
        if self.delta.is_empty() {
            self.delta.admits_until_ns = self.admits_until_ns(trade.time_ns, at);
        }
        if at.append_time_ns > self.delta.admits_until_ns {
            return Admission::Rejected(RejectReason::BeyondHorizon);
        }
        match self.see(trade, settings, at) {
            Ok(true) => {}
            Ok(false) => return Admission::Duplicate,
            Err(need) => return Admission::Blocked(vec![need]),
        }
        if self.delta.is_empty() {
            self.open_windows();
        }
        if !self.delta.add(trade, at.offset, at.append_time_ns) {
            self.settle(at.epoch, at.generation);
            self.delta.widen(trade);
            let added = self.delta.add(trade, at.offset, at.append_time_ns);
            debug_assert!(added, "one trade fits scales of its own");
        }
        let late = self.delta.start_ns() + market::MINUTE_NS <= self.closed_until_ns;
        if !self.ahead.is_empty() && self.was_expected(trade, settings, at) {
            self.mark_expected(trade, at);
        }
        self.advance(trade.time_ns, settings, at);
        Admission::Counted { late }
    }

    /// Turns to the minute of a trade: all that its windows need is in memory afterwards.
    fn begin(
        &mut self,
        trade: &Trade,
        settings: &VenueSettings,
        at: Moment,
    ) -> Result<(), Vec<Need>> {
        self.settle(at.epoch, at.generation);
        self.delta.forget();
        for interval in Interval::ALL {
            if let Some(slot) = self
                .slots
                .get_mut(&interval.window_containing(trade.time_ns))
            {
                slot.used = at.generation;
            }
        }
        let needs = self.needs_of(trade, settings);
        if !needs.is_empty() {
            return Err(needs);
        }
        self.delta.begin(trade.time_ns);
        Ok(())
    }

    /// What a trade needs that is not in memory: bars of closed windows, and the set of its id.
    pub(super) fn needs_of(&self, trade: &Trade, settings: &VenueSettings) -> Vec<Need> {
        let mut needs = Vec::new();
        for interval in Interval::ALL {
            let window = interval.window_containing(trade.time_ns);
            if window.end_ns() <= self.closed_until_ns && !self.slots.contains_key(&window) {
                needs.push(Need::Bar(BarKey {
                    instrument: self.instrument.clone(),
                    window,
                }));
            }
        }
        if let Some(identity) = settings.trade_identity(trade) {
            let (key, ranged) = (self.id_key(&identity), identity.stored_as_ranges);
            if !self.has_ids(&key) {
                needs.push(Need::Ids { key, ranged });
            }
        }
        needs
    }

    /// The windows of the minute that is begun are open from its first trade on.
    fn open_windows(&mut self) {
        for interval in Interval::ALL {
            let end_ns = interval.window_containing(self.delta.start_ns()).end_ns();
            if end_ns > self.closed_until_ns {
                self.next_close_ns = self.next_close_ns.min(end_ns);
                return;
            }
        }
    }

    /// Moves the watermark to a trade that was just added.
    #[inline]
    fn advance(&mut self, time_ns: i64, settings: &VenueSettings, at: Moment) {
        let watermark_ns = self.watermark_at(settings, at.append_time_ns).max(time_ns);
        self.watermark_ns = watermark_ns;
        self.last_append_ns = at.append_time_ns;
        self.changed = true;
        self.close_until(watermark_ns.saturating_sub(settings.lateness_ns), at);
    }

    /// The watermark at an append time: it runs on once the symbol has been idle for a while.
    const fn watermark_at(&self, settings: &VenueSettings, append_time_ns: i64) -> i64 {
        let silence_ns = append_time_ns.saturating_sub(self.last_append_ns);
        if self.watermark_ns == i64::MIN || silence_ns < settings.idle_ns {
            return self.watermark_ns;
        }
        self.watermark_ns.saturating_add(silence_ns)
    }

    /// What time alone has closed of windows that hold nothing yet.
    fn run_on(&mut self, settings: &VenueSettings, append_time_ns: i64) {
        let watermark_ns = self.watermark_at(settings, append_time_ns);
        let closed_ns = watermark_ns.saturating_sub(settings.lateness_ns);
        if closed_ns < self.next_close_ns {
            self.closed_until_ns = self.closed_until_ns.max(closed_ns);
        }
    }

    /// Closes what is due at a moment, because time has passed or the settings have changed.
    pub(super) fn pass_time(&mut self, settings: &VenueSettings, at: Moment) {
        let watermark_ns = self.watermark_at(settings, at.append_time_ns);
        self.close_until(watermark_ns.saturating_sub(settings.lateness_ns), at);
    }

    /// The settings in force were changed: what they have closed stays closed.
    pub(super) fn keep_closed(&mut self) {
        self.changed = true;
    }

    #[inline]
    fn close_until(&mut self, closed_ns: i64, at: Moment) {
        if closed_ns <= self.closed_until_ns {
            return;
        }
        if closed_ns >= self.next_close_ns {
            // The pending trades were made while their windows were still open.
            self.settle(at.epoch, at.generation);
            self.closed_until_ns = closed_ns;
            self.close_windows(at);
        }
        self.closed_until_ns = closed_ns;
    }

    fn close_windows(&mut self, at: Moment) {
        self.changed = true;
        self.next_close_ns = i64::MAX;
        for window in std::mem::take(&mut self.open) {
            if window.end_ns() > self.closed_until_ns {
                self.next_close_ns = self.next_close_ns.min(window.end_ns());
                self.open.push(window);
                continue;
            }
            let slot = self.slots.get_mut(&window);
            let slot = slot.expect("an open window is in memory");
            let row = slot.row.as_mut().expect("an open window has a bar");
            row.closed = true;
            row.through = at.position();
            slot.used = at.generation;
            mark(slot, window, &mut self.announced, &mut self.written);
        }
    }

    /// The least append time at which an open window may close without another trade.
    pub(super) fn due_ns(&self, settings: &VenueSettings) -> Option<i64> {
        if self.next_close_ns == i64::MAX {
            return None;
        }
        let wait_ns = self
            .next_close_ns
            .saturating_add(settings.lateness_ns)
            .saturating_sub(self.watermark_ns);
        Some(
            self.last_append_ns
                .saturating_add(wait_ns.max(settings.idle_ns)),
        )
    }

    /// The least append time at which it can be idle.
    #[inline]
    pub(super) const fn idle_from_ns(&self, settings: &VenueSettings) -> i64 {
        self.last_append_ns.saturating_add(settings.idle_ns)
    }

    /// Merges the pending trades into the bars of every interval.
    pub(super) fn settle(&mut self, epoch: u64, generation: u64) {
        let (start_ns, trades) = (self.delta.start_ns(), self.delta.trades());
        let offset = self.delta.last_offset();
        let Some(bar) = self.delta.take(epoch) else {
            return;
        };
        self.dirty.add(start_ns, &bar);
        self.newest_minute_ns = self.newest_minute_ns.max(start_ns);
        for interval in Interval::ALL {
            let window = interval.window_containing(start_ns);
            let closed = window.end_ns() <= self.closed_until_ns;
            let slot = self.slots.entry(window).or_default();
            slot.used = generation;
            let row = match &mut slot.row {
                Some(row) => {
                    row.bar.merge(&bar);
                    row
                }
                none => {
                    if !closed {
                        self.open.push(window);
                        self.next_close_ns = self.next_close_ns.min(window.end_ns());
                    }
                    none.insert(BarRow {
                        window,
                        bar: bar.clone(),
                        closed,
                        revision: 0,
                        through: Position::default(),
                    })
                }
            };
            row.revision += if row.closed { trades } else { 0 };
            row.through = Position { epoch, offset };
            mark(slot, window, &mut self.announced, &mut self.written);
        }
    }
}

fn mark(slot: &mut Slot, window: Window, announced: &mut Vec<Window>, written: &mut Vec<Window>) {
    if !std::mem::replace(&mut slot.announce, true) {
        announced.push(window);
    }
    if !std::mem::replace(&mut slot.write, true) {
        written.push(window);
    }
}
