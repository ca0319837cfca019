//! Bars: the summary of a set of trades, and the row that is stored.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::{Decimal, ExactSum, Position, Side, TieOrder, Trade, TradeId, Window};

/// The first or the last trade of a bar, which gives its open or its close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeTrade {
    /// The event time, in UTC nanoseconds.
    pub time_ns: i64,
    /// The id from the venue, if the venue gives one.
    pub id: Option<TradeId>,
    /// The exchange or the file within which the id is unique, if the trade names one.
    pub scope: Option<Arc<str>>,
    /// The position of its record in the log.
    pub position: Position,
    /// Its price.
    pub price: Decimal,
}

impl EdgeTrade {
    /// Returns the fields of a trade that open and close need.
    #[must_use]
    pub fn from_trade(trade: &Trade, position: Position) -> Self {
        Self {
            time_ns: trade.time_ns,
            id: trade.id.clone(),
            scope: trade.scope.clone(),
            position,
            price: trade.price,
        }
    }

    /// Compares two trades in the order that decides open and close: by event time, then as `ties`
    /// says.
    #[must_use]
    pub fn cmp_trade_order(&self, other: &Self, ties: TieOrder) -> Ordering {
        self.time_ns.cmp(&other.time_ns).then_with(|| {
            let keys = [self, other].map(|edge| TieKey {
                id: edge.id.as_ref(),
                scope: edge.scope.as_deref(),
                position: edge.position,
            });
            keys[0].cmp(&keys[1], ties)
        })
    }
}

/// The values by which trades of equal event time are ordered.
#[derive(Debug, Clone, Copy)]
pub struct TieKey<'a, P> {
    /// The id from the venue, if the venue gives one.
    pub id: Option<&'a TradeId>,
    /// The exchange or the file within which the id is unique, if the trade names one.
    pub scope: Option<&'a str>,
    /// The position of its record in the log; the offset alone within one epoch.
    pub position: P,
}

impl<P: Ord> TieKey<'_, P> {
    /// Compares two trades of equal event time. In the order of ids those without one come last.
    #[inline]
    #[must_use]
    pub fn cmp(&self, other: &Self, ties: TieOrder) -> Ordering {
        let by_position = || self.position.cmp(&other.position);
        match ties {
            TieOrder::Log => by_position(),
            TieOrder::Id => (self.id.is_none(), self.id)
                .cmp(&(other.id.is_none(), other.id))
                .then_with(|| self.scope.cmp(&other.scope))
                .then_with(by_position),
        }
    }
}

/// The summary of a set of trades. It depends only on the set, not on the order in which the trades
/// were added: [`Bar::merge`] is associative and commutative, with one order of ties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// The first trade by [`EdgeTrade::cmp_trade_order`].
    pub open: EdgeTrade,
    /// The last trade by [`EdgeTrade::cmp_trade_order`].
    pub close: EdgeTrade,
    /// The greatest price.
    pub high: Decimal,
    /// The least price.
    pub low: Decimal,
    /// The sum of quantities.
    pub volume: ExactSum,
    /// The part of the volume where the buyer was the aggressor.
    pub buy_volume: ExactSum,
    /// The part of the volume where the seller was the aggressor.
    pub sell_volume: ExactSum,
    /// The sum of price times quantity.
    pub notional: ExactSum,
    /// The number of trades.
    pub trades: u64,
    /// The number of trades that were ever counted here: the trades and those that were cancelled.
    pub admitted: u64,
    /// The least append time of the trades that were ever counted here, in UTC nanoseconds. How
    /// long the trades of an hour may change counts from it, and how long the bar is kept. Of a bar
    /// that never counted a trade it is when the bar was inserted: the bar is kept from then on,
    /// but the time says nothing about trades, so [`Bar::merge`] drops it for that of a counted
    /// trade.
    pub first_append_ns: i64,
}

