//! What the generated trades of a symbol look like.

use market::{Decimal, Symbol};

use super::random::FeedRandom;

/// What the generated trades of a symbol look like.
#[derive(Debug, Clone, Copy)]
pub(super) struct SymbolProfile {
    /// The number of decimals of a price. A step is one unit of the last decimal.
    scale: u8,
    /// The first price, in steps.
    pub(super) first_price_steps: i64,
    /// The greatest change of the price from trade to trade, in steps.
    pub(super) max_change_steps: i64,
    /// Each trade pulls the price back towards the first one, by its distance divided by this.
    pub(super) pull_divisor: i64,
    /// Whether trades have the side of the aggressor.
    pub(super) has_side: bool,
    /// The decimals of quantities, and the least and the greatest in units of the last decimal;
    /// `None` for trades without a quantity.
    quantity_range: Option<(u8, i64, i64)>,
}

const CURRENCIES: [&str; 10] = [
    "AUD", "CAD", "CHF", "CNH", "EUR", "GBP", "JPY", "NZD", "SEK", "USD",
];

impl SymbolProfile {
    /// Returns the profile of a symbol, according to its name.
    pub(super) fn for_symbol(symbol: &Symbol) -> Self {
        let name = symbol.as_str();
        if is_currency_pair(name) {
            return Self::for_currency_pair(name);
        }
        if name.ends_with("USDT") || name.ends_with("USDC") {
            return Self::for_crypto_pair(name);
        }
        let first_price_steps = match name {
            "AAPL" => 23_250,
            "SPY" => 59_840,
            "MSFT" => 42_810,
            _ => 10_000,
        };
        Self {
            scale: 2,
            first_price_steps,
            max_change_steps: (first_price_steps / 10_000).max(1),
            pull_divisor: 20_000,
            has_side: false,
            quantity_range: Some((0, 1, 500)),
        }
    }

    fn for_currency_pair(name: &str) -> Self {
        let (scale, first_price_steps) = match name {
            "EURUSD" => (5, 108_420),
            "GBPUSD" => (5, 127_150),
            _ if name.ends_with("JPY") => (3, 151_250),
            _ => (5, 100_000),
        };
        Self {
            scale,
            first_price_steps,
            max_change_steps: 3,
            pull_divisor: 20_000,
            has_side: false,
            quantity_range: None,
        }
    }

    fn for_crypto_pair(name: &str) -> Self {
        let first_price_steps = match name {
            "BTCUSDT" | "BTCUSDC" => 9_725_000,
            "ETHUSDT" | "ETHUSDC" => 338_000,
            _ => 1_000,
        };
        Self {
            scale: 2,
            first_price_steps,
            max_change_steps: (first_price_steps / 8_000).max(1),
            pull_divisor: 20_000,
            has_side: true,
            quantity_range: Some((5, 1, 150_000)),
        }
    }

    /// Converts a number of price steps to a price.
    pub(super) fn price_of_steps(&self, steps: i64) -> Decimal {
        decimal(steps, self.scale)
    }

    /// Draws a quantity. Small quantities are more frequent than great ones.
    pub(super) fn draw_quantity(&self, random: &mut FeedRandom) -> Option<Decimal> {
        let (scale, min, max) = self.quantity_range?;
        let limit = random.draw_between(min, max);
        Some(decimal(random.draw_between(min, limit), scale))
    }
}

fn decimal(mantissa: i64, scale: u8) -> Decimal {
    Decimal::new(mantissa, scale).expect("prices walk around the first one, far below 10^18")
}

fn is_currency_pair(name: &str) -> bool {
    let Some((base, quote)) = name.split_at_checked(3) else {
        return false;
    };
    base != quote && CURRENCIES.contains(&base) && CURRENCIES.contains(&quote)
}
