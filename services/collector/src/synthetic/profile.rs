//! What trades of a symbol look like.

use market::{Decimal, Symbol};

use super::random::Random;

/// What trades of a symbol look like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile {
    /// How many digits a price has after the point.
    scale: u8,
    /// The price it begins at, in its smallest steps.
    pub(super) begin: i64,
    /// How many smallest steps the price moves at most from trade to trade.
    pub(super) step: i64,
    /// The price is drawn back by this part of how far it is from where it began.
    pub(super) pull: i64,
    /// Whether the aggressor is known.
    pub(super) has_side: bool,
    /// The scale of quantities, the least and the greatest; none for ticks without one.
    quantity: Option<(u8, i64, i64)>,
}

const CURRENCIES: [&str; 10] = [
    "AUD", "CAD", "CHF", "CNH", "EUR", "GBP", "JPY", "NZD", "SEK", "USD",
];

impl Profile {
    pub(super) fn of(symbol: &Symbol) -> Self {
        let name = symbol.as_str();
        if is_currency_pair(name) {
            return Self::currency_pair(name);
        }
        if name.ends_with("USDT") || name.ends_with("USDC") {
            return Self::coin(name);
        }
        let begin = match name {
            "AAPL" => 23_250,
            "SPY" => 59_840,
            "MSFT" => 42_810,
            _ => 10_000,
        };
        Self {
            scale: 2,
            begin,
            step: (begin / 10_000).max(1),
            pull: 20_000,
            has_side: false,
            quantity: Some((0, 1, 500)),
        }
    }

    fn currency_pair(name: &str) -> Self {
        let (scale, begin) = match name {
            "EURUSD" => (5, 108_420),
            "GBPUSD" => (5, 127_150),
            _ if name.ends_with("JPY") => (3, 151_250),
            _ => (5, 100_000),
        };
        Self {
            scale,
            begin,
            step: 3,
            pull: 20_000,
            has_side: false,
            quantity: None,
        }
    }

    fn coin(name: &str) -> Self {
        let begin = match name {
            "BTCUSDT" | "BTCUSDC" => 9_725_000,
            "ETHUSDT" | "ETHUSDC" => 338_000,
            _ => 1_000,
        };
        Self {
            scale: 2,
            begin,
            step: (begin / 8_000).max(1),
            pull: 20_000,
            has_side: true,
            quantity: Some((5, 1, 150_000)),
        }
    }

    pub(super) fn price(&self, steps: i64) -> Decimal {
        decimal(steps, self.scale)
    }

    /// Small ones are more frequent than great ones.
    pub(super) fn quantity(&self, random: &mut Random) -> Option<Decimal> {
        let (scale, least, most) = self.quantity?;
        let most = random.between(least, most);
        Some(decimal(random.between(least, most), scale))
    }
}

fn decimal(mantissa: i64, scale: u8) -> Decimal {
    Decimal::new(mantissa, scale).expect("prices walk around where they began, far below 10^18")
}

fn is_currency_pair(name: &str) -> bool {
    let Some((base, quote)) = name.split_at_checked(3) else {
        return false;
    };
    base != quote && CURRENCIES.contains(&base) && CURRENCIES.contains(&quote)
}
