//! Edits and cancels, and refolded minutes.

use std::collections::BTreeMap;

use eventlog::Record;
use market::{
    Amendment, AmendmentKind, Bar, BarRow, HOUR_NS, Instrument, Interval, Position, TieOrder,
    Trade, Window,
};
use schemas::{LeftOutNotice, RefoldResult, Repair};

use super::{
    CountedAmendment, CountedTrade, HORIZON_NS, MarkedMinute, Oracle, RecordOutcome, merge_into,
};

impl Oracle {
    pub(super) fn mark_minute(
        &mut self,
        instrument: &Instrument,
        time_ns: i64,
        offset: u64,
        amendments: u64,
        force: bool,
    ) {
        let minute_ns = Interval::M1.window_containing(time_ns).start_ns;
        let marked = self.marked_minutes.entry((instrument.clone(), minute_ns));
        let marked = marked.or_insert(MarkedMinute {
            up_to: Position::default(),
            amendments: 0,
            force: false,
        });
        marked.up_to = Position {
            epoch: self.epoch,
            offset: offset + 1,
        };
        marked.amendments += amendments;
        marked.force |= force;
    }

    pub(super) fn apply_amendment(
        &mut self,
        record: &Record,
        amendment: &Amendment,
        trade: &Trade,
    ) -> RecordOutcome {
        if self.is_impossible(trade) {
            return self.reject(record, RecordOutcome::NotATick);
        }
        let Some(instrument) = self.instrument(record) else {
            return self.reject(record, RecordOutcome::NotATick);
        };
        let Some(settings) = self.settings(&instrument) else {
            return self.reject(record, RecordOutcome::Excluded);
        };
        let at = Position {
            epoch: self.epoch,
            offset: record.offset,
        };
        if settings.validate_amendment(amendment, trade).is_err()
            || amendment.target_position.is_some_and(|target| target >= at)
        {
            return self.reject(record, RecordOutcome::Excluded);
        }
        if self.is_too_old(&instrument, trade.time_ns) {
            self.past_horizon.0 += 1;
            return self.reject(record, RecordOutcome::Excluded);
        }
        let own = (
            instrument.clone(),
            trade.time_ns / HOUR_NS,
            amendment.id.to_string(),
        );
        if !self.amendment_ids.insert(own) {
            return RecordOutcome::Excluded;
        }
        let identity =
            Self::identity(trade, &settings).filter(|_| amendment.target_position.is_none());
        match &identity {
            Some(name) if !self.is_known(&instrument, trade, name) => {
                self.pending_amendments.push((
                    instrument.clone(),
                    name.clone(),
                    self.append_time_ns,
                ));
            }
            _ => self.mark_minute(&instrument, trade.time_ns, record.offset, 1, false),
        }
        self.counted_amendments.push(CountedAmendment {
            amendment: amendment.clone(),
            trade: trade.clone(),
            instrument,
            identity,
            at,
            append_ns: self.append_time_ns,
        });
        RecordOutcome::Counted
    }

    pub fn pending_amendment_count(&self) -> u64 {
        self.pending_amendments.len() as u64
    }

    pub fn amendment_count(&self) -> u64 {
        self.counted_amendments.len() as u64
    }

    pub(super) fn apply_repair(&mut self, record: &Record, repair: Repair) -> RecordOutcome {
        let found = self.instrument(record);
        let Some(instrument) = found.filter(|found| self.settings(found).is_some()) else {
            return self.reject(record, RecordOutcome::NotATick);
        };
        let hours = repair.start_ns / HOUR_NS..=(repair.end_ns - 1) / HOUR_NS;
        if hours
            .into_iter()
            .any(|hour| self.is_too_old(&instrument, hour * HOUR_NS))
        {
            self.past_horizon.1 += 1;
            return self.reject(record, RecordOutcome::NotATick);
        }
        let mut minute_ns = repair.start_ns;
        while minute_ns < repair.end_ns {
            self.mark_minute(&instrument, minute_ns, record.offset, 0, repair.force);
            minute_ns += market::MINUTE_NS;
        }
        RecordOutcome::NotATick
    }

