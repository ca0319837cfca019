//! Trades.

use std::sync::Arc;

use crate::{Decimal, TradeId};

/// Who was the aggressor: the party that took what the other had offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The buyer took.
    Buy,
    /// The seller took.
    Sell,
}

impl Side {
    /// Its name in JSON and CSV.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// What the sender knows a trade by where the venue gives no ids. It removes duplicates and
/// never orders trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sender {
    /// A digest of the request's Idempotency-Key or of the tape.
    pub key: [u8; 16],
    /// The trade's place in that request, or its line in that tape.
    pub index: u64,
}

/// One trade of an instrument, which is named by the key of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    /// When it happened at the venue, in UTC nanoseconds.
    pub time_ns: i64,
    /// At what price.
    pub price: Decimal,
    /// How much; a tick without it counts without volume.
    pub quantity: Option<Decimal>,
    /// Who was the aggressor, where it is known.
    pub side: Option<Side>,
    /// The venue's id, where it gives one.
    pub id: Option<TradeId>,
    /// The exchange or the file within which the id is unique, where the venue's scope asks
    /// for one.
    pub scope: Option<Arc<str>>,
    /// What the sender knows it by.
    pub sender: Option<Sender>,
}
