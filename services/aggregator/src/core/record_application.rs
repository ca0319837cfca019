//! Applying one decoded record.

use eventlog::Record;
use market::{
    Amendment, DeclaredSettings, RejectReason, SettingsChange, Trade, Venue, VenueSettings,
};
use schemas::{DecodeError, LeftOutNotice, RefoldResult, Repair, TradesTopicRecord};
use store::TickVerdict;

use super::admission::{Admission, RefoldOutcome};
use super::applied_at::AppliedAt;
use super::counts::FoldCounts;
use super::keyed_item::ResolvedRecordKey;
use super::partition_symbols::PartitionSymbols;
use super::pending_loads::PendingLoadRequests;
use super::rejections::Rejections;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum RecordOutcome {
    /// The record was applied; it may have been rejected or excluded.
    Applied,
    /// Nothing was changed: data has to be loaded first.
    Blocked,
}

/// One record and the parts of the core that it changes.
pub(crate) struct RecordApplication<'a> {
    pub(crate) symbols: &'a mut PartitionSymbols,
    pub(crate) rejections: &'a mut Rejections,
    pub(crate) pending_loads: &'a mut PendingLoadRequests,
    pub(crate) counts: &'a mut FoldCounts,
    pub(crate) record: &'a Record,
    pub(crate) at: AppliedAt,
}

