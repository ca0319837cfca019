//! What a trade is known by.

use std::sync::Arc;

use market::{DAY_NS, HOUR_NS, IdScheme, IdScope, Trade, TradeId, VenueSettings};

/// What an id is unique within.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SetKey {
    /// The end of the event-time hour or day that the ids belong to; `i64::MAX` where they
    /// belong to none.
    pub(super) until_ns: i64,
    /// The exchange or the file.
    scope: Option<Arc<str>>,
    /// The sender, of its own indexes.
    sender: Option<[u8; 16]>,
}

/// An id: numbers apart, because those are kept as ranges.
#[derive(Debug, Clone, Copy)]
pub(super) enum Id<'a> {
    /// A number of the venue, or an index of the sender.
    Number(u64),
    /// Longer digits or a text.
    Other(&'a TradeId),
}

/// What a trade is known by.
#[derive(Debug)]
pub(super) struct Identity<'a> {
    pub(super) set: SetKey,
    pub(super) id: Id<'a>,
}

impl<'a> Identity<'a> {
    /// The identity of a trade; none where it is known by its place in the log alone.
    pub(super) fn of(trade: &'a Trade, settings: &VenueSettings) -> Option<Self> {
        let hour_end_ns = end_of(trade.time_ns, HOUR_NS);
        let Some(id) = &trade.id else {
            let sender = trade.sender?;
            let set = SetKey {
                until_ns: hour_end_ns,
                scope: None,
                sender: Some(sender.key),
            };
            let id = Id::Number(sender.index);
            return Some(Self { set, id });
        };
        let until_ns = match (settings.scheme, settings.scope) {
            (IdScheme::Contiguous, IdScope::Day) => end_of(trade.time_ns, DAY_NS),
            (IdScheme::Contiguous, _) => i64::MAX,
            (IdScheme::Unique, _) => hour_end_ns,
            (IdScheme::None, _) => return None,
        };
        let is_scoped = matches!(settings.scope, IdScope::Exchange | IdScope::File);
        let set = SetKey {
            until_ns,
            scope: trade.scope.clone().filter(|_| is_scoped),
            sender: None,
        };
        let id = id.number().map_or(Id::Other(id), Id::Number);
        Some(Self { set, id })
    }
}

impl Id<'_> {
    pub(super) fn owned(self) -> TradeId {
        match self {
            Self::Number(number) => TradeId::Number(number),
            Self::Other(id) => id.clone(),
        }
    }
}

/// The end of the hour or day that holds a time.
const fn end_of(time_ns: i64, length_ns: i64) -> i64 {
    (time_ns - time_ns.rem_euclid(length_ns)).saturating_add(length_ns)
}
