//! One symbol: how its trades and amendments change its bars, and when its windows close.

mod amendment_application;
mod bars_in_memory;
mod changed_windows;
mod dirty_minutes;
mod id_set_keys;
mod pending_amendments;
mod symbol_bars;
mod symbol_clock;
mod symbol_ids;
mod window_range;

use market::{
    Amendment, BarRow, Instrument, Interval, Position, RejectReason, TieOrder, Trade, VenueSettings,
};
use schemas::{LeftOutNotice, RefoldResult, Repair};
use store::{PartitionTransaction, PendingAmendmentRow, RefoldMark, SymbolRow};

use super::admission::{Admission, RefoldOutcome};
use super::alarms::WindowCloseAlarm;
use super::applied_at::AppliedAt;
use super::bar_update::InstrumentBarUpdate;
use super::changed_symbols::SymbolChangeFlags;
use super::id_set::IdDigestKey;
use super::loading::{LoadRequest, LoadedData};
use super::refold_request::RefoldRequest;
use amendment_application::AmendmentApplication;
use pending_amendments::PendingAmendments;
use symbol_bars::SymbolBars;
use symbol_ids::SymbolIdSets;

/// One symbol. It decides whether a trade or an amendment counts: its identity must be new, and its
/// hour within the horizon.
#[derive(Debug)]
pub(crate) struct SymbolFold {
    instrument: Instrument,
    /// Its venue's index.
    venue: usize,
    bars: SymbolBars,
    ids: SymbolIdSets,
    pending_amendments: PendingAmendments,
    alarm: WindowCloseAlarm,
    listed_flags: SymbolChangeFlags,
}

impl SymbolFold {
    /// Returns a symbol that has not traded, of a venue whose order of ties is `ties`.
    pub(crate) fn new(
        instrument: Instrument,
        venue: usize,
        ties: TieOrder,
        digest_key: IdDigestKey,
    ) -> Self {
        Self {
            ids: SymbolIdSets::new(instrument.clone(), digest_key),
            instrument,
            venue,
            bars: SymbolBars::new(ties),
            pending_amendments: PendingAmendments::default(),
            alarm: WindowCloseAlarm::unset(),
            listed_flags: SymbolChangeFlags::default(),
        }
    }

    /// Returns a stored symbol, to which its open bars and amendments are added afterwards.
    pub(crate) fn restore(
        row: SymbolRow,
        venue: usize,
        ties: TieOrder,
        digest_key: IdDigestKey,
    ) -> Self {
        let bars = SymbolBars::restore(&row, ties);
        Self {
            bars,
            ..Self::new(row.instrument, venue, ties, digest_key)
        }
    }

    /// Adds a stored open bar.
    pub(crate) fn restore_open_bar(&mut self, row: BarRow) {
        self.bars.restore_open_bar(row);
    }

