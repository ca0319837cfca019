//! Marked minutes: what marks them, what comes to them meanwhile, and how they are folded anew.

use std::collections::BTreeMap;

use market::{
    Amendment, Bar, BarRow, HORIZON_NS, Instrument, Interval, Position, RejectReason, Trade,
    VenueSettings, Window,
};
use schemas::{Refold, Repair};
use store::{BarKey, DirtyMinuteChange, IdSetKey, PendingAmendmentRow, RefoldMark};

use super::identity::amendment_key;
use super::{Admission, Moment, Symbol, mark};
use crate::core::{Need, Refolded};

/// The marked minutes of one symbol, by their starts.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    marks: BTreeMap<i64, Marked>,
    /// Starts of minutes whose mark differs from the stored one.
    changed: Vec<i64>,
}

#[derive(Debug)]
struct Marked {
    mark: RefoldMark,
    /// Whether its refold was asked for.
    asked: bool,
    /// What its ticks up to the mark add up to, once that was supplied.
    refolded: Option<Refolded>,
}

impl Dirty {
    /// Notes trades that were merged into a minute.
    pub(super) fn add(&mut self, start_ns: i64, bar: &Bar) {
        let Some(marked) = self.marks.get_mut(&start_ns) else {
            return;
        };
        match &mut marked.mark.later_bar {
            Some(later) => later.merge(bar),
            none => *none = Some(bar.clone()),
        }
        self.changed.push(start_ns);
    }

    fn mark(&mut self, start_ns: i64, up_to: Position, amendments: u64) {
        let before = self.marks.get(&start_ns);
        let before = before.map_or(0, |marked| marked.mark.amendments);
        let mark = RefoldMark {
            up_to,
            amendments: before + amendments,
            later_bar: None,
        };
        self.restore(start_ns, mark);
        self.changed.push(start_ns);
    }

    pub(super) fn restore(&mut self, start_ns: i64, mark: RefoldMark) {
        let marked = Marked {
            mark,
            asked: false,
            refolded: None,
        };
        self.marks.insert(start_ns, marked);
    }

    /// What changed since the last call.
    pub(super) fn take_changes(
        &mut self,
        instrument: &Instrument,
        dirty: &mut Vec<DirtyMinuteChange>,
    ) {
        self.changed.sort_unstable();
        self.changed.dedup();
        for start_ns in self.changed.drain(..) {
            let marked = self.marks.get(&start_ns);
            dirty.push(DirtyMinuteChange {
                instrument: instrument.clone(),
                start_ns,
                mark: marked.map(|marked| marked.mark.clone()),
            });
        }
    }
}

impl Symbol {
    /// Takes an edit or a cancel that the record and the settings allow, or says what that needs.
    pub(in crate::core) fn amend(
        &mut self,
        amendment: &Amendment,
        trade: &Trade,
        settings: &VenueSettings,
        at: Moment,
    ) -> Admission {
        if amendment
            .target_position
            .is_some_and(|place| place >= at.position())
        {
            return Admission::Rejected(RejectReason::TargetMissing);
        }
        self.settle(at.epoch, at.generation);
        let identity = settings.trade_identity(trade);
        let target = identity.filter(|_| amendment.target_position.is_none());
        let mut needs = Vec::new();
        let mut want = |key: IdSetKey, ranged: bool, known: bool| {
            if !known {
                needs.push(Need::Ids { key, ranged });
            }
        };
        let own = amendment_key(&self.instrument, trade.time_ns);
        want(own.clone(), false, self.has_ids(&own));
        if let Some(target) = &target {
            let key = self.id_key(target);
            let known = self.has_ids(&key);
            want(key, target.stored_as_ranges, known);
        }
        needs.extend(self.bar_need(Interval::H1.window_containing(trade.time_ns), at.generation));
        if !needs.is_empty() {
            return Admission::Blocked(needs);
        }
        if at.append_time_ns > self.admits_until_ns(trade.time_ns, at) {
            return Admission::Rejected(RejectReason::BeyondHorizon);
        }
        if !self.see_amendment(&own, &amendment.id, at) {
            return Admission::Duplicate;
        }
        match target {
            Some(target) if !self.has_seen(&target, at) => {
                let key = self.id_key(&target);
                self.ahead.expect(PendingAmendmentRow {
                    key,
                    id: target.id.to_trade_id(),
                    append_time_ns: at.append_time_ns,
                });
            }
            _ => {
                let minute = Interval::M1.window_containing(trade.time_ns);
                self.dirty.mark(minute.start_ns, at.next(), 1);
            }
        }
        Admission::Counted { late: false }
    }

