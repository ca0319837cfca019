//! What a trade is known by.

use std::sync::Arc;

use crate::{DAY_NS, HOUR_NS, IdScheme, IdScope, Trade, TradeId, VenueSettings};

/// What a trade is known by: an id, and what the id is unique within beside the instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The exchange or the file.
    pub scope: Option<&'a Arc<str>>,
    /// The sender, of its own indexes.
    pub sender: Option<[u8; 16]>,
    /// The event-time hour or day `[start, end)` that the id belongs to, in UTC nanoseconds;
    /// none where it belongs to none.
    pub bucket_ns: Option<(i64, i64)>,
    /// The id there.
    pub id: IdRef<'a>,
    /// Whether the ids there are kept as ranges of numbers.
    pub ranged: bool,
}

/// An id within its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdRef<'a> {
    /// A number of the venue, or an index of the sender.
    Number(u64),
    /// Longer digits or a text.
    Other(&'a TradeId),
}

impl VenueSettings {
    /// What a trade of this venue is known by; none where that is its place in the log alone.
    ///
    /// Contiguous numbers belong to the day where that is their scope, and to no time
    /// otherwise. All other ids belong to the hour in which they are kept.
    #[must_use]
    pub fn identity<'a>(&self, trade: &'a Trade) -> Option<Identity<'a>> {
        let hour_ns = Some(bucket(trade.time_ns, HOUR_NS));
        let Some(id) = &trade.id else {
            let sender = trade.sender?;
            return Some(Identity {
                scope: None,
                sender: Some(sender.key),
                bucket_ns: hour_ns,
                id: IdRef::Number(sender.index),
                ranged: true,
            });
        };
        let bucket_ns = match (self.scheme, self.scope) {
            (IdScheme::Contiguous, IdScope::Day) => Some(bucket(trade.time_ns, DAY_NS)),
            (IdScheme::Contiguous, _) => None,
            (IdScheme::Unique, _) => hour_ns,
            (IdScheme::None, _) => return None,
        };
        let scoped = matches!(self.scope, IdScope::Exchange | IdScope::File);
        Some(Identity {
            scope: trade.scope.as_ref().filter(|_| scoped),
            sender: None,
            bucket_ns,
            id: id.number().map_or(IdRef::Other(id), IdRef::Number),
            ranged: self.scheme == IdScheme::Contiguous,
        })
    }
}

impl IdRef<'_> {
    /// The id by itself.
    #[must_use]
    pub fn owned(self) -> TradeId {
        match self {
            Self::Number(number) => TradeId::Number(number),
            Self::Other(id) => id.clone(),
        }
    }
}

/// The hour or day that holds a time.
const fn bucket(time_ns: i64, length_ns: i64) -> (i64, i64) {
    let start_ns = time_ns - time_ns.rem_euclid(length_ns);
    (start_ns, start_ns.saturating_add(length_ns))
}
