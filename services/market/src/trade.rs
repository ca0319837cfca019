//! Trades.

use std::sync::Arc;

use crate::{Decimal, TradeId};

/// The aggressor of a trade: the party that accepted the price the other had offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The buyer was the aggressor.
    Buy,
    /// The seller was the aggressor.
    Sell,
}

impl Side {
    /// Returns its name in JSON and CSV.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// Identifies a trade by its sender and its place in what was sent, for venues that give no ids.
///
/// It removes duplicates. It never decides the order of trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SenderTradeId {
    /// The sender key: a digest of the request's `Idempotency-Key` and body, or
    /// [`SenderTradeId::TAPE_KEY`].
    pub key: [u8; 16],
    /// The index of the trade in that request. For a trade of a tape 64 bits of a digest of its
    /// values and of the number of equal lines before it.
    pub index: u64,
}

impl SenderTradeId {
    /// The key of all trades of tapes: their indexes identify them in whatever tape they come.
    pub const TAPE_KEY: [u8; 16] = *b"tape\0\0\0\0\0\0\0\0\0\0\0\0";
}

/// One trade. The key of its record names the instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    /// When the trade happened at the venue, in UTC nanoseconds.
    pub time_ns: i64,
    /// The price.
    pub price: Decimal,
    /// The quantity. A trade without one counts as a trade but adds no volume.
    pub quantity: Option<Decimal>,
    /// The aggressor, if it is known.
    pub side: Option<Side>,
    /// The id from the venue, if the venue gives one.
    pub id: Option<TradeId>,
    /// The exchange or the file within which the id is unique, if the venue's id scope needs one.
    pub scope: Option<Arc<str>>,
    /// The identity that the sender gave the trade.
    pub sender: Option<SenderTradeId>,
}
