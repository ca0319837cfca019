//! What identifies a trade, so that repeated deliveries are recognised.

use std::sync::Arc;

use crate::{DAY_NS, HOUR_NS, IdScheme, IdScope, SenderTradeId, Trade, TradeId, VenueSettings};

/// What identifies a trade within its instrument: an id, and the set that the id is unique in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeIdentity<'a> {
    /// The exchange or the file that the id is unique in.
    pub scope: Option<&'a Arc<str>>,
    /// The key of the sender, if the id is an index that the sender assigned.
    pub sender_key: Option<[u8; 16]>,
    /// The event-time hour or day `[start, end)` that the id belongs to, in UTC nanoseconds; `None`
    /// if it belongs to neither.
    pub bucket_ns: Option<(i64, i64)>,
    /// The id within that set.
    pub id: TradeIdRef<'a>,
    /// Whether the ids of that set are stored as ranges of numbers.
    pub stored_as_ranges: bool,
}

/// A borrowed id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TradeIdRef<'a> {
    /// A number that the venue assigned, or an index that the sender assigned.
    Number(u64),
    /// Longer digits or a text.
    Other(&'a TradeId),
}

impl VenueSettings {
    /// Returns what identifies a trade of this venue, or `None` if only its position in the log
    /// does.
    ///
    /// Contiguous numbers belong to the event-time day if the id scope is the day, and to no time
    /// otherwise. All other ids belong to the event-time hour.
    #[must_use]
    pub fn trade_identity<'a>(&self, trade: &'a Trade) -> Option<TradeIdentity<'a>> {
        let hour_ns = Some(bucket_containing(trade.time_ns, HOUR_NS));
        let Some(id) = &trade.id else {
            let sender = trade.sender?;
            return Some(TradeIdentity {
                scope: None,
                sender_key: Some(sender.key),
                bucket_ns: hour_ns,
                id: TradeIdRef::Number(sender.index),
                // The indexes of tapes are digests, no two of which touch.
                stored_as_ranges: sender.key != SenderTradeId::TAPE_KEY,
            });
        };
        let bucket_ns = match (self.scheme, self.scope) {
            (IdScheme::Contiguous, IdScope::Day) => Some(bucket_containing(trade.time_ns, DAY_NS)),
            (IdScheme::Contiguous, _) => None,
            (IdScheme::Unique, _) => hour_ns,
            (IdScheme::None, _) => return None,
        };
        Some(TradeIdentity {
            scope: trade
                .scope
                .as_ref()
                .filter(|_| self.scope.needs_scope_name()),
            sender_key: None,
            bucket_ns,
            id: TradeIdRef::from(id),
            stored_as_ranges: self.scheme == IdScheme::Contiguous,
        })
    }
}

impl<'a> From<&'a TradeId> for TradeIdRef<'a> {
    fn from(id: &'a TradeId) -> Self {
        id.as_number().map_or(Self::Other(id), Self::Number)
    }
}

impl TradeIdRef<'_> {
    /// Returns an owned copy of the id.
    #[must_use]
    pub fn to_trade_id(self) -> TradeId {
        match self {
            Self::Number(number) => TradeId::Number(number),
            Self::Other(id) => id.clone(),
        }
    }
}

/// Returns the hour or day `[start, end)` that contains a time.
const fn bucket_containing(time_ns: i64, length_ns: i64) -> (i64, i64) {
    let start_ns = time_ns - time_ns.rem_euclid(length_ns);
    (start_ns, start_ns.saturating_add(length_ns))
}

#[cfg(test)]
mod tests {
    use crate::{HOUR_NS, SenderTradeId, Trade, VenueSettings};

    #[test]
    fn indexes_of_requests_are_ranges_and_those_of_tapes_are_not() {
        for (key, stored_as_ranges) in [([7; 16], true), (SenderTradeId::TAPE_KEY, false)] {
            let trade = Trade {
                time_ns: HOUR_NS + 1,
                price: crate::Decimal::ZERO,
                quantity: None,
                side: None,
                id: None,
                scope: None,
                sender: Some(SenderTradeId { key, index: 5 }),
            };
            let settings = VenueSettings::default();
            let identity = settings.trade_identity(&trade).unwrap();
            assert_eq!(identity.stored_as_ranges, stored_as_ranges);
            assert_eq!(identity.sender_key, Some(key));
            assert_eq!(identity.bucket_ns, Some((HOUR_NS, 2 * HOUR_NS)));
        }
    }
}