    pub(super) fn apply_left_out(
        &mut self,
        record: &Record,
        left_out: LeftOutNotice,
    ) -> RecordOutcome {
        let start_ns = left_out.start_ns;
        let lacks_bar = self.instrument(record).is_none_or(|instrument| {
            let minute = Interval::M1.window_containing(start_ns);
            !self.bars.contains_key(&(instrument, minute))
        });
        let outcome = match left_out.is_refold {
            false => self.apply_repair(
                record,
                Repair {
                    start_ns,
                    end_ns: start_ns + market::MINUTE_NS,
                    force: lacks_bar,
                },
            ),
            true => RecordOutcome::NotATick,
        };
        let at = self.position_of(record);
        let found = self.instrument(record);
        let Some(instrument) = found.filter(|_| !self.dead_letters.contains(&at)) else {
            return outcome;
        };
        let containing = |window: &Window| {
            left_out.is_refold && *window == window.interval.window_containing(start_ns)
        };
        for ((of, window), row) in &mut self.bars {
            if *of == instrument && (!row.closed || containing(window)) {
                row.provable &= !containing(window);
                row.through = at;
                self.changed.push((of.clone(), *window));
            }
        }
        outcome
    }

    pub(super) fn apply_refold(&mut self, record: &Record, refold: &RefoldResult) -> RecordOutcome {
        let found = self.instrument(record);
        let Some(instrument) = found.filter(|found| self.settings(found).is_some()) else {
            return self.reject(record, RecordOutcome::NotATick);
        };
        let key = (instrument.clone(), refold.start_ns);
        let marked = self.marked_minutes.get(&key).copied();
        let up_to = refold.up_to;
        let Some(marked) = marked.filter(|marked| marked.up_to == up_to) else {
            self.refolds.1 += 1;
            return RecordOutcome::NotATick;
        };
        let minute = Interval::M1.window_containing(refold.start_ns);
        let ties = self.settings(&instrument).unwrap().ties;
        let (bar, admitted) = self.fold_minute(&instrument, minute, up_to, ties);
        self.marked_minutes.remove(&key);
        if bar
            .as_ref()
            .is_some_and(|bar| self.is_left_out(record, bar.high))
        {
            return RecordOutcome::LeftOutRefold;
        }
        self.refolds.0 += 1;
        let (amendments, offset) = (marked.amendments, record.offset);
        let first_append_ns = refold.bar.first_append_ns.min(self.append_time_ns);
        if marked.force {
            self.insert_empty_bar_if_absent(&instrument, minute, first_append_ns);
        }
        let has_bar = self.bars.contains_key(&(instrument.clone(), minute));
        self.replace_bar(
            &instrument,
            minute,
            (bar, admitted, true),
            amendments,
            offset,
        );
        for pair in Interval::ALL.windows(2) {
            let parent = pair[1].window_containing(refold.start_ns);
            let mut bar: Option<Bar> = None;
            let (mut admitted, mut provable) = (0, true);
            if has_bar {
                self.insert_empty_bar_if_absent(&instrument, parent, first_append_ns);
            }
            let mut start_ns = parent.start_ns;
            while start_ns < parent.end_ns() {
                let child = (instrument.clone(), pair[0].window_containing(start_ns));
                let child = self.bars.get(&child);
                admitted += child.map_or(0, |row| row.bar.admitted);
                provable &= child.is_none_or(|row| row.provable);
                let traded = child.filter(|row| row.bar.trades > 0);
                merge_into(&mut bar, traded.map(|row| &row.bar), ties);
                start_ns += pair[0].length_ns();
            }
            let bar = (bar, admitted, provable);
            self.replace_bar(&instrument, parent, bar, amendments, offset);
        }
        RecordOutcome::NotATick
    }

