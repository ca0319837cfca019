//! `GET /api/v1/duplicates/{venue}/{symbol}`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::trades::TradeJson;

/// A later delivery of a trade, with the first one. Both are as they were delivered: without the
/// edits of the trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateJson {
    /// `same`, `conflict` if time, price, quantity or side differ, or `not_comparable` if the first
    /// delivery is no longer stored.
    pub outcome: Cow<'static, str>,
    /// What differs, of `time`, `price`, `quantity` and `side`.
    pub differing_fields: Vec<Cow<'static, str>>,
    /// The first delivery, which counts; `null` if it is no longer stored.
    pub first: Option<TradeJson>,
    /// The later delivery, which does not count.
    pub later: TradeJson,
}

/// One page of duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicatePageJson {
    /// The duplicates, in order of the event times of the later deliveries, then of their
    /// positions.
    pub data: Vec<DuplicateJson>,
    /// The value of the parameter `cursor` that requests the next page; `null` at the list's end.
    pub next_cursor: Option<String>,
    /// The position, `epoch-partition-offset`, before which every record of the symbol's partition
    /// is folded and archived; later ones are not listed yet.
    pub complete_to: String,
}
