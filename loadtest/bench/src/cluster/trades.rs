//! Generated trades of a thousand symbols.

use clock::{Clock, SystemClock};
use market::{
    Decimal, IdScheme, Instrument, SECOND_NS, Side, Symbol, Trade, TradeId, Venue, VenueSettings,
};

/// The number of symbols.
pub(super) const SYMBOLS: u64 = 1_000;
/// The name of their venue.
pub(super) const VENUE: &str = "bench";

/// Returns the settings of the venue, whose trades are numbered 1, 2, 3 and so on for each symbol.
pub(super) fn venue_settings() -> VenueSettings {
    VenueSettings {
        scheme: IdScheme::Contiguous,
        ..VenueSettings::default()
    }
}

/// Returns the venue.
pub(super) fn bench_venue() -> anyhow::Result<Venue> {
    Ok(VENUE.parse()?)
}

/// Returns the first `count` instruments, from `S0`.
pub(super) fn instruments(count: u64) -> anyhow::Result<Vec<Instrument>> {
    let venue = bench_venue()?;
    let instrument = |number| {
        let symbol: Symbol = format!("S{number}").parse()?;
        Ok(Instrument::new(&venue, &symbol))
    };
    (0..count).map(instrument).collect()
}

/// Generates trades of random symbols in order of time.
pub(super) struct TradeGenerator {
    instruments: Vec<Instrument>,
    ids: Vec<u64>,
    random: fastrand::Rng,
    time_ns: i64,
    step_ns: i64,
}

impl TradeGenerator {
    /// Returns a generator whose `count` trades spread over `seconds` and end now.
    pub(super) fn ending_now(count: u64, seconds: u64) -> anyhow::Result<Self> {
        let span_ns = i64::try_from(seconds)? * SECOND_NS;
        let step_ns = span_ns / i64::try_from(count)?.max(1);
        Self::new(SystemClock.now_ns() - span_ns, step_ns)
    }

    /// Returns a generator whose first trade is now and that has `rate` trades a second.
    pub(super) fn starting_now(rate: u64) -> anyhow::Result<Self> {
        Self::new(SystemClock.now_ns(), SECOND_NS / i64::try_from(rate)?)
    }

    fn new(time_ns: i64, step_ns: i64) -> anyhow::Result<Self> {
        let instruments = instruments(SYMBOLS)?;
        Ok(Self {
            ids: vec![0; instruments.len()],
            instruments,
            random: fastrand::Rng::with_seed(11),
            time_ns,
            step_ns,
        })
    }

    /// Returns the next `count` trades.
    pub(super) fn next_trades(&mut self, count: usize) -> anyhow::Result<Vec<(Instrument, Trade)>> {
        (0..count).map(|_| self.next_trade()).collect()
    }

    fn next_trade(&mut self) -> anyhow::Result<(Instrument, Trade)> {
        let random = &mut self.random;
        let symbol = random.usize(..self.instruments.len());
        self.ids[symbol] += 1;
        self.time_ns += self.step_ns;
        let side = match random.bool() {
            true => Side::Buy,
            false => Side::Sell,
        };
        let trade = Trade {
            time_ns: self.time_ns,
            price: Decimal::new(random.i64(10_000..15_000), 2)?,
            quantity: Some(Decimal::new(random.i64(1..=900), 0)?),
            side: Some(side),
            id: Some(TradeId::Number(self.ids[symbol])),
            scope: None,
            sender: None,
        };
        Ok((self.instruments[symbol].clone(), trade))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn ids_of_a_symbol_are_contiguous_times_rise_and_nothing_is_refused() {
        let mut trades = TradeGenerator::ending_now(20_000, 60).unwrap();
        let (settings, now_ns) = (venue_settings(), SystemClock.now_ns());
        let (mut ids, mut time_ns) = (HashMap::new(), 0);
        for (instrument, trade) in trades.next_trades(20_000).unwrap() {
            let last: &mut u64 = ids.entry(instrument).or_default();
            *last += 1;
            assert_eq!(trade.id, Some(TradeId::Number(*last)));
            assert!(trade.time_ns > time_ns && trade.time_ns <= now_ns);
            time_ns = trade.time_ns;
            market::validate_trade_of_any_venue(&trade, now_ns).unwrap();
            settings.validate_trade(&trade).unwrap();
        }
        assert_eq!(ids.len(), 1_000, "every symbol has some");
    }
}
