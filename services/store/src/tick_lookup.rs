//! Looking up the first deliveries of trades by what identifies the trades.

use std::collections::HashMap;
use std::sync::Arc;

use market::{Position, SenderTradeId, Trade, TradeId};

use crate::tick_store::Tick;

/// What identifies a trade within its instrument and a range of event times.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum LookupKey {
    /// An id, and the scope that the trade names.
    Id(TradeId, Option<Arc<str>>),
    /// What the sender gave a trade without an id.
    Sender(SenderTradeId),
}

impl LookupKey {
    /// Returns the key of a trade, or `None` if only its position identifies it.
    fn of_trade(trade: &Trade) -> Option<Self> {
        match (&trade.id, trade.sender) {
            (Some(id), _) => Some(Self::Id(id.clone(), trade.scope.clone())),
            (None, Some(sender)) => Some(Self::Sender(sender)),
            (None, None) => None,
        }
    }
}

/// The trades whose first deliveries are looked up, each with the least position that its delivery
/// may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TickLookup {
    from_positions: HashMap<LookupKey, Position>,
}

impl TickLookup {
    /// Adds a trade, by its id and scope or by the identity that its sender gave it. Deliveries
    /// before `from` are passed over; if the trade was added before, the last `from` holds. Adds
    /// nothing if the trade has neither.
    pub fn insert(&mut self, trade: &Trade, from: Position) {
        if let Some(key) = LookupKey::of_trade(trade) {
            self.from_positions.insert(key, from);
        }
    }

    /// Returns whether it has the trade, from whatever position on.
    pub(crate) fn contains(&self, trade: &Trade) -> bool {
        let key = LookupKey::of_trade(trade);
        key.is_some_and(|key| self.from_positions.contains_key(&key))
    }

    /// Returns the trades and their least positions, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&LookupKey, Position)> {
        self.from_positions.iter().map(|(key, from)| (key, *from))
    }

    /// Returns which of the trades a tick delivers; `None` if it delivers none, or is an edit or a
    /// cancel.
    fn find_delivered(&self, tick: &Tick) -> Option<LookupKey> {
        let key = LookupKey::of_trade(&tick.trade).filter(|_| tick.amendment.is_none())?;
        let from = self.from_positions.get(&key)?;
        (tick.position >= *from).then_some(key)
    }
}

/// The delivery with the least position of each trade of a lookup, among the ticks given so far: no
/// more ticks than the lookup has trades.
#[derive(Debug)]
pub(crate) struct FirstMatchingTicks<'a> {
    lookup: &'a TickLookup,
    firsts: HashMap<LookupKey, (u32, Tick)>,
}

impl<'a> FirstMatchingTicks<'a> {
    pub(crate) fn new(lookup: &'a TickLookup) -> Self {
        Self {
            lookup,
            firsts: HashMap::new(),
        }
    }

    /// Keeps a tick of a partition if it is the first delivery so far of a trade that is looked up.
    pub(crate) fn keep_if_first(&mut self, partition: u32, tick: Tick) {
        let Some(key) = self.lookup.find_delivered(&tick) else {
            return;
        };
        let place = (tick.position, partition);
        let is_first = self
            .firsts
            .get(&key)
            .is_none_or(|(partition, first)| place < (first.position, *partition));
        if is_first {
            self.firsts.insert(key, (partition, tick));
        }
    }

    /// Returns the ticks that were kept, in order of their positions.
    pub(crate) fn into_ticks(self) -> Vec<Tick> {
        let mut kept: Vec<_> = self.firsts.into_values().collect();
        kept.sort_by_key(|(partition, tick)| (tick.position, *partition));
        kept.into_iter().map(|(_, tick)| tick).collect()
    }
}
