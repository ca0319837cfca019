//! Looking ticks up by what identifies their trades.

use std::collections::HashSet;

use market::{SenderTradeId, Trade, TradeId};

/// Ids of trades, and identities that senders gave to trades without ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TickLookup {
    ids: HashSet<TradeId>,
    senders: HashSet<SenderTradeId>,
}

impl TickLookup {
    /// Adds the id of a trade, or the identity that its sender gave it. Adds nothing if it has
    /// neither.
    pub fn insert(&mut self, trade: &Trade) {
        if let Some(id) = &trade.id {
            self.ids.insert(id.clone());
        } else if let Some(sender) = trade.sender {
            self.senders.insert(sender);
        }
    }

    /// Returns whether a trade has one of the ids, or, if it has no id, one of the senders'
    /// identities.
    #[must_use]
    pub fn matches(&self, trade: &Trade) -> bool {
        match (&trade.id, &trade.sender) {
            (Some(id), _) => self.ids.contains(id),
            (None, Some(sender)) => self.senders.contains(sender),
            (None, None) => false,
        }
    }

    /// Returns whether it holds nothing, so that no trade matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.senders.is_empty()
    }

    /// Returns the ids, in no order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &TradeId> {
        self.ids.iter()
    }

    /// Returns the identities that senders gave, in no order.
    pub(crate) fn senders(&self) -> impl Iterator<Item = &SenderTradeId> {
        self.senders.iter()
    }
}