impl Bar {
    /// Returns the bar of one trade.
    #[must_use]
    pub fn from_trade(trade: &Trade, position: Position, append_time_ns: i64) -> Self {
        let edge = EdgeTrade::from_trade(trade, position);
        let mut bar = Self {
            open: edge.clone(),
            close: edge,
            high: trade.price,
            low: trade.price,
            volume: ExactSum::default(),
            buy_volume: ExactSum::default(),
            sell_volume: ExactSum::default(),
            notional: ExactSum::default(),
            trades: 1,
            admitted: 1,
            first_append_ns: append_time_ns,
        };
        if let Some(quantity) = trade.quantity {
            bar.volume.add(quantity);
            bar.notional.add_product(trade.price, quantity);
            match trade.side {
                Some(Side::Buy) => bar.buy_volume.add(quantity),
                Some(Side::Sell) => bar.sell_volume.add(quantity),
                None => {}
            }
        }
        bar
    }

    /// Returns the bar of a window whose trades were all cancelled: every value but `admitted` is
    /// zero, and open and close are at the start of the window. Merging it into another bar
    /// changes nothing but `admitted` and the append time, and nothing if `admitted` is 0.
    #[must_use]
    pub fn empty(start_ns: i64, admitted: u64, first_append_ns: i64) -> Self {
        let edge = EdgeTrade {
            time_ns: start_ns,
            id: None,
            scope: None,
            position: Position::default(),
            price: Decimal::ZERO,
        };
        Self {
            open: edge.clone(),
            close: edge,
            high: Decimal::ZERO,
            low: Decimal::ZERO,
            volume: ExactSum::default(),
            buy_volume: ExactSum::default(),
            sell_volume: ExactSum::default(),
            notional: ExactSum::default(),
            trades: 0,
            admitted,
            first_append_ns,
        }
    }

    /// Returns the append time of the first trade that was ever counted here, in UTC nanoseconds.
    #[must_use]
    pub fn first_trade_append_ns(&self) -> Option<i64> {
        (self.admitted > 0).then_some(self.first_append_ns)
    }

    /// Returns the `first_append_ns` of two bars together: the least, where that of a bar without a
    /// counted trade is used only if neither bar has one.
    #[must_use]
    pub fn merged_first_append_ns(&self, other: &Self) -> i64 {
        let key = |bar: &Self| (bar.admitted == 0, bar.first_append_ns);
        key(self).min(key(other)).1
    }

    /// Adds the trades of the bar of another window. No trade of one window has the event time of a
    /// trade of another, so the order of ties does not matter.
    pub fn merge_other_window(&mut self, other: &Self) {
        self.merge(other, TieOrder::Log);
    }

    /// Adds the trades of another bar, where `ties` is the order of trades of equal event time. The
    /// two bars must not share a trade.
    pub fn merge(&mut self, other: &Self, ties: TieOrder) {
        let first_append_ns = self.merged_first_append_ns(other);
        let admitted = self.admitted + other.admitted;
        if self.trades == 0 && other.trades > 0 {
            self.clone_from(other);
        } else if other.trades > 0 {
            self.merge_values(other, ties);
        }
        self.admitted = admitted;
        self.first_append_ns = first_append_ns;
    }

    /// Adds the values of the trades of another bar, where both bars have trades.
    fn merge_values(&mut self, other: &Self, ties: TieOrder) {
        if other.open.cmp_trade_order(&self.open, ties) == Ordering::Less {
            self.open.clone_from(&other.open);
        }
        if other.close.cmp_trade_order(&self.close, ties) == Ordering::Greater {
            self.close.clone_from(&other.close);
        }
        self.high = self.high.max(other.high);
        self.low = self.low.min(other.low);
        self.volume.merge(&other.volume);
        self.buy_volume.merge(&other.buy_volume);
        self.sell_volume.merge(&other.sell_volume);
        self.notional.merge(&other.notional);
        self.trades += other.trades;
    }
}

/// The bar of a window, as it is stored and announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarRow {
    /// The window.
    pub window: Window,
    /// The summary of its trades.
    pub bar: Bar,
    /// Whether the watermark has passed the end of the window plus the allowed lateness.
    pub closed: bool,
    /// The number of trades that were applied after the close.
    pub revision: u64,
    /// Whether the bar is the fold of its trades, as far as the ticks can show. It is not after a
    /// refold that was refused, because the ticks of the minute are not all kept any more.
    pub provable: bool,
    /// The log position of the last record that changed the bar. Of two states of a bar, the one
    /// with the greater position is newer; states with equal positions are the same.
    pub through: Position,
}

#[cfg(test)]
mod tests;