    /// Whether a trade that was just counted was amended before it came.
    pub(super) fn was_expected(
        &mut self,
        trade: &Trade,
        settings: &VenueSettings,
        at: Moment,
    ) -> bool {
        let Some(identity) = settings.trade_identity(trade) else {
            return false;
        };
        let (key, id) = (self.id_key(&identity), identity.id.to_trade_id());
        self.ahead.take(key, id, at.append_time_ns)
    }

    /// Marks the minute of a trade that was just counted and had been amended before.
    pub(super) fn mark_expected(&mut self, trade: &Trade, at: Moment) {
        self.settle(at.epoch, at.generation);
        let minute = Interval::M1.window_containing(trade.time_ns);
        self.dirty.mark(minute.start_ns, at.next(), 0);
    }

    /// Marks every minute of a range whose hours can still change, or says what that needs.
    pub(in crate::core) fn repair(&mut self, repair: Repair, at: Moment) -> Admission {
        self.settle(at.epoch, at.generation);
        let hours = windows(Interval::H1, repair.start_ns, repair.end_ns);
        let mut needs = Vec::new();
        for hour in hours.clone() {
            needs.extend(self.bar_need(hour, at.generation));
        }
        if !needs.is_empty() {
            return Admission::Blocked(needs);
        }
        for hour in hours {
            if at.append_time_ns > self.admits_until_ns(hour.start_ns, at) {
                return Admission::Rejected(RejectReason::BeyondHorizon);
            }
        }
        for minute in windows(Interval::M1, repair.start_ns, repair.end_ns) {
            self.dirty.mark(minute.start_ns, at.next(), 0);
        }
        Admission::Counted { late: false }
    }

    /// What has to be loaded before a refold can be applied; nothing where its mark does not
    /// match.
    pub(in crate::core) fn refold_needs(&mut self, refold: Refold, generation: u64) -> Vec<Need> {
        let mut needs = Vec::new();
        let Some(marked) = self.dirty.marks.get(&refold.start_ns) else {
            return needs;
        };
        if marked.mark.up_to != refold.up_to {
            return needs;
        }
        let supplied = marked.refolded.is_some();
        let minute = Interval::M1.window_containing(refold.start_ns);
        let mut below = Interval::M1;
        needs.extend(self.bar_need(minute, generation));
        for interval in Interval::ALL.into_iter().skip(1) {
            let parent = interval.window_containing(refold.start_ns);
            needs.extend(self.bar_need(parent, generation));
            for child in windows(below, parent.start_ns, parent.end_ns()) {
                if !needs.iter().any(|need| need.is_bar(child)) {
                    needs.extend(self.bar_need(child, generation));
                }
            }
            below = interval;
        }
        if needs.is_empty() && !supplied {
            let hour = Interval::H1.window_containing(refold.start_ns);
            let row = self.slots.get(&hour).and_then(|slot| slot.row.as_ref());
            needs.push(Need::Ticks {
                instrument: self.instrument.clone(),
                start_ns: refold.start_ns,
                up_to: refold.up_to,
                first_append_ns: row.map(|row| row.bar.first_append_ns),
            });
        }
        needs
    }

    pub(in crate::core) fn supply_ticks(
        &mut self,
        start_ns: i64,
        up_to: Position,
        refolded: Refolded,
    ) {
        if let Some(marked) = self.dirty.marks.get_mut(&start_ns)
            && marked.mark.up_to == up_to
        {
            marked.refolded = Some(refolded);
        }
    }

    /// Applies a refold: none where its mark does not match, false where the ticks are gone.
    pub(in crate::core) fn refold(&mut self, refold: Refold, at: Moment) -> Option<bool> {
        let marked = self.dirty.marks.get(&refold.start_ns)?;
        if marked.mark.up_to != refold.up_to {
            return None;
        }
        self.settle(at.epoch, at.generation);
        let marked = self.dirty.marks.remove(&refold.start_ns)?;
        self.dirty.changed.push(refold.start_ns);
        let refolded = marked.refolded.expect("a refold waits for its ticks");
        let Refolded::Bar(mut bar) = refolded else {
            return Some(false);
        };
        match (&mut bar, marked.mark.later_bar) {
            (Some(bar), Some(later)) => bar.merge(&later),
            (none, later) => *none = none.take().or_else(|| later.map(Box::new)),
        }
        let minute = Interval::M1.window_containing(refold.start_ns);
        let amendments = marked.mark.amendments;
        self.replace(minute, bar.map(|bar| *bar), amendments, at);
        let mut below = Interval::M1;
        for interval in Interval::ALL.into_iter().skip(1) {
            let parent = interval.window_containing(refold.start_ns);
            let bar = self.fold_children(parent, below);
            self.replace(parent, bar, amendments, at);
            below = interval;
        }
        Some(true)
    }

