//! Made-up trades of a thousand symbols.

use clock::{Clock, SystemClock};
use market::{
    Decimal, IdScheme, Instrument, SECOND_NS, Side, Symbol, Trade, TradeId, Venue, VenueSettings,
};

/// How many symbols there are.
pub(super) const SYMBOLS: u64 = 1_000;
/// The venue of all of them.
pub(super) const VENUE: &str = "bench";

/// How the venue numbers its trades: 1, 2, 3 … for each symbol.
pub(super) fn venue_settings() -> VenueSettings {
    VenueSettings {
        scheme: IdScheme::Contiguous,
        ..VenueSettings::default()
    }
}

/// The venue.
pub(super) fn venue() -> anyhow::Result<Venue> {
    Ok(VENUE.parse()?)
}

/// So many of the instruments, `S0` first.
pub(super) fn instruments(count: u64) -> anyhow::Result<Vec<Instrument>> {
    let venue = venue()?;
    let instrument = |number| {
        let symbol: Symbol = format!("S{number}").parse()?;
        Ok(Instrument::new(&venue, &symbol))
    };
    (0..count).map(instrument).collect()
}

/// Trades in order of time, of symbols at random.
pub(super) struct Trades {
    instruments: Vec<Instrument>,
    ids: Vec<u64>,
    dice: u64,
    time_ns: i64,
    step_ns: i64,
}

impl Trades {
    /// So many trades over so many seconds, the last of them now.
    pub(super) fn until_now(count: u64, seconds: u64) -> anyhow::Result<Self> {
        let span_ns = i64::try_from(seconds)? * SECOND_NS;
        let step_ns = span_ns / i64::try_from(count)?.max(1);
        Self::new(SystemClock.now_ns() - span_ns, step_ns)
    }

    /// Trades from now on, so many a second.
    pub(super) fn from_now(rate: u64) -> anyhow::Result<Self> {
        Self::new(SystemClock.now_ns(), SECOND_NS / i64::try_from(rate)?)
    }

    fn new(time_ns: i64, step_ns: i64) -> anyhow::Result<Self> {
        let instruments = instruments(SYMBOLS)?;
        Ok(Self {
            ids: vec![0; instruments.len()],
            instruments,
            dice: 11,
            time_ns,
            step_ns,
        })
    }

    /// The next so many.
    pub(super) fn take(&mut self, count: usize) -> anyhow::Result<Vec<(Instrument, Trade)>> {
        (0..count).map(|_| self.one()).collect()
    }

    fn one(&mut self) -> anyhow::Result<(Instrument, Trade)> {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let dice = self.dice >> 33;
        let place = usize::try_from(dice % SYMBOLS)?;
        self.ids[place] += 1;
        self.time_ns += self.step_ns;
        let cents = i64::try_from(10_000 + dice / 11 % 5_000)?;
        let quantity = i64::try_from(1 + dice / 7 % 900)?;
        let side = match dice / 13 % 2 {
            0 => Side::Buy,
            _ => Side::Sell,
        };
        let trade = Trade {
            time_ns: self.time_ns,
            price: Decimal::new(cents, 2)?,
            quantity: Some(Decimal::new(quantity, 0)?),
            side: Some(side),
            id: Some(TradeId::Number(self.ids[place])),
            scope: None,
            sender: None,
        };
        Ok((self.instruments[place].clone(), trade))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn ids_of_a_symbol_are_contiguous_times_rise_and_nothing_is_refused() {
        let mut trades = Trades::until_now(20_000, 60).unwrap();
        let (settings, now_ns) = (venue_settings(), SystemClock.now_ns());
        let (mut ids, mut time_ns) = (HashMap::new(), 0);
        for (instrument, trade) in trades.take(20_000).unwrap() {
            let last: &mut u64 = ids.entry(instrument).or_default();
            *last += 1;
            assert_eq!(trade.id, Some(TradeId::Number(*last)));
            assert!(trade.time_ns > time_ns && trade.time_ns <= now_ns);
            time_ns = trade.time_ns;
            market::validate_trade(&trade, now_ns).unwrap();
            settings.validate_trade(&trade).unwrap();
        }
        assert_eq!(ids.len(), 1_000, "every symbol has some");
    }
}