impl RecordApplication<'_> {
    /// Applies the record. If the state that it needs is not in memory, it changes nothing,
    /// requests that state, and returns [`RecordOutcome::Blocked`].
    #[inline]
    pub(crate) fn apply(
        &mut self,
        decoded: Result<TradesTopicRecord, DecodeError>,
    ) -> RecordOutcome {
        match decoded {
            Ok(TradesTopicRecord::Trade(trade)) => self.apply_trade(&trade),
            Ok(TradesTopicRecord::Advance) => RecordOutcome::Applied,
            Ok(TradesTopicRecord::Setting(venue, change)) => {
                self.apply_settings_change(venue, &change)
            }
            Ok(TradesTopicRecord::SettingCopy(venue, declared)) => {
                self.apply_settings_copy(&venue, declared)
            }
            Ok(TradesTopicRecord::Amendment(amendment, trade)) => {
                self.apply_amendment(&amendment, &trade)
            }
            Ok(TradesTopicRecord::Refold(refold)) => self.apply_refold(&refold),
            Ok(TradesTopicRecord::Repair(repair)) => self.apply_repair(repair),
            Ok(TradesTopicRecord::LeftOut(left_out)) => self.apply_left_out_notice(left_out),
            Err(error) => self.dead_letter(RejectReason::Malformed, error.to_string()),
        }
    }

    #[inline]
    fn apply_trade(&mut self, trade: &Trade) -> RecordOutcome {
        if let Err(reject) =
            market::validate_trade_of_any_venue(trade, self.at.greatest_append_time_ns())
        {
            return self.dead_letter_with_explanation(reject);
        }
        let Some(index) = self
            .find_or_add_symbol_or_reject_tick(trade, |settings| settings.validate_trade(trade))
        else {
            return RecordOutcome::Applied;
        };
        match self.symbols.fold_trade(index, trade, self.at) {
            Admission::Counted { late } => {
                self.counts.trades += 1;
                self.counts.late += u64::from(late);
                RecordOutcome::Applied
            }
            other => self.finish_uncounted_tick(trade, other),
        }
    }

    fn apply_amendment(&mut self, amendment: &Amendment, trade: &Trade) -> RecordOutcome {
        if let Err(reject) =
            market::validate_trade_of_any_venue(trade, self.at.greatest_append_time_ns())
        {
            return self.dead_letter_with_explanation(reject);
        }
        let check = |settings: &VenueSettings| settings.validate_amendment(amendment, trade);
        let Some(index) = self.find_or_add_symbol_or_reject_tick(trade, check) else {
            return RecordOutcome::Applied;
        };
        match self
            .symbols
            .apply_amendment(index, amendment, trade, self.at)
        {
            Admission::Counted { .. } => {
                self.counts.amendments += 1;
                RecordOutcome::Applied
            }
            other => self.finish_uncounted_tick(trade, other),
        }
    }

    /// Returns the index of the tick's symbol. A symbol that is not in memory is added only if
    /// `check` accepts the tick under its venue's settings, so rejected ticks use no memory.
    /// Records the rejection and returns `None` otherwise.
    #[inline]
    fn find_or_add_symbol_or_reject_tick(
        &mut self,
        trade: &Trade,
        check: impl FnOnce(&VenueSettings) -> Result<(), RejectReason>,
    ) -> Option<u32> {
        let (record, at) = (self.record, self.at);
        match self.symbols.resolve_record_key(&record.key) {
            ResolvedRecordKey::Symbol(index) => return Some(index),
            ResolvedRecordKey::New(instrument, venue) => {
                match check(self.symbols.settings_of_venue(venue)) {
                    Ok(()) => return Some(self.symbols.add(instrument, venue)),
                    Err(reject) => {
                        let time_ns = trade.time_ns;
                        self.rejections
                            .dead_letter_and_exclude_tick(record, reject, time_ns, at);
                    }
                }
            }
            ResolvedRecordKey::UnknownVenue => {
                let reject = RejectReason::VenueUnknown;
                self.rejections
                    .dead_letter_and_exclude_tick(record, reject, trade.time_ns, at);
            }
            ResolvedRecordKey::Rejected(reject) => {
                self.rejections
                    .dead_letter_with_explanation(record, reject, at);
            }
        }
        None
    }

    /// Records the outcome of a tick that does not count.
    fn finish_uncounted_tick(&mut self, trade: &Trade, admission: Admission) -> RecordOutcome {
        match admission {
            Admission::Counted { .. } => {}
            Admission::Duplicate => {
                self.counts.duplicates += 1;
                self.rejections
                    .exclude_tick(self.record, TickVerdict::Duplicate, self.at);
            }
            Admission::Rejected(reject) => {
                let (record, at) = (self.record, self.at);
                self.rejections
                    .dead_letter_and_exclude_tick(record, reject, trade.time_ns, at);
            }
            Admission::Blocked(requests) => {
                self.pending_loads.request_loads_for_begun_record(requests);
                return RecordOutcome::Blocked;
            }
        }
        RecordOutcome::Applied
    }

    /// Changes a venue's settings, in the partition that orders the changes.
    fn apply_settings_change(&mut self, venue: Venue, change: &SettingsChange) -> RecordOutcome {
        if !self.symbols.is_settings_partition() {
            return self.dead_letter_with_explanation(RejectReason::Misrouted);
        }
        match self.symbols.venues().settings_after(&venue, change) {
            Ok(settings) => {
                self.symbols.change_settings(venue, settings, self.at);
                RecordOutcome::Applied
            }
            Err(_) => self.dead_letter_with_explanation(RejectReason::SettingsConflict),
        }
    }

    /// Puts copied settings in force, unless those in force are of the same change or a later one:
    /// copies arrive more than once, and those of several pods in any order.
    fn apply_settings_copy(&mut self, venue: &Venue, declared: DeclaredSettings) -> RecordOutcome {
        let is_of_this_log = declared.declared_at.epoch == self.at.position().epoch;
        if self.symbols.is_settings_partition() || !is_of_this_log {
            return self.dead_letter_with_explanation(RejectReason::Misrouted);
        }
        let venues = self.symbols.venues();
        if !venues.is_later_change(venue, declared.declared_at) {
            self.counts.stale_settings += 1;
            return RecordOutcome::Applied;
        }
        let change = SettingsChange::of_all(&declared.settings);
        if venues.settings_after(venue, &change).is_err() {
            return self.dead_letter_with_explanation(RejectReason::SettingsConflict);
        }
        self.symbols
            .declare_venue(venue.as_str(), declared, self.at);
        RecordOutcome::Applied
    }

    /// Marks the minutes of a range.
    fn apply_repair(&mut self, repair: Repair) -> RecordOutcome {
        self.apply_to_symbol(|symbols, index, at| {
            symbols.mark_minutes_for_repair(index, repair, at)
        })
    }

    /// Gives the bars that an earlier record may have changed a later `through`, because that
    /// record is left out.
    fn apply_left_out_notice(&mut self, left_out: LeftOutNotice) -> RecordOutcome {
        self.apply_to_symbol(|symbols, index, at| {
            symbols.apply_left_out_notice(index, left_out, at)
        })
    }

    /// Applies a record that is no tick to the symbol that its key names, which is added if it is
    /// not in memory.
    fn apply_to_symbol(
        &mut self,
        apply: impl FnOnce(&mut PartitionSymbols, u32, AppliedAt) -> Admission,
    ) -> RecordOutcome {
        let index = match self.symbols.resolve_record_key(&self.record.key) {
            ResolvedRecordKey::Symbol(index) => index,
            ResolvedRecordKey::New(instrument, venue) => self.symbols.add(instrument, venue),
            ResolvedRecordKey::UnknownVenue => {
                return self.dead_letter_with_explanation(RejectReason::VenueUnknown);
            }
            ResolvedRecordKey::Rejected(reject) => {
                return self.dead_letter_with_explanation(reject);
            }
        };
        match apply(self.symbols, index, self.at) {
            Admission::Blocked(requests) => {
                self.pending_loads.request_loads_for_begun_record(requests);
                RecordOutcome::Blocked
            }
            Admission::Rejected(reject) => self.dead_letter_with_explanation(reject),
            Admission::Counted { .. } | Admission::Duplicate => RecordOutcome::Applied,
        }
    }

    /// Replaces a dirty minute by the bar of the refold.
    fn apply_refold(&mut self, refold: &RefoldResult) -> RecordOutcome {
        let outcome = match self.symbols.resolve_record_key(&self.record.key) {
            ResolvedRecordKey::Symbol(index) => self.symbols.apply_refold(index, refold, self.at),
            ResolvedRecordKey::New(..) => RefoldOutcome::Stale,
            ResolvedRecordKey::UnknownVenue => {
                return self.dead_letter_with_explanation(RejectReason::VenueUnknown);
            }
            ResolvedRecordKey::Rejected(reject) => {
                return self.dead_letter_with_explanation(reject);
            }
        };
        match outcome {
            RefoldOutcome::Applied => self.counts.refolds += 1,
            RefoldOutcome::Stale => self.counts.stale_refolds += 1,
            RefoldOutcome::Refused { counted, found } => {
                self.counts.refused_refolds += 1;
                let detail = format!(
                    "the minute at {} has counted {counted} trades, but its ticks show {found}; its \
                     bar stays as it is and is no longer provable",
                    market::format_time(refold.start_ns)
                );
                return self.dead_letter(RejectReason::RefoldRefused, detail);
            }
        }
        RecordOutcome::Applied
    }

    /// Dead-letters the record, which is then applied.
    fn dead_letter(&mut self, reason: RejectReason, detail: String) -> RecordOutcome {
        self.rejections
            .dead_letter(self.record, reason, detail, self.at);
        RecordOutcome::Applied
    }

    fn dead_letter_with_explanation(&mut self, reason: RejectReason) -> RecordOutcome {
        self.rejections
            .dead_letter_with_explanation(self.record, reason, self.at);
        RecordOutcome::Applied
    }
}
