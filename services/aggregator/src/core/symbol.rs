//! One symbol: how its trades and amendments change its bars, and when its windows close.

mod bar_windows;
mod changed_windows;
mod dirty_minutes;
mod id_set_keys;
mod pending_amendments;
mod symbol_clock;
mod symbol_ids;

use market::{
    Amendment, BarRow, HORIZON_NS, Instrument, Interval, Position, RejectReason, Trade,
    VenueSettings, Window,
};
use schemas::{Refold, Repair};
use store::{BarKey, PendingAmendmentRow, RefoldMark, SymbolRow, Transaction};

use super::admission::{Admission, RefoldOutcome};
use super::alarms::AlarmTime;
use super::applied_at::AppliedAt;
use super::change_lists::ListedFlags;
use super::loading::{LoadRequest, Loaded, TicksRequest};
use super::minute_accumulator::MinuteAccumulator;
use super::update::Update;
use bar_windows::{BarWindows, windows_between};
use dirty_minutes::DirtyMinutes;
use id_set_keys::{amendment_id_set_key, trade_id_set_key};
use pending_amendments::PendingAmendments;
use symbol_clock::SymbolClock;
use symbol_ids::SymbolIds;

/// One symbol. Trades of the current minute are summed in the accumulator and are settled, that is
/// merged into the bars, before anything else reads or closes a bar.
#[derive(Debug)]
pub(crate) struct Symbol {
    instrument: Instrument,
    /// Its venue's index.
    venue: usize,
    clock: SymbolClock,
    accumulator: MinuteAccumulator,
    ids: SymbolIds,
    windows: BarWindows,
    dirty: DirtyMinutes,
    pending_amendments: PendingAmendments,
    alarm: AlarmTime,
    listed: ListedFlags,
}

impl Symbol {
    /// Returns a symbol that has not traded.
    pub(crate) fn new(instrument: Instrument, venue: usize) -> Self {
        Self {
            ids: SymbolIds::new(instrument.clone()),
            instrument,
            venue,
            clock: SymbolClock::new(),
            accumulator: MinuteAccumulator::new(),
            windows: BarWindows::new(),
            dirty: DirtyMinutes::default(),
            pending_amendments: PendingAmendments::default(),
            alarm: AlarmTime::unset(),
            listed: ListedFlags::default(),
        }
    }

    /// Returns a stored symbol, to which its open bars and amendments are added afterwards.
    pub(crate) fn restore(row: SymbolRow, venue: usize) -> Self {
        let clock = SymbolClock::restore(&row);
        Self {
            clock,
            ..Self::new(row.instrument, venue)
        }
    }

    /// Adds a stored open bar.
    pub(crate) fn restore_open_bar(&mut self, row: BarRow) {
        self.clock.add_open_window(row.window.end_ns());
        self.windows.restore_open_bar(row);
    }

    /// Adds a stored dirty minute.
    pub(crate) fn restore_dirty_minute(&mut self, start_ns: i64, mark: RefoldMark) {
        self.dirty.restore(start_ns, mark);
    }

    /// Adds a stored pending amendment.
    pub(crate) fn restore_pending_amendment(&mut self, row: PendingAmendmentRow) {
        self.pending_amendments.restore(row);
    }

    pub(crate) const fn instrument(&self) -> &Instrument {
        &self.instrument
    }

    /// Returns the index of its venue.
    #[inline]
    pub(crate) const fn venue(&self) -> usize {
        self.venue
    }

    /// Returns its alarm, which the core's alarms move.
    #[inline]
    pub(crate) const fn alarm_mut(&mut self) -> &mut AlarmTime {
        &mut self.alarm
    }

    /// Returns which lists of changes it is in, which those lists change.
    #[inline]
    pub(crate) const fn listed_mut(&mut self) -> &mut ListedFlags {
        &mut self.listed
    }

    /// Returns the least append time at which it is idle.
    #[inline]
    pub(crate) const fn idle_from_ns(&self, settings: &VenueSettings) -> i64 {
        self.clock.idle_from_ns(settings)
    }

    /// Returns the least append time at which an open window may close without another trade.
    pub(crate) fn close_due_ns(&self, settings: &VenueSettings) -> Option<i64> {
        self.clock.close_due_ns(settings)
    }

    /// Returns the number of its dirty minutes.
    #[inline]
    pub(crate) fn dirty_minutes(&self) -> usize {
        self.dirty.len()
    }

