//! Which symbol a record is of.

use bytes::Bytes;
use eventlog::Record;
use market::{Instrument, RejectReason, VenueSettings};

use super::Core;
use super::symbol::{Moment, Symbol};

/// What a key names, as far as this partition is concerned.
#[derive(Debug)]
pub(super) enum Route {
    /// The symbol at a place.
    Symbol(u32),
    /// One of a known venue of which nothing was counted yet.
    New(Instrument, usize),
    /// Of a venue that was not declared.
    Unknown,
    /// Not of this partition, or of none.
    Rejected(RejectReason),
}

impl Core {
    /// The place of a key's symbol, for [`Core::apply_trade`]; none where the key is not of this
    /// partition or its venue was not declared.
    pub fn place_of(&mut self, key: &Bytes) -> Option<u32> {
        match self.route(key) {
            Route::Symbol(place) => Some(place),
            Route::New(instrument, venue) => Some(self.add_symbol(Symbol::new(instrument, venue))),
            Route::Unknown | Route::Rejected(_) => None,
        }
    }

    /// The place of a record's symbol, which is made where this is the first record that the
    /// venue's settings allow: what is rejected leaves nothing in memory. None where the record
    /// is rejected, which is noted.
    pub(super) fn place_for(
        &mut self,
        record: &Record,
        at: Moment,
        check: impl FnOnce(&VenueSettings) -> Result<(), RejectReason>,
    ) -> Option<u32> {
        match self.route(&record.key) {
            Route::Symbol(place) => return Some(place),
            Route::New(instrument, venue) => match check(self.venues.settings(venue)) {
                Ok(()) => return Some(self.add_symbol(Symbol::new(instrument, venue))),
                Err(reject) => self.reject_by_state(record, reject, at),
            },
            Route::Unknown => self.reject_by_state(record, RejectReason::VenueUnknown, at),
            Route::Rejected(reject) => {
                self.bury(record, reject, reject.explanation().to_owned());
            }
        }
        None
    }

    /// Finds the symbol of a key.
    pub(super) fn route(&mut self, key: &Bytes) -> Route {
        if let Some((last, place)) = &self.last_route
            && last == key
        {
            return Route::Symbol(*place);
        }
        if let Some(place) = self.routes.get(key) {
            self.last_route = Some((key.clone(), *place));
            return Route::Symbol(*place);
        }
        let partition = self.progress.partition;
        match schemas::instrument_from_key(key, partition, self.partitions) {
            Err(reject) => Route::Rejected(reject),
            Ok(instrument) => match self.venues.known(instrument.venue()) {
                Some(venue) => Route::New(instrument, venue),
                None => Route::Unknown,
            },
        }
    }

    /// The place of a symbol that something is stored of; it may not have traded yet.
    pub(super) fn restored(&mut self, instrument: &Instrument) -> u32 {
        if let Some(place) = self.routes.get(instrument.key().as_bytes()) {
            return *place;
        }
        let venue = self.venues.place(instrument.venue());
        self.add_symbol(Symbol::new(instrument.clone(), venue))
    }

    pub(super) fn add_symbol(&mut self, symbol: Symbol) -> u32 {
        let place = u32::try_from(self.symbols.len()).expect("fewer than 2^32 symbols");
        let key = Bytes::copy_from_slice(symbol.instrument.key().as_bytes());
        self.routes.insert(key, place);
        self.symbols.push(symbol);
        place
    }
}
