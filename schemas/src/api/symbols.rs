//! `GET /api/v1/symbols` and `GET /api/v1/prices/{venue}/{symbol}`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A symbol that has trades.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SymbolJson {
    /// The venue.
    pub venue: String,
    /// The symbol.
    pub symbol: String,
    /// The greatest event time among the symbol's trades when the last one was folded, in RFC 3339
    /// UTC.
    pub watermark: String,
    /// When the log stored the last trade, in RFC 3339 UTC.
    pub last_append_time: String,
    /// Windows that end at or before this time are closed; `null` while none is.
    pub closed_until: Option<String>,
}

/// The price of an instrument's newest trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceJson {
    /// When the trade happened, in RFC 3339 UTC.
    pub time: String,
    /// The price, an exact decimal.
    pub price: String,
    /// Where the server found it: `hot` for the hot store, `bars` for the newest bar.
    pub source: Cow<'static, str>,
}
