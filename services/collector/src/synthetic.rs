//! Trades that are made up: a seeded random walk.
//!
//! Ids are 1, 2, 3 … within a run of the feed, and the run is their scope. So the venue is
//! truly contiguous: an id that is missing is a trade that was lost, and the ids of two runs
//! over one data folder never meet. Ids made of the time would be unique, but could not be
//! missed; and going on from a base such as the start time would leave a gap between two runs
//! that nobody has lost.

mod profile;
mod random;

use std::collections::HashSet;
use std::sync::Arc;

use market::{
    IdScheme, IdScope, Instrument, SECOND_NS, Side, Symbol, Trade, TradeId, Venue, VenueSettings,
    format_time,
};

use self::profile::Profile;
use self::random::Random;
use crate::run::Trades;

/// The name of the venue.
const VENUE: &str = "synthetic";
/// The most trades a second for each symbol.
const FASTEST: u32 = 100_000;
/// How far behind the feed may fall and still make the trades of that time.
const BEHIND_LIMIT_NS: i64 = SECOND_NS;

/// Why there can be no such feed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// No symbol was asked for.
    #[error("the synthetic feed needs at least one symbol")]
    NoSymbol,
    /// A symbol was asked for twice.
    #[error("the synthetic feed has the symbol {0} twice")]
    Repeated(Symbol),
    /// The rate is out of its bounds.
    #[error("the rate of the synthetic feed is {0} trades a second; 1 to {FASTEST} are expected")]
    Rate(u32),
}

/// A feed of made-up trades. The same seed, start and times give the same trades.
///
/// Each symbol trades at random moments, `rate` times a second on average, at a price that
/// walks at random around where it began. Symbols of foreign exchange, such as `EURUSD`, have
/// five decimals and no quantity; those against `USDT` know the aggressor; others are like
/// shares, with two decimals and whole quantities, and the aggressor unknown as on the US tape.
#[derive(Debug)]
pub struct SyntheticFeed {
    venue: Venue,
    /// The run that ids are unique within.
    scope: Arc<str>,
    mean_gap_ns: i64,
    symbols: Vec<Walk>,
    skipped_ns: u64,
}

/// One symbol.
#[derive(Debug)]
struct Walk {
    instrument: Instrument,
    profile: Profile,
    random: Random,
    /// The price in the profile's smallest steps.
    price: i64,
    next_time_ns: i64,
    last_id: u64,
}

impl SyntheticFeed {
    /// A feed of these symbols; it begins with [`SyntheticFeed::start`].
    ///
    /// # Errors
    /// [`FeedError`] where there is no symbol, one is repeated, or the rate is not within 1 to
    /// 100,000 trades a second.
    pub fn new(seed: u64, symbols: &[Symbol], rate_per_symbol: u32) -> Result<Self, FeedError> {
        if symbols.is_empty() {
            return Err(FeedError::NoSymbol);
        }
        if !(1..=FASTEST).contains(&rate_per_symbol) {
            return Err(FeedError::Rate(rate_per_symbol));
        }
        let mut known = HashSet::new();
        if let Some(repeated) = symbols.iter().find(|symbol| !known.insert(*symbol)) {
            return Err(FeedError::Repeated(repeated.clone()));
        }
        let venue: Venue = VENUE.parse().expect("the name is one of a venue");
        Ok(Self {
            mean_gap_ns: SECOND_NS / i64::from(rate_per_symbol),
            symbols: symbols
                .iter()
                .map(|symbol| Walk::new(seed, &venue, symbol))
                .collect(),
            venue,
            scope: Arc::from(""),
            skipped_ns: 0,
        })
    }

    /// The venue of the trades.
    #[must_use]
    pub const fn venue(&self) -> &Venue {
        &self.venue
    }

    /// How the venue numbers its trades.
    #[must_use]
    pub fn settings() -> VenueSettings {
        VenueSettings {
            scheme: IdScheme::Contiguous,
            scope: IdScope::File,
            ..VenueSettings::default()
        }
    }

    /// Begins a run, which `now_ns` names: two runs must not begin in the same nanosecond.
    pub fn start(&mut self, now_ns: i64) {
        self.scope = format!("run-{}", format_time(now_ns)).into();
        for walk in &mut self.symbols {
            walk.last_id = 0;
            walk.next_time_ns = now_ns;
        }
    }

    /// When the next trade happens.
    #[must_use]
    pub fn next_time_ns(&self) -> i64 {
        let times = self.symbols.iter().map(|walk| walk.next_time_ns);
        times.min().expect("a feed has a symbol")
    }

    /// The trades that happened until `now_ns` and were not given before, as they happened.
    ///
    /// A feed that is more than a second behind, as after the machine slept, goes on from now:
    /// no trade happened meanwhile.
    pub fn trades_until(&mut self, now_ns: i64) -> Trades {
        let mut trades = Trades::new();
        let earliest_ns = now_ns.saturating_sub(BEHIND_LIMIT_NS);
        let behind_ns = earliest_ns.saturating_sub(self.next_time_ns());
        if behind_ns > 0 {
            self.skipped_ns += behind_ns.unsigned_abs();
        }
        for walk in &mut self.symbols {
            walk.next_time_ns = walk.next_time_ns.max(earliest_ns);
            while walk.next_time_ns <= now_ns {
                trades.push(walk.step(self.mean_gap_ns, &self.scope));
            }
        }
        trades.sort_by_key(|(_, trade)| trade.time_ns);
        trades
    }

    /// For how many whole seconds no trades were made since the last call.
    pub(crate) fn take_skipped_seconds(&mut self) -> u64 {
        let seconds = self.skipped_ns / SECOND_NS.unsigned_abs();
        self.skipped_ns %= SECOND_NS.unsigned_abs();
        seconds
    }
}

impl Walk {
    fn new(seed: u64, venue: &Venue, symbol: &Symbol) -> Self {
        let profile = Profile::of(symbol);
        Self {
            instrument: Instrument::new(venue, symbol),
            random: Random::of(seed, symbol.as_str()),
            price: profile.begin,
            profile,
            next_time_ns: 0,
            last_id: 0,
        }
    }

    /// The next trade.
    fn step(&mut self, mean_gap_ns: i64, scope: &Arc<str>) -> (Instrument, Trade) {
        let time_ns = self.next_time_ns;
        self.next_time_ns = time_ns.saturating_add(self.random.gap(mean_gap_ns));
        self.last_id += 1;
        let most = self.profile.step;
        let pull = (self.profile.begin - self.price) / self.profile.pull;
        let change = self.random.between(-most, most);
        self.price = (self.price + change + pull).max(1);
        let quantity = self.profile.quantity(&mut self.random);
        // Who takes moves the price: up where it is the buyer.
        let side = if change < 0 { Side::Sell } else { Side::Buy };
        let trade = Trade {
            time_ns,
            price: self.profile.price(self.price),
            quantity,
            side: self.profile.has_side.then_some(side),
            id: Some(TradeId::Number(self.last_id)),
            scope: Some(Arc::clone(scope)),
            sender: None,
        };
        (self.instrument.clone(), trade)
    }
}

#[cfg(test)]
mod tests;