    /// What the windows of the next lower interval add up to; none where they hold no trade.
    fn fold_children(&self, parent: Window, below: Interval) -> Option<Bar> {
        let children = windows(below, parent.start_ns, parent.end_ns());
        let rows = children.filter_map(|child| self.slots.get(&child)?.row.as_ref());
        let mut bars = rows.map(|row| &row.bar).filter(|bar| bar.trades > 0);
        let mut folded = bars.next()?.clone();
        bars.for_each(|bar| folded.merge(bar));
        Some(folded)
    }

    /// Puts a bar in the place of what a window held. When the window's first trade was appended
    /// is kept, since what is kept how long counts from it.
    fn replace(&mut self, window: Window, bar: Option<Bar>, amendments: u64, at: Moment) {
        let closed = window.end_ns() <= self.closed_until_ns;
        let slot = self.slots.entry(window).or_default();
        let row = match (&mut slot.row, bar) {
            (Some(row), bar) => {
                let first_append_ns = row.bar.first_append_ns;
                row.bar = bar.unwrap_or_else(|| Bar::empty(window.start_ns, first_append_ns));
                row.bar.first_append_ns = row.bar.first_append_ns.min(first_append_ns);
                row
            }
            (none, Some(bar)) => {
                if !closed {
                    self.open.push(window);
                    self.next_close_ns = self.next_close_ns.min(window.end_ns());
                }
                none.insert(BarRow {
                    window,
                    bar,
                    closed,
                    revision: 0,
                    through: Position::default(),
                })
            }
            (None, None) => return,
        };
        row.revision += if row.closed { amendments } else { 0 };
        row.through = at.position();
        slot.used = at.generation;
        mark(slot, window, &mut self.announced, &mut self.written);
    }

    /// A bar that has to be loaded before it can be read or changed.
    fn bar_need(&mut self, window: Window, generation: u64) -> Option<Need> {
        match self.slots.get_mut(&window) {
            Some(slot) => {
                slot.used = generation;
                None
            }
            None if window.end_ns() > self.closed_until_ns => None,
            None => Some(Need::Bar(BarKey {
                instrument: self.instrument.clone(),
                window,
            })),
        }
    }

    /// Until when the hour of a time can be changed: six days from its own first trade.
    pub(super) fn admits_until_ns(&self, time_ns: i64, at: Moment) -> i64 {
        let hour = self.slots.get(&Interval::H1.window_containing(time_ns));
        let first_append_ns = hour
            .and_then(|slot| slot.row.as_ref())
            .map_or(at.append_time_ns, |row| row.bar.first_append_ns);
        first_append_ns.saturating_add(HORIZON_NS)
    }

    /// How many of its minutes are marked.
    #[inline]
    pub(in crate::core) fn marks(&self) -> usize {
        self.dirty.marks.len()
    }

    pub(in crate::core) fn restore_mark(&mut self, start_ns: i64, mark: RefoldMark) {
        self.dirty.restore(start_ns, mark);
    }

    pub(in crate::core) fn restore_ahead(&mut self, row: PendingAmendmentRow) {
        self.ahead.restore(row);
    }

    pub(in crate::core) fn wants_refolds(&self) -> bool {
        self.dirty.marks.values().any(|marked| !marked.asked)
    }

    pub(in crate::core) fn ask_refolds(
        &mut self,
        up_to: Position,
        most: usize,
        refolds: &mut Vec<(Instrument, Refold)>,
    ) {
        for (start_ns, marked) in &mut self.dirty.marks {
            if refolds.len() >= most {
                return;
            }
            if !marked.asked && marked.mark.up_to <= up_to {
                marked.asked = true;
                let refold = Refold {
                    start_ns: *start_ns,
                    up_to: marked.mark.up_to,
                };
                refolds.push((self.instrument.clone(), refold));
            }
        }
    }

    pub(in crate::core) fn forget_asked(&mut self) {
        for marked in self.dirty.marks.values_mut() {
            marked.asked = false;
        }
    }
}

/// The windows of an interval that overlap `[start_ns, end_ns)`.
fn windows(interval: Interval, start_ns: i64, end_ns: i64) -> impl Iterator<Item = Window> + Clone {
    let first = interval.window_containing(start_ns).start_ns;
    let step_ns = usize::try_from(interval.length_ns()).expect("64 bits hold a day");
    (first..end_ns)
        .step_by(step_ns)
        .map(move |start_ns| Window { interval, start_ns })
}
