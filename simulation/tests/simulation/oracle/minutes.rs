//! Edits and cancels, and refolded minutes.

use eventlog::Record;
use market::{
    Amendment, AmendmentKind, Bar, HOUR_NS, Instrument, Interval, Position, Trade, Window,
};
use schemas::{Refold, Repair};

use super::{CountedAmendment, HORIZON_NS, MarkedMinute, Oracle, RecordOutcome, merge_into};

impl Oracle {
    pub(super) fn mark_minute(
        &mut self,
        instrument: &Instrument,
        time_ns: i64,
        offset: u64,
        amendments: u64,
    ) {
        let minute_ns = Interval::M1.window_containing(time_ns).start_ns;
        let marked = self.marked_minutes.entry((instrument.clone(), minute_ns));
        let marked = marked.or_insert(MarkedMinute {
            up_to: Position::default(),
            amendments: 0,
        });
        marked.up_to = Position {
            epoch: self.epoch,
            offset: offset + 1,
        };
        marked.amendments += amendments;
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
            || self.is_too_old(&instrument, trade.time_ns)
        {
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
            _ => self.mark_minute(&instrument, trade.time_ns, record.offset, 1),
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
            return self.reject(record, RecordOutcome::NotATick);
        }
        let mut minute_ns = repair.start_ns;
        while minute_ns < repair.end_ns {
            self.mark_minute(&instrument, minute_ns, record.offset, 0);
            minute_ns += market::MINUTE_NS;
        }
        RecordOutcome::NotATick
    }

    pub(super) fn apply_refold(&mut self, record: &Record, refold: &Refold) -> RecordOutcome {
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
        self.refolds.0 += 1;
        self.marked_minutes.remove(&key);
        let minute = Interval::M1.window_containing(refold.start_ns);
        let (bar, admitted) = self.fold_minute(&instrument, minute, up_to);
        let (amendments, offset) = (marked.amendments, record.offset);
        self.replace_bar(&instrument, minute, (bar, admitted), amendments, offset);
        for pair in Interval::ALL.windows(2) {
            let parent = pair[1].window_containing(refold.start_ns);
            let mut bar: Option<Bar> = None;
            let mut admitted = 0;
            let mut start_ns = parent.start_ns;
            while start_ns < parent.end_ns() {
                let child = (instrument.clone(), pair[0].window_containing(start_ns));
                let child = self.bars.get(&child);
                admitted += child.map_or(0, |row| row.bar.admitted);
                let traded = child.filter(|row| row.bar.trades > 0);
                merge_into(&mut bar, traded.map(|row| &row.bar));
                start_ns += pair[0].length_ns();
            }
            self.replace_bar(&instrument, parent, (bar, admitted), amendments, offset);
        }
        RecordOutcome::NotATick
    }

    /// Folds the trades of a minute. Amendments before `up_to` apply to the trades before it.
    /// Returns the number of trades too, those cancelled included.
    fn fold_minute(
        &self,
        instrument: &Instrument,
        minute: Window,
        up_to: Position,
    ) -> (Option<Bar>, u64) {
        let (mut bar, mut admitted) = (None, 0);
        let within = minute.start_ns..minute.end_ns();
        let here = self.counted_trades.iter().filter(|counted| {
            counted.instrument == *instrument && within.contains(&counted.trade.time_ns)
        });
        for counted in here {
            admitted += 1;
            let mut trade = counted.trade.clone();
            if counted.at < up_to {
                let amended = self.counted_amendments.iter().filter(|amended| {
                    let named = match amended.amendment.target_position {
                        Some(place) => place == counted.at,
                        None => amended.identity == counted.identity && counted.identity.is_some(),
                    };
                    named
                        && amended.at < up_to
                        && amended.instrument == *instrument
                        && amended.trade.time_ns == trade.time_ns
                        && counted.append_ns - amended.append_ns <= HORIZON_NS
                });
                let amended: Vec<_> = amended.collect();
                if amended
                    .iter()
                    .any(|one| one.amendment.kind == AmendmentKind::Cancel)
                {
                    continue;
                }
                if let Some(last) = amended.last() {
                    trade.price = last.trade.price;
                    trade.quantity = last.trade.quantity;
                    trade.side = last.trade.side;
                }
            }
            let position = counted.at;
            merge_into(
                &mut bar,
                Some(&Bar::from_trade(&trade, position, counted.append_ns)),
            );
        }
        (bar, admitted)
    }

    fn replace_bar(
        &mut self,
        instrument: &Instrument,
        window: Window,
        (bar, admitted): (Option<Bar>, u64),
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
        row.bar.first_append_ns = first_append_ns;
        row.revision += if row.closed { amendments } else { 0 };
        row.through = Position {
            epoch: self.epoch,
            offset,
        };
        self.changed.push(key);
    }
}
