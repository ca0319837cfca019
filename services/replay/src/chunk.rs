//! Trades put together for sending.

use market::{Symbol, Trade, Venue};
use schemas::TradesBatch;

use crate::names::Names;
use crate::source::Parsed;

/// Where a trade came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The place of its tape on the command line.
    pub(crate) tape: usize,
    /// Its line, from 1.
    pub(crate) line: u64,
}

/// One request: trades of one venue.
#[derive(Debug)]
pub(crate) struct Request {
    /// Whose trades.
    pub(crate) venue: Venue,
    /// What is sent.
    pub(crate) body: Vec<u8>,
    /// Where each trade came from, in the order of the body.
    pub(crate) origins: Vec<Origin>,
}

/// Trades that follow one another in the merged tapes. It is acknowledged when all of its
/// requests are.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Its number in the run, from 0.
    pub(crate) sequence: u64,
    /// One for each venue.
    pub(crate) requests: Vec<Request>,
    /// How many bytes of the files were read when it was cut.
    pub(crate) bytes_read: u64,
}

/// Gathers trades until a chunk is cut.
#[derive(Debug, Default)]
pub(crate) struct Gatherer {
    waiting: Vec<Waiting>,
    sequence: u64,
    /// The place of each listing among the symbols of the request at hand.
    places: Vec<Option<u32>>,
}

#[derive(Debug)]
struct Waiting {
    trade: Trade,
    listing: u32,
    origin: Origin,
}

impl Gatherer {
    /// Adds the next trade.
    pub(crate) fn push(&mut self, tape: usize, parsed: Parsed) {
        self.waiting.push(Waiting {
            trade: parsed.trade,
            listing: parsed.listing,
            origin: Origin {
                tape,
                line: parsed.line,
            },
        });
    }

    /// How many trades wait.
    pub(crate) const fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes what waits; none where nothing does.
    pub(crate) fn cut(&mut self, names: &Names, bytes_read: u64) -> Option<Chunk> {
        let mut venues: Vec<u32> = Vec::new();
        for waiting in &self.waiting {
            let venue = names.listing(waiting.listing).venue;
            if venues.last() != Some(&venue) && !venues.contains(&venue) {
                venues.push(venue);
            }
        }
        if venues.is_empty() {
            return None;
        }
        let requests = venues
            .into_iter()
            .map(|venue| self.request(venue, names))
            .collect();
        self.waiting.clear();
        let sequence = self.sequence;
        self.sequence += 1;
        Some(Chunk {
            sequence,
            requests,
            bytes_read,
        })
    }

    /// The trades of one venue among those that wait.
    fn request(&mut self, number: u32, names: &Names) -> Request {
        self.places.clear();
        self.places.resize(names.len(), None);
        let mut symbols: Vec<Symbol> = Vec::new();
        for waiting in &self.waiting {
            let listing = names.listing(waiting.listing);
            let place = &mut self.places[waiting.listing as usize];
            if listing.venue == number && place.is_none() {
                *place = u32::try_from(symbols.len()).ok();
                symbols.push(listing.symbol.clone());
            }
        }
        let venue = names.venue(number).clone();
        let mut batch = TradesBatch::new(&venue, &symbols);
        let mut origins = Vec::with_capacity(self.waiting.len());
        for waiting in &self.waiting {
            if let Some(place) = self.places[waiting.listing as usize] {
                batch.push(place, &waiting.trade);
                origins.push(waiting.origin);
            }
        }
        Request {
            venue,
            body: batch.take_bytes(),
            origins,
        }
    }
}

#[cfg(test)]
mod tests;