    /// Adds a stored dirty minute.
    pub(crate) fn restore_dirty_minute(&mut self, start_ns: i64, mark: RefoldMark) {
        self.bars.restore_dirty_minute(start_ns, mark);
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
    pub(crate) const fn venue_index(&self) -> usize {
        self.venue
    }

    /// Returns its alarm, which only the core's alarms change.
    #[inline]
    pub(crate) const fn alarm_mut(&mut self) -> &mut WindowCloseAlarm {
        &mut self.alarm
    }

    /// Returns which lists of changes it is in, which only those lists change.
    #[inline]
    pub(crate) const fn change_flags_mut(&mut self) -> &mut SymbolChangeFlags {
        &mut self.listed_flags
    }

    /// Returns the least append time at which it is idle.
    #[inline]
    pub(crate) const fn idle_from_ns(&self, settings: &VenueSettings) -> i64 {
        self.bars.idle_from_ns(settings)
    }

    /// Returns the least append time at which an open window may close without another trade.
    pub(crate) fn close_due_ns(&self, settings: &VenueSettings) -> Option<i64> {
        self.bars.close_due_ns(settings)
    }

    /// Returns the number of its dirty minutes.
    #[inline]
    pub(crate) fn dirty_minute_count(&self) -> usize {
        self.bars.dirty_minute_count()
    }

    /// Folds a trade that the record and the settings allow.
    #[inline]
    pub(crate) fn fold_trade(
        &mut self,
        trade: &Trade,
        settings: &VenueSettings,
        at: AppliedAt,
    ) -> Admission {
        self.bars.close_empty_windows_if_idle(settings, at);
        if !self.bars.is_current_minute(trade.time_ns)
            && let Err(requests) = self.begin_minute(trade, settings, at)
        {
            return Admission::Blocked(requests);
        }
        if !self.bars.is_current_minute_within_horizon(at) {
            return Admission::Rejected(RejectReason::BeyondHorizon);
        }
        match self.ids.insert_if_new(trade, settings, at) {
            Ok(true) => {}
            Ok(false) => return Admission::Duplicate,
            Err(request) => return Admission::Blocked(vec![request]),
        }
        let late = self.bars.add_trade_and_is_late(trade, at);
        if !self.pending_amendments.is_empty() {
            self.amendment_application(at)
                .mark_minute_if_amended_before(trade, settings);
        }
        self.bars
            .advance_watermark_and_close_windows(trade.time_ns, settings, at);
        Admission::Counted { late }
    }

    /// Closes the windows that a trade at a time closes, without counting it.
    pub(crate) fn advance_watermark_for_uncounted_trade(
        &mut self,
        time_ns: i64,
        settings: &VenueSettings,
        at: AppliedAt,
    ) {
        self.bars
            .advance_watermark_and_close_windows(time_ns, settings, at);
    }

    /// Begins the minute of a trade, unless data has to be loaded first.
    fn begin_minute(
        &mut self,
        trade: &Trade,
        settings: &VenueSettings,
        at: AppliedAt,
    ) -> Result<(), Vec<LoadRequest>> {
        self.bars
            .end_minute_and_mark_next_windows_used(trade.time_ns, at);
        let requests = self.load_requests_for_trade(trade, settings);
        if !requests.is_empty() {
            return Err(requests);
        }
        self.bars.begin_minute(trade.time_ns);
        Ok(())
    }

    /// Returns what a trade needs that is not in memory: the bars of closed windows, and the set or
    /// the segment of its id.
    pub(crate) fn load_requests_for_trade(
        &self,
        trade: &Trade,
        settings: &VenueSettings,
    ) -> Vec<LoadRequest> {
        let mut requests = Vec::new();
        for interval in Interval::ALL {
            let window = interval.window_containing(trade.time_ns);
            if self.bars.must_be_loaded(window) {
                requests.push(LoadRequest::for_bar(&self.instrument, window));
            }
        }
        if let Some(identity) = settings.trade_identity(trade) {
            requests.extend(self.ids.load_request_for_identity(&identity));
        }
        requests
    }

    /// Closes the windows that are due, because time has passed or the settings have changed.
    pub(crate) fn close_due_windows(&mut self, settings: &VenueSettings, at: AppliedAt) {
        self.bars.close_due_windows(settings, at);
    }

    /// Marks the row of the symbol as changed, so that it is stored: new settings must not reopen
    /// windows that earlier settings have closed.
    pub(crate) const fn mark_row_changed(&mut self) {
        self.bars.mark_row_changed();
    }

    /// Applies an edit or a cancel that the record and the settings allow.
    pub(crate) fn apply_amendment(
        &mut self,
        amendment: &Amendment,
        trade: &Trade,
        settings: &VenueSettings,
        at: AppliedAt,
    ) -> Admission {
        self.amendment_application(at)
            .apply_amendment(amendment, trade, settings)
    }

    /// Marks every minute of a range, except those of an hour that can no longer change.
    pub(crate) fn mark_minutes_for_repair(&mut self, repair: Repair, at: AppliedAt) -> Admission {
        self.amendment_application(at)
            .mark_minutes_for_repair(repair)
    }

    /// Gives every bar that an earlier record may have changed a later `through`, because that
    /// record is left out.
    pub(crate) fn apply_left_out_notice(
        &mut self,
        left_out: LeftOutNotice,
        at: AppliedAt,
    ) -> Admission {
        let admission = self
            .amendment_application(at)
            .apply_left_out_notice(left_out);
        if matches!(admission, Admission::Counted { .. }) {
            self.bars.set_through_of_open_bars(at);
        }
        admission
    }

    const fn amendment_application(&mut self, at: AppliedAt) -> AmendmentApplication<'_> {
        AmendmentApplication {
            instrument: &self.instrument,
            bars: &mut self.bars,
            ids: &mut self.ids,
            pending_amendments: &mut self.pending_amendments,
            at,
        }
    }

    /// Returns what a refold needs loaded before it is applied. Returns nothing if the refold is
    /// stale.
    pub(crate) fn load_requests_for_refold(
        &mut self,
        refold: &RefoldResult,
        commit_number: u64,
    ) -> Vec<LoadRequest> {
        if !self.bars.matches_refold_mark(refold) {
            return Vec::new();
        }
        let missing = self.bars.windows_missing_for_refold(refold, commit_number);
        let requests = missing
            .into_iter()
            .map(|window| LoadRequest::for_bar(&self.instrument, window));
        requests.collect()
    }