    /// Folds a trade that the record and the settings allow.
    #[inline]
    pub(crate) fn fold_trade(
        &mut self,
        trade: &Trade,
        settings: &VenueSettings,
        at: AppliedAt,
    ) -> Admission {
        let append_time_ns = at.append_time_ns();
        if self.clock.is_idle(settings, append_time_ns) {
            self.clock.close_empty_windows(settings, append_time_ns);
        }
        if !self.accumulator.contains(trade.time_ns)
            && let Err(requests) = self.begin_minute(trade, settings, at)
        {
            return Admission::Blocked(requests);
        }
        if self.accumulator.is_empty() {
            let admits_until_ns = self.admits_until_ns(trade.time_ns, at);
            self.accumulator.set_admits_until(admits_until_ns);
        }
        if !self.accumulator.admits(append_time_ns) {
            return Admission::Rejected(RejectReason::BeyondHorizon);
        }
        match self.ids.insert_trade(trade, settings, at) {
            Ok(true) => {}
            Ok(false) => return Admission::Duplicate,
            Err(request) => return Admission::Blocked(vec![request]),
        }
        if self.accumulator.is_empty() {
            self.open_window();
        }
        let offset = at.position().offset;
        if !self.accumulator.add(trade, offset, append_time_ns) {
            self.settle(at);
            self.accumulator.widen_scales(trade);
            let added = self.accumulator.add(trade, offset, append_time_ns);
            debug_assert!(added, "one trade fits scales of its own");
        }
        let minute_end_ns = self.accumulator.start_ns() + market::MINUTE_NS;
        let late = self.clock.is_closed(minute_end_ns);
        if !self.pending_amendments.is_empty() {
            self.mark_if_amended_before(trade, settings, at);
        }
        let closed_ns = self
            .clock
            .record_trade(trade.time_ns, settings, append_time_ns);
        self.close_until(closed_ns, at);
        Admission::Counted { late }
    }

    /// Begins the minute of a trade, unless data has to be loaded first.
    fn begin_minute(
        &mut self,
        trade: &Trade,
        settings: &VenueSettings,
        at: AppliedAt,
    ) -> Result<(), Vec<LoadRequest>> {
        self.settle(at);
        self.accumulator.end_minute();
        for interval in Interval::ALL {
            let window = interval.window(trade.time_ns);
            self.windows.touch(window, at.generation());
        }
        let requests = self.trade_requests(trade, settings);
        if !requests.is_empty() {
            return Err(requests);
        }
        self.accumulator.begin_minute(trade.time_ns);
        Ok(())
    }

    /// Returns what a trade needs that is not in memory: the bars of closed windows, and the set of
    /// its id.
    pub(crate) fn trade_requests(
        &self,
        trade: &Trade,
        settings: &VenueSettings,
    ) -> Vec<LoadRequest> {
        let mut requests = Vec::new();
        for interval in Interval::ALL {
            let window = interval.window(trade.time_ns);
            if self.clock.is_closed(window.end_ns()) && !self.windows.contains(window) {
                requests.push(self.bar_request(window));
            }
        }
        if let Some(identity) = settings.identity(trade) {
            requests.extend(self.ids.identity_request(&identity));
        }
        requests
    }

    fn bar_request(&self, window: Window) -> LoadRequest {
        LoadRequest::Bar(BarKey {
            instrument: self.instrument.clone(),
            window,
        })
    }

    /// Records the shortest open window of the minute that has begun: it is open from its first
    /// trade on.
    fn open_window(&mut self) {
        let start_ns = self.accumulator.start_ns();
        let ends = Interval::ALL.map(|interval| interval.window(start_ns).end_ns());
        if let Some(end_ns) = ends.into_iter().find(|end| !self.clock.is_closed(*end)) {
            self.clock.add_open_window(end_ns);
        }
    }

    /// Merges the trades in the accumulator into the bars of every interval.
    fn settle(&mut self, at: AppliedAt) {
        let Some(minute) = self.accumulator.take(at.position().epoch) else {
            return;
        };
        self.dirty.add_trades(minute.start_ns, &minute.bar);
        let closed_until_ns = self.clock.closed_until_ns();
        let opened = self
            .windows
            .merge(&minute, closed_until_ns, at.generation());
        if let Some(end_ns) = opened {
            self.clock.add_open_window(end_ns);
        }
    }

    /// Closes the windows that are due, because time has passed or the settings have changed.
    pub(crate) fn pass_time(&mut self, settings: &VenueSettings, at: AppliedAt) {
        let closed_ns = self.clock.close_target_ns(settings, at.append_time_ns());
        self.close_until(closed_ns, at);
    }

    #[inline]
    fn close_until(&mut self, closed_ns: i64, at: AppliedAt) {
        if self.clock.is_closed(closed_ns) {
            return;
        }
        if self.clock.closes_open_window(closed_ns) {
            // The trades in the accumulator came while their windows were still open.
            self.settle(at);
            let next_close_ns = self.windows.close(closed_ns, at);
            self.clock.close_open_windows(closed_ns, next_close_ns);
        } else {
            self.clock.close_until(closed_ns);
        }
    }

