//! Applying edits, cancels and repairs to a symbol.

use market::{
    Amendment, Instrument, Interval, MINUTE_NS, RejectReason, Trade, TradeIdRef, VenueSettings,
    Window,
};
use schemas::{LeftOutNotice, Repair};
use store::PendingAmendmentRow;

use super::id_set_keys::{amendment_id_set_key, trade_id_set_key};
use super::pending_amendments::PendingAmendments;
use super::symbol_bars::SymbolBars;
use super::symbol_ids::SymbolIdSets;
use super::window_range::windows_overlapping;
use crate::core::admission::Admission;
use crate::core::applied_at::AppliedAt;
use crate::core::loading::LoadRequest;

/// The parts of a symbol's state that an amendment changes while it is applied.
pub(crate) struct AmendmentApplication<'a> {
    pub(crate) instrument: &'a Instrument,
    pub(crate) bars: &'a mut SymbolBars,
    pub(crate) ids: &'a mut SymbolIdSets,
    pub(crate) pending_amendments: &'a mut PendingAmendments,
    pub(crate) at: AppliedAt,
}

impl AmendmentApplication<'_> {
    /// Applies an edit or a cancel that the record and the settings allow.
    pub(crate) fn apply_amendment(
        &mut self,
        amendment: &Amendment,
        trade: &Trade,
        settings: &VenueSettings,
    ) -> Admission {
        let at = self.at;
        if amendment
            .target_position
            .is_some_and(|place| place >= at.position())
        {
            return Admission::Rejected(RejectReason::TargetMissing);
        }
        self.bars.merge_accumulator_into_bars(at);
        let identity = settings.trade_identity(trade);
        let target = identity.filter(|_| amendment.target_position.is_none());
        let own_key = amendment_id_set_key(self.instrument, trade.time_ns);
        let mut requests = Vec::new();
        let own_id = TradeIdRef::from(&amendment.id);
        requests.extend(
            self.ids
                .load_request_if_missing(own_key.clone(), own_id, false),
        );
        if let Some(target) = &target {
            requests.extend(self.ids.load_request_for_identity(target));
        }
        requests
            .extend(self.mark_bar_used_or_request(Interval::H1.window_containing(trade.time_ns)));
        if !requests.is_empty() {
            return Admission::Blocked(requests);
        }
        if !self.bars.is_hour_within_horizon(trade.time_ns, at) {
            return Admission::Rejected(RejectReason::BeyondHorizon);
        }
        if !self
            .ids
            .insert_amendment_if_new(&own_key, &amendment.id, at)
        {
            return Admission::Duplicate;
        }
        match target {
            Some(target) if !self.ids.contains_trade_and_mark_set_used(&target, at) => {
                self.pending_amendments.add(PendingAmendmentRow {
                    key: trade_id_set_key(self.instrument, &target),
                    id: target.id.to_trade_id(),
                    append_time_ns: at.greatest_append_time_ns(),
                });
            }
            _ => self.bars.mark_minute_dirty(trade.time_ns, 1, false, at),
        }
        Admission::Counted { late: false }
    }

    /// Marks every minute of a range whose hours can still change.
    pub(crate) fn mark_minutes_for_repair(&mut self, repair: Repair) -> Admission {
        let at = self.at;
        self.bars.merge_accumulator_into_bars(at);
        let hours = windows_overlapping(Interval::H1, repair.start_ns, repair.end_ns);
        let mut requests = Vec::new();
        for hour in hours.clone() {
            requests.extend(self.mark_bar_used_or_request(hour));
        }
        if !requests.is_empty() {
            return Admission::Blocked(requests);
        }
        for hour in hours {
            if !self.bars.is_hour_within_horizon(hour.start_ns, at) {
                return Admission::Rejected(RejectReason::BeyondHorizon);
            }
        }
        for minute in windows_overlapping(Interval::M1, repair.start_ns, repair.end_ns) {
            self.bars
                .mark_minute_dirty(minute.start_ns, 0, repair.force, at);
        }
        Admission::Counted { late: false }
    }

    /// Marks the minute of a record that is left out to be refolded; a minute without a bar gets
    /// one, so that clients hear of it. If that record is a refold, the minute keeps its bar and
    /// cannot be proved any more.
    pub(crate) fn apply_left_out_notice(&mut self, left_out: LeftOutNotice) -> Admission {
        let start_ns = left_out.start_ns;
        if !left_out.is_refold {
            let minute = Interval::M1.window_containing(start_ns);
            self.bars.merge_accumulator_into_bars(self.at);
            if let Some(request) = self.mark_bar_used_or_request(minute) {
                return Admission::Blocked(vec![request]);
            }
            return self.mark_minutes_for_repair(Repair {
                start_ns,
                end_ns: start_ns + MINUTE_NS,
                force: !self.bars.has_bar(minute),
            });
        }
        self.bars.merge_accumulator_into_bars(self.at);
        let mut requests = Vec::new();
        for interval in Interval::ALL {
            requests.extend(self.mark_bar_used_or_request(interval.window_containing(start_ns)));
        }
        if !requests.is_empty() {
            return Admission::Blocked(requests);
        }
        self.bars.mark_unprovable(start_ns, self.at);
        Admission::Counted { late: false }
    }

    /// Marks the minute of a trade that was just counted, if it had been amended before.
    pub(crate) fn mark_minute_if_amended_before(
        &mut self,
        trade: &Trade,
        settings: &VenueSettings,
    ) {
        let at = self.at;
        let Some(identity) = settings.trade_identity(trade) else {
            return;
        };
        let key = trade_id_set_key(self.instrument, &identity);
        let (id, append_time_ns) = (identity.id.to_trade_id(), at.greatest_append_time_ns());
        if self
            .pending_amendments
            .remove_if_pending(key, id, append_time_ns)
        {
            self.bars.merge_accumulator_into_bars(at);
            self.bars.mark_minute_dirty(trade.time_ns, 0, false, at);
        }
    }

    /// Returns the request for the bar of a window, if it has to be loaded before it is used.
    fn mark_bar_used_or_request(&mut self, window: Window) -> Option<LoadRequest> {
        self.bars.mark_used_if_cached(window, self.at);
        let must_be_loaded = self.bars.must_be_loaded(window);
        must_be_loaded.then(|| LoadRequest::for_bar(self.instrument, window))
    }
}