    /// Replaces a dirty minute by the bar of a refold, and the longer windows that contain it.
    pub(crate) fn apply_refold(
        &mut self,
        refold: &RefoldResult,
        settings: &VenueSettings,
        at: AppliedAt,
    ) -> RefoldOutcome {
        self.bars.close_empty_windows_if_idle(settings, at);
        self.bars.apply_refold(refold, at)
    }

    /// Leaves out a refold. Returns whether its minute was dirty with the same mark.
    pub(crate) fn clear_mark_of_left_out_refold(&mut self, refold: &RefoldResult) -> bool {
        self.bars.clear_mark_of_left_out_refold(refold)
    }

    /// Returns whether any of its dirty minutes has no refold requested.
    pub(crate) fn has_unrequested_refolds(&self) -> bool {
        self.bars.has_unrequested_refolds()
    }

    /// Adds requests for refolds of the symbol's dirty minutes to `refolds`, which holds at most
    /// `limit` afterwards.
    pub(crate) fn request_refolds(
        &mut self,
        marked_up_to: Position,
        limit: usize,
        refolds: &mut Vec<RefoldRequest>,
    ) {
        let wanted = limit.saturating_sub(refolds.len());
        let requested = self.bars.request_refolds(marked_up_to, wanted).into_iter();
        refolds.extend(requested.map(|(start_ns, up_to)| RefoldRequest {
            instrument: self.instrument.clone(),
            start_ns,
            up_to,
        }));
    }

    /// Forgets which refolds were requested.
    pub(crate) fn forget_requested_refolds(&mut self) {
        self.bars.forget_requested_refolds();
    }

    /// Puts loaded data into the state, unless the same item is in memory, which is newer. `at` is
    /// that of the record that waits for it.
    pub(crate) fn accept_loaded(&mut self, loaded: LoadedData, at: AppliedAt) {
        let commit_number = at.commit_number();
        match loaded {
            LoadedData::Bar(key, row) => self.bars.accept_bar(key.window, row, commit_number),
            LoadedData::IdSet(request, row) => self.ids.accept_loaded(request, &row, commit_number),
            LoadedData::IdSegment(key, row) => {
                self.ids.accept_segment(&key, row, at.position().offset);
            }
        }
    }

    /// Returns its sets of ids.
    pub(crate) const fn ids(&self) -> &SymbolIdSets {
        &self.ids
    }

    /// Drops the segments of ids that may leave memory and were not used after the record at an
    /// offset. Returns how many.
    pub(crate) fn evict_id_segments_and_count_evicted(
        &mut self,
        used_until_offset: u64,
        commit_number: u64,
    ) -> u64 {
        self.ids
            .evict_segments_and_count_evicted(used_until_offset, commit_number)
    }

    /// Takes the bars that changed since the last call.
    pub(crate) fn take_update(&mut self, at: AppliedAt) -> Option<InstrumentBarUpdate> {
        let rows = self.bars.take_bars_to_announce(at);
        (!rows.is_empty()).then(|| InstrumentBarUpdate {
            instrument: self.instrument.clone(),
            rows,
            newest_minute_ns: self.bars.newest_minute_ns(),
        })
    }

    /// Moves the changes since the last call into a transaction.
    pub(crate) fn flush(&mut self, transaction: &mut PartitionTransaction, at: AppliedAt) {
        self.bars.flush(&self.instrument, transaction, at);
        self.ids
            .take_changes(at.commit_number(), &mut transaction.id_sets);
        let pending = self.pending_amendments.take_unstored();
        transaction.pending_amendments.extend(pending);
    }

    /// Returns the number of rows of the symbol, its bars and its ids that a flush would write.
    pub(crate) fn unwritten_row_count(&self) -> usize {
        self.bars.unwritten_row_count() + self.ids.unwritten_row_count()
    }

    /// Drops what is stored, closed, and was not used since the commit `before_commit_number`.
    /// Returns how many bars and sets of ids are left.
    pub(crate) fn evict_and_count_remaining(
        &mut self,
        before_commit_number: u64,
        at: AppliedAt,
    ) -> usize {
        self.pending_amendments
            .drop_expired(at.greatest_append_time_ns());
        self.bars
            .evict_and_count_remaining(before_commit_number, at)
            + self.ids.evict_and_count_remaining(before_commit_number)
    }
}