    /// Keeps closed what earlier settings have closed.
    pub(crate) const fn keep_closed(&mut self) {
        self.clock.keep_closed();
    }

    /// Applies an edit or a cancel that the record and the settings allow.
    pub(crate) fn amend(
        &mut self,
        amendment: &Amendment,
        trade: &Trade,
        settings: &VenueSettings,
        at: AppliedAt,
    ) -> Admission {
        if amendment.place.is_some_and(|place| place >= at.position()) {
            return Admission::Rejected(RejectReason::TargetMissing);
        }
        self.settle(at);
        let identity = settings.identity(trade);
        let target = identity.filter(|_| amendment.place.is_none());
        let own_key = amendment_id_set_key(&self.instrument, trade.time_ns);
        let mut requests = Vec::new();
        requests.extend(self.ids.request(own_key.clone(), false));
        if let Some(target) = &target {
            requests.extend(self.ids.identity_request(target));
        }
        requests.extend(self.request_closed_bar(Interval::H1.window(trade.time_ns), at));
        if !requests.is_empty() {
            return Admission::Blocked(requests);
        }
        if at.append_time_ns() > self.admits_until_ns(trade.time_ns, at) {
            return Admission::Rejected(RejectReason::BeyondHorizon);
        }
        if !self.ids.insert_amendment(&own_key, &amendment.id, at) {
            return Admission::Duplicate;
        }
        match target {
            Some(target) if !self.ids.contains_trade(&target, at) => {
                self.pending_amendments.add(PendingAmendmentRow {
                    key: trade_id_set_key(&self.instrument, &target),
                    id: target.id.owned(),
                    append_time_ns: at.append_time_ns(),
                });
            }
            _ => self.mark_minute(trade.time_ns, 1, at),
        }
        Admission::Counted { late: false }
    }

    /// Marks the minute of a trade that was just counted, if it had been amended before.
    fn mark_if_amended_before(&mut self, trade: &Trade, settings: &VenueSettings, at: AppliedAt) {
        let Some(identity) = settings.identity(trade) else {
            return;
        };
        let key = trade_id_set_key(&self.instrument, &identity);
        let (id, append_time_ns) = (identity.id.owned(), at.append_time_ns());
        if self.pending_amendments.remove(key, id, append_time_ns) {
            self.settle(at);
            self.mark_minute(trade.time_ns, 0, at);
        }
    }

    /// Marks the minute that contains a time, up to this record.
    fn mark_minute(&mut self, time_ns: i64, amendments: u64, at: AppliedAt) {
        let start_ns = Interval::M1.window(time_ns).start_ns;
        self.dirty.mark(start_ns, at.next_position(), amendments);
    }

    /// Marks every minute of a range whose hours can still change.
    pub(crate) fn repair(&mut self, repair: Repair, at: AppliedAt) -> Admission {
        self.settle(at);
        let hours = windows_between(Interval::H1, repair.start_ns, repair.end_ns);
        let mut requests = Vec::new();
        for hour in hours.clone() {
            requests.extend(self.request_closed_bar(hour, at));
        }
        if !requests.is_empty() {
            return Admission::Blocked(requests);
        }
        for hour in hours {
            if at.append_time_ns() > self.admits_until_ns(hour.start_ns, at) {
                return Admission::Rejected(RejectReason::BeyondHorizon);
            }
        }
        for minute in windows_between(Interval::M1, repair.start_ns, repair.end_ns) {
            self.mark_minute(minute.start_ns, 0, at);
        }
        Admission::Counted { late: false }
    }

    /// Returns the request for the bar of a closed window that is not in memory.
    fn request_closed_bar(&mut self, window: Window, at: AppliedAt) -> Option<LoadRequest> {
        let is_known = self.windows.touch(window, at.generation());
        let is_missing = !is_known && self.clock.is_closed(window.end_ns());
        is_missing.then(|| self.bar_request(window))
    }

    /// Returns until when the hour of a time can change: six days from the append of its first
    /// trade.
    fn admits_until_ns(&self, time_ns: i64, at: AppliedAt) -> i64 {
        let hour = Interval::H1.window(time_ns);
        let first_append_ns = self.windows.first_append_ns(hour);
        let first_append_ns = first_append_ns.unwrap_or(at.append_time_ns());
        first_append_ns.saturating_add(HORIZON_NS)
    }