    /// Inserts a bar without trades, as a refold of a minute does that has to have a bar.
    fn insert_empty_bar_if_absent(
        &mut self,
        instrument: &Instrument,
        window: Window,
        first_append_ns: i64,
    ) {
        let key = (instrument.clone(), window);
        if self.bars.contains_key(&key) {
            return;
        }
        let symbol = self.symbols.get(instrument);
        let closed = symbol.is_some_and(|symbol| window.end_ns() <= symbol.closed_until_ns);
        if !closed {
            let open = self.open.entry(instrument.clone()).or_default();
            open.push(window);
        }
        let row = BarRow {
            window,
            bar: Bar::empty(window.start_ns, 0, first_append_ns),
            closed,
            revision: 0,
            provable: true,
            through: Position::default(),
        };
        self.bars.insert(key, row);
    }

    /// Folds the trades of a minute. Amendments before `up_to` apply to the trades before it.
    /// Returns the number of trades too, those cancelled included.
    fn fold_minute(
        &self,
        instrument: &Instrument,
        minute: Window,
        up_to: Position,
        ties: TieOrder,
    ) -> (Option<Bar>, u64) {
        let (mut bar, mut admitted) = (None, 0);
        let within = minute.start_ns..minute.end_ns();
        let here = self.counted_trades.iter().filter(|counted| {
            counted.instrument == *instrument && within.contains(&counted.trade.time_ns)
        });
        for counted in here {
            admitted += 1;
            let trade = match counted.at < up_to {
                true => self.amended_trade(counted, up_to),
                false => Some(counted.trade.clone()),
            };
            let Some(trade) = trade else {
                continue;
            };
            let position = counted.at;
            merge_into(
                &mut bar,
                Some(&Bar::from_trade(&trade, position, counted.append_ns)),
                ties,
            );
        }
        (bar, admitted)
    }

    /// Returns a trade with its amendments before `up_to`; `None` if it was cancelled.
    fn amended_trade(&self, counted: &CountedTrade, up_to: Position) -> Option<Trade> {
        let mut trade = counted.trade.clone();
        let amended = self.counted_amendments.iter().filter(|amended| {
            let named = match amended.amendment.target_position {
                Some(place) => place == counted.at,
                None => amended.identity == counted.identity && counted.identity.is_some(),
            };
            named
                && amended.at < up_to
                && amended.instrument == counted.instrument
                && amended.trade.time_ns == trade.time_ns
                && counted.append_ns - amended.append_ns <= HORIZON_NS
        });
        for one in amended {
            if one.amendment.kind == AmendmentKind::Cancel {
                return None;
            }
            trade.price = one.trade.price;
            trade.quantity = one.trade.quantity;
            trade.side = one.trade.side;
        }
        Some(trade)
    }

    /// Returns the trades of an instrument that count, by position, with their latest edits.
    pub fn current_trades(&self, instrument: &Instrument) -> BTreeMap<Position, Trade> {
        let here = self.counted_trades.iter();
        let here = here.filter(|counted| counted.instrument == *instrument);
        let current = here.filter_map(|counted| {
            let trade = self.amended_trade(counted, self.next_position())?;
            Some((counted.at, trade))
        });
        current.collect()
    }

    fn replace_bar(
        &mut self,
        instrument: &Instrument,
        window: Window,
        (bar, admitted, provable): (Option<Bar>, u64, bool),
        amendments: u64,
        offset: u64,
    ) {
        let key = (instrument.clone(), window);
        let Some(row) = self.bars.get_mut(&key) else {
            assert!(bar.is_none(), "a window with trades has a bar");
            return;
        };
        let first_append_ns = row.bar.first_append_ns;
        row.bar = bar.unwrap_or_else(|| Bar::empty(window.start_ns, admitted, first_append_ns));
        row.bar.admitted = admitted;
        row.provable = provable;
        row.bar.first_append_ns = first_append_ns;
        row.revision += if row.closed { amendments } else { 0 };
        row.through = Position {
            epoch: self.epoch,
            offset,
        };
        self.changed.push(key);
    }
}
