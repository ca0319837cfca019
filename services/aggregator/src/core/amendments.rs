//! Edits, cancels, repairs and refolds: what they mark, and what becomes of a marked minute.

use eventlog::Record;
use market::{Amendment, Instrument, Position, RejectReason, Trade, VenueSettings};
use schemas::{Refold, Repair};
use store::Verdict;

use super::Core;
use super::routes::Route;
use super::symbol::{Admission, Moment, Symbol};

impl Core {
    /// An edit or a cancel; false where something has to be supplied first.
    pub(super) fn amendment(
        &mut self,
        record: &Record,
        amendment: &Amendment,
        trade: &Trade,
        at: Moment,
    ) -> bool {
        if let Err(reject) = market::validate_trade(trade, at.append_time_ns) {
            self.bury(record, reject, reject.explanation().to_owned());
            return true;
        }
        let check = |settings: &VenueSettings| settings.validate_amendment(amendment, trade);
        let Some(place) = self.place_for(record, at, check) else {
            return true;
        };
        let symbol = &mut self.symbols[place as usize];
        let settings = self.venues.settings(symbol.venue);
        let admission = match settings.validate_amendment(amendment, trade) {
            Ok(()) => symbol.amend(amendment, trade, settings, at),
            Err(reject) => Admission::Rejected(reject),
        };
        match admission {
            Admission::Counted { .. } => {
                self.counts.amendments += 1;
                self.note_marks(place);
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

    /// Marks the minutes of a range; false where something has to be supplied first.
    pub(super) fn repair(&mut self, record: &Record, repair: Repair, at: Moment) -> bool {
        let place = match self.route(&record.key) {
            Route::Symbol(place) => place,
            Route::New(instrument, venue) => self.add_symbol(Symbol::new(instrument, venue)),
            Route::Unknown => {
                let reject = RejectReason::VenueUnknown;
                self.bury(record, reject, reject.explanation().to_owned());
                return true;
            }
            Route::Rejected(reject) => {
                self.bury(record, reject, reject.explanation().to_owned());
                return true;
            }
        };
        match self.symbols[place as usize].repair(repair, at) {
            Admission::Blocked(needs) => {
                self.needs = needs;
                return false;
            }
            Admission::Rejected(reject) => {
                self.bury(record, reject, reject.explanation().to_owned());
            }
            Admission::Counted { .. } | Admission::Duplicate => self.note_marks(place),
        }
        true
    }

    /// Whether all is there that applying a refold takes. It is asked before the record has any
    /// effect, so that what was applied before can be committed meanwhile.
    pub(super) fn can_refold(&mut self, record: &Record, refold: Refold) -> bool {
        let Route::Symbol(place) = self.route(&record.key) else {
            return true;
        };
        let needs = self.symbols[place as usize].refold_needs(refold, self.generation);
        self.needs_ticks = !needs.is_empty();
        self.needs = needs;
        !self.needs_ticks
    }

    /// Folds a minute anew, and the longer windows from their children.
    pub(super) fn refold(&mut self, record: &Record, refold: Refold, at: Moment) {
        let place = match self.route(&record.key) {
            Route::Symbol(place) => place,
            Route::New(..) => {
                self.counts.stale_refolds += 1;
                return;
            }
            Route::Unknown => {
                let reject = RejectReason::VenueUnknown;
                return self.bury(record, reject, reject.explanation().to_owned());
            }
            Route::Rejected(reject) => {
                return self.bury(record, reject, reject.explanation().to_owned());
            }
        };
        match self.symbols[place as usize].refold(refold, at) {
            Some(true) => {
                self.counts.refolds += 1;
                self.note_marks(place);
            }
            Some(false) => {
                let reject = RejectReason::BeyondHorizon;
                let detail = "the minute's ticks are not kept any more, so it stays as it is";
                self.bury(record, reject, detail.to_owned());
                self.note_marks(place);
            }
            None => self.counts.stale_refolds += 1,
        }
    }

    /// A symbol's marks have changed.
    fn note_marks(&mut self, place: u32) {
        if self.symbols[place as usize].marks() > 0 {
            self.marked.insert(place);
        } else {
            self.marked.remove(&place);
        }
        self.list(place);
    }

    /// The settings of an instrument's venue, for folding its ticks anew.
    #[must_use]
    pub fn settings_of(&self, instrument: &Instrument) -> Option<VenueSettings> {
        let place = self.routes.get(instrument.key().as_bytes())?;
        let venue = self.symbols[*place as usize].venue;
        Some(*self.venues.settings(venue))
    }

    /// How many minutes are marked.
    #[must_use]
    pub fn dirty(&self) -> usize {
        let marks = |place: &u32| self.symbols[*place as usize].marks();
        self.marked.iter().map(marks).sum()
    }

    /// Whether any minute is marked whose refold was not asked for yet.
    #[must_use]
    pub fn wants_refolds(&self) -> bool {
        let wants = |place: &u32| self.symbols[*place as usize].wants_refolds();
        self.marked.iter().any(wants)
    }

    /// Minutes that are marked up to a position at most and whose refold was not asked for yet:
    /// now it is.
    pub fn ask_refolds(&mut self, up_to: Position, most: usize) -> Vec<(Instrument, Refold)> {
        let mut refolds = Vec::new();
        for place in &self.marked {
            self.symbols[*place as usize].ask_refolds(up_to, most, &mut refolds);
        }
        refolds
    }

    /// It is not known whether the log holds the refolds that were asked for: they may be asked
    /// for again.
    pub fn forget_asked(&mut self) {
        for place in &self.marked {
            self.symbols[*place as usize].forget_asked();
        }
    }
}