    /// Returns what a refold needs loaded before it is applied: bars first, then the ticks. Returns
    /// nothing if the refold is stale.
    pub(crate) fn refold_requests(&mut self, refold: Refold, generation: u64) -> Vec<LoadRequest> {
        if !self.dirty.matches(refold) {
            return Vec::new();
        }
        let start_ns = refold.start_ns;
        let closed_until_ns = self.clock.closed_until_ns();
        let missing = self
            .windows
            .missing_for_refold(start_ns, closed_until_ns, generation);
        if !missing.is_empty() {
            let requests = missing.into_iter().map(|window| self.bar_request(window));
            return requests.collect();
        }
        if self.dirty.is_loaded(start_ns) {
            return Vec::new();
        }
        let hour = Interval::H1.window(start_ns);
        vec![LoadRequest::Ticks(TicksRequest {
            instrument: self.instrument.clone(),
            start_ns,
            up_to: refold.up_to,
            first_append_ns: self.windows.first_append_ns(hour),
        })]
    }

    /// Replaces a dirty minute by the sum of its ticks, and the longer windows that contain it.
    pub(crate) fn refold(&mut self, refold: Refold, at: AppliedAt) -> RefoldOutcome {
        if !self.dirty.matches(refold) {
            return RefoldOutcome::Stale;
        }
        self.settle(at);
        let start_ns = refold.start_ns;
        let Some(minute) = self.dirty.remove(start_ns) else {
            return RefoldOutcome::TicksExpired;
        };
        let (bar, amendments) = (minute.bar, minute.amendments);
        let closed_until_ns = self.clock.closed_until_ns();
        let opened = self
            .windows
            .replace_minute(start_ns, bar, amendments, closed_until_ns, at);
        if let Some(end_ns) = opened {
            self.clock.add_open_window(end_ns);
        }
        RefoldOutcome::Applied
    }

    /// Returns whether any of its dirty minutes has no refold requested.
    pub(crate) fn has_unrequested_refolds(&self) -> bool {
        self.dirty.has_unrequested()
    }

    /// Requests refolds of its dirty minutes, until `refolds` has `limit`.
    pub(crate) fn request_refolds(
        &mut self,
        passed: Position,
        limit: usize,
        refolds: &mut Vec<(Instrument, Refold)>,
    ) {
        let instrument = &self.instrument;
        self.dirty
            .request_refolds(instrument, passed, limit, refolds);
    }

    /// Forgets which refolds were requested.
    pub(crate) fn forget_requested_refolds(&mut self) {
        self.dirty.forget_requests();
    }

    /// Accepts loaded data, unless a newer state is in memory.
    pub(crate) fn accept_loaded(&mut self, loaded: Loaded, generation: u64) {
        match loaded {
            Loaded::Bar(key, row) => {
                let row = row.map(|row| *row);
                self.windows.accept_loaded(key.window, row, generation);
            }
            Loaded::IdSet(request, row) => self.ids.accept_loaded(request, row, generation),
            Loaded::Ticks(request, refolded) => self.dirty.accept_refolded(&request, refolded),
        }
    }

    /// Takes the bars that changed since the last call.
    pub(crate) fn take_update(&mut self, at: AppliedAt) -> Option<Update> {
        self.settle(at);
        let rows = self.windows.take_announced();
        (!rows.is_empty()).then(|| Update {
            instrument: self.instrument.clone(),
            rows,
            newest_minute_ns: self.windows.newest_minute_ns(),
        })
    }

    /// Moves the changes since the last call into a transaction.
    pub(crate) fn flush(&mut self, transaction: &mut Transaction, at: AppliedAt) {
        self.settle(at);
        let instrument = &self.instrument;
        self.dirty.take_changes(instrument, &mut transaction.dirty);
        let pending = self.pending_amendments.take_unstored();
        transaction.ahead.extend(pending);
        self.windows.take_written(instrument, &mut transaction.bars);
        transaction.symbols.extend(self.clock.take_row(instrument));
        self.ids.take_changes(&mut transaction.ids);
    }

    /// Returns the number of rows of the symbol, its bars and its ids that a flush would write.
    pub(crate) fn unwritten_rows(&self) -> usize {
        let symbol_rows = usize::from(self.clock.is_changed());
        self.windows.unwritten_rows() + symbol_rows + self.ids.unwritten_rows()
    }

    /// Drops what is stored, closed, and was not used since the generation `before`. Returns how
    /// many bars and sets of ids are left.
    pub(crate) fn evict(&mut self, before: u64, at: AppliedAt) -> usize {
        self.settle(at);
        self.pending_amendments.drop_expired(at.append_time_ns());
        self.accumulator.end_minute();
        self.windows.evict(before) + self.ids.evict(before)
    }
}
