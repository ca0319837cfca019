//! Generated trades: a seeded random walk.
//!
//! Ids are 1, 2, 3 … within a run of the feed, and the run is their scope. So the venue is
//! contiguous: a missing id is a lost trade, and the ids of two runs over one data folder never
//! collide. Ids derived from the time would be unique, but a lost trade would not be noticed; and
//! ids that continue from a base such as the start time would leave a gap between two runs in
//! which no trade was lost.

mod profile;
mod random;

use std::collections::HashSet;
use std::sync::Arc;

use market::{
    IdScheme, IdScope, Instrument, SECOND_NS, Side, Symbol, Trade, TradeId, Venue, VenueSettings,
    format_time,
};

use self::profile::SymbolProfile;
use self::random::FeedRandom;

/// The name of the venue.
const VENUE: &str = "synthetic";
/// The greatest number of trades a second for each symbol.
const MAX_RATE: u32 = 100_000;
/// How far the feed may fall behind and still generate the trades of that time.
const MAX_BEHIND_NS: i64 = SECOND_NS;

/// Why a feed cannot be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedSettingsError {
    /// There is no symbol.
    #[error("the synthetic feed needs at least one symbol")]
    NoSymbol,
    /// A symbol is there twice.
    #[error("the synthetic feed has the symbol {0} twice")]
    Repeated(Symbol),
    /// The rate is out of bounds.
    #[error("the rate of the synthetic feed is {0} trades a second; 1 to {MAX_RATE} are expected")]
    Rate(u32),
}

/// The trades of a batch, as [`ingest::IngestProducer::append`] accepts them.
pub(crate) type FeedTrades = Vec<(Instrument, Trade)>;

/// A feed of generated trades. The same seed, start and times give the same trades.
///
/// Each symbol trades at random times, `rate_per_symbol` times a second on average, at a price
/// that walks at random around its first value. Symbols of foreign exchange, such as `EURUSD`,
/// have five decimals and no quantity; those against `USDT` have the side of the aggressor; others
/// are like shares, with two decimals, whole quantities, and no side, as on the US tape.
#[derive(Debug)]
pub struct SyntheticFeed {
    venue: Venue,
    /// The run of the feed, within which ids are unique.
    scope: Arc<str>,
    mean_gap_ns: i64,
    walks: Vec<SymbolWalk>,
    /// The time for which no trades were generated and that was not reported yet.
    skipped_ns: u64,
}

/// The random walk of one symbol.
#[derive(Debug)]
struct SymbolWalk {
    instrument: Instrument,
    profile: SymbolProfile,
    random: FeedRandom,
    /// The price in the smallest steps of the profile.
    price_steps: i64,
    next_time_ns: i64,
    last_id: u64,
}

impl SyntheticFeed {
    /// Returns a feed of these symbols, which [`SyntheticFeed::start_run`] starts.
    ///
    /// # Errors
    /// [`FeedSettingsError`] if there is no symbol, one is repeated, or the rate is not from 1 to
    /// 100,000 trades a second.
    pub fn new(
        seed: u64,
        symbols: &[Symbol],
        rate_per_symbol: u32,
    ) -> Result<Self, FeedSettingsError> {
        if symbols.is_empty() {
            return Err(FeedSettingsError::NoSymbol);
        }
        if !(1..=MAX_RATE).contains(&rate_per_symbol) {
            return Err(FeedSettingsError::Rate(rate_per_symbol));
        }
        let mut known = HashSet::new();
        if let Some(repeated) = symbols.iter().find(|symbol| !known.insert(*symbol)) {
            return Err(FeedSettingsError::Repeated(repeated.clone()));
        }
        let venue: Venue = VENUE.parse().expect("the name is one of a venue");
        Ok(Self {
            mean_gap_ns: SECOND_NS / i64::from(rate_per_symbol),
            walks: symbols
                .iter()
                .map(|symbol| SymbolWalk::new(seed, &venue, symbol))
                .collect(),
            venue,
            scope: Arc::from(""),
            skipped_ns: 0,
        })
    }

    /// Returns the venue of the trades.
    #[must_use]
    pub const fn venue(&self) -> &Venue {
        &self.venue
    }

    /// Returns how the venue numbers its trades.
    #[must_use]
    pub fn venue_settings() -> VenueSettings {
        VenueSettings {
            scheme: IdScheme::Contiguous,
            scope: IdScope::File,
            ..VenueSettings::default()
        }
    }

    /// Starts a run at a time in UTC nanoseconds, which names the run: two runs must not start in
    /// the same nanosecond.
    pub fn start_run(&mut self, now_ns: i64) {
        self.scope = format!("run-{}", format_time(now_ns)).into();
        for walk in &mut self.walks {
            walk.last_id = 0;
            walk.next_time_ns = now_ns;
        }
    }

    /// Returns when the next trade happens, in UTC nanoseconds.
    #[must_use]
    pub fn next_time_ns(&self) -> i64 {
        let times = self.walks.iter().map(|walk| walk.next_time_ns);
        times.min().expect("a feed has a symbol")
    }

    /// Generates the trades that have happened by `now_ns` since the last call, in order of time.
    ///
    /// A feed that is more than a second behind, as after the machine slept, continues from a
    /// second before now: no trade happened before that.
    pub fn generate_trades_until(&mut self, now_ns: i64) -> FeedTrades {
        let mut trades = FeedTrades::new();
        let earliest_ns = now_ns.saturating_sub(MAX_BEHIND_NS);
        let behind_ns = earliest_ns.saturating_sub(self.next_time_ns());
        if behind_ns > 0 {
            self.skipped_ns += behind_ns.unsigned_abs();
        }
        for walk in &mut self.walks {
            walk.next_time_ns = walk.next_time_ns.max(earliest_ns);
            while walk.next_time_ns <= now_ns {
                trades.push(walk.next_trade(self.mean_gap_ns, &self.scope));
            }
        }
        trades.sort_by_key(|(_, trade)| trade.time_ns);
        trades
    }

    /// Returns the whole seconds for which no trades were generated since the last call.
    pub(crate) fn take_skipped_seconds(&mut self) -> u64 {
        let seconds = self.skipped_ns / SECOND_NS.unsigned_abs();
        self.skipped_ns %= SECOND_NS.unsigned_abs();
        seconds
    }
}

impl SymbolWalk {
    fn new(seed: u64, venue: &Venue, symbol: &Symbol) -> Self {
        let profile = SymbolProfile::for_symbol(symbol);
        Self {
            instrument: Instrument::new(venue, symbol),
            random: FeedRandom::for_name(seed, symbol.as_str()),
            price_steps: profile.first_price_steps,
            profile,
            next_time_ns: 0,
            last_id: 0,
        }
    }

    /// Moves the price and returns the next trade.
    fn next_trade(&mut self, mean_gap_ns: i64, scope: &Arc<str>) -> (Instrument, Trade) {
        let time_ns = self.next_time_ns;
        self.next_time_ns = time_ns.saturating_add(self.random.draw_gap_ns(mean_gap_ns));
        self.last_id += 1;
        let max_change = self.profile.max_change_steps;
        let distance = self.profile.first_price_steps - self.price_steps;
        let pull = distance / self.profile.pull_divisor;
        let change = self.random.draw_between(-max_change, max_change);
        self.price_steps = (self.price_steps + change + pull).max(1);
        let quantity = self.profile.draw_quantity(&mut self.random);
        // The aggressor moves the price: a buyer moves it up.
        let side = if change < 0 { Side::Sell } else { Side::Buy };
        let trade = Trade {
            time_ns,
            price: self.profile.price_of_steps(self.price_steps),
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
