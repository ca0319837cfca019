//! Bars: the monoid of trades, and what the log's order adds to it.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::{Decimal, Position, Side, Sum, Trade, TradeId, Window};

/// The first or the last trade of a bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeTrade {
    /// When it happened, in UTC nanoseconds.
    pub time_ns: i64,
    /// The venue's id, where it gives one.
    pub id: Option<TradeId>,
    /// Within what the id is unique, where the trade says so.
    pub scope: Option<Arc<str>>,
    /// Where the log holds it.
    pub position: Position,
    /// Its price.
    pub price: Decimal,
}

impl EdgeTrade {
    /// A trade as a candidate for open and close.
    #[must_use]
    pub fn of(trade: &Trade, position: Position) -> Self {
        Self {
            time_ns: trade.time_ns,
            id: trade.id.clone(),
            scope: trade.scope.clone(),
            position,
            price: trade.price,
        }
    }

    /// The order of trades within a bar: by event time, then id (a trade without one comes
    /// after those with one), then scope, then place in the log.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        self.time_ns
            .cmp(&other.time_ns)
            .then_with(|| (self.id.is_none(), &self.id).cmp(&(other.id.is_none(), &other.id)))
            .then_with(|| self.scope.cmp(&other.scope))
            .then_with(|| self.position.cmp(&other.position))
    }
}

/// What some trades add up to. It depends on the set of trades alone: [`Bar::merge`] is
/// associative and commutative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// The least trade by [`EdgeTrade::order`].
    pub open: EdgeTrade,
    /// The greatest trade by [`EdgeTrade::order`].
    pub close: EdgeTrade,
    /// The greatest price.
    pub high: Decimal,
    /// The least price.
    pub low: Decimal,
    /// The sum of quantities.
    pub volume: Sum,
    /// The part of it where the buyer was the aggressor.
    pub buy_volume: Sum,
    /// The part of it where the seller was the aggressor.
    pub sell_volume: Sum,
    /// The sum of price times quantity.
    pub notional: Sum,
    /// How many trades.
    pub trades: u64,
    /// When the log took the earliest of them, in UTC nanoseconds.
    pub first_append_ns: i64,
}

impl Bar {
    /// The bar of one trade.
    #[must_use]
    pub fn of(trade: &Trade, position: Position, append_time_ns: i64) -> Self {
        let edge = EdgeTrade::of(trade, position);
        let mut bar = Self {
            open: edge.clone(),
            close: edge,
            high: trade.price,
            low: trade.price,
            volume: Sum::default(),
            buy_volume: Sum::default(),
            sell_volume: Sum::default(),
            notional: Sum::default(),
            trades: 1,
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

    /// The bar of a window whose trades were all cancelled: nought everywhere, its edges at the
    /// window's start. It is the neutral element of [`Bar::merge`], but for the append time.
    #[must_use]
    pub fn empty(start_ns: i64, first_append_ns: i64) -> Self {
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
            volume: Sum::default(),
            buy_volume: Sum::default(),
            sell_volume: Sum::default(),
            notional: Sum::default(),
            trades: 0,
            first_append_ns,
        }
    }

    /// Adds the trades of another bar, which shares none with this one.
    pub fn merge(&mut self, other: &Self) {
        if self.trades == 0 || other.trades == 0 {
            let first_append_ns = self.first_append_ns.min(other.first_append_ns);
            if self.trades == 0 && other.trades > 0 {
                self.clone_from(other);
            }
            self.first_append_ns = first_append_ns;
            return;
        }
        if other.open.order(&self.open) == Ordering::Less {
            self.open.clone_from(&other.open);
        }
        if other.close.order(&self.close) == Ordering::Greater {
            self.close.clone_from(&other.close);
        }
        self.high = self.high.max(other.high);
        self.low = self.low.min(other.low);
        self.volume.merge(&other.volume);
        self.buy_volume.merge(&other.buy_volume);
        self.sell_volume.merge(&other.sell_volume);
        self.notional.merge(&other.notional);
        self.trades += other.trades;
        self.first_append_ns = self.first_append_ns.min(other.first_append_ns);
    }
}

/// A bar of a window as it is stored and announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarRow {
    /// Which window.
    pub window: Window,
    /// Its trades.
    pub bar: Bar,
    /// Whether the watermark has passed the window's end and the allowed lateness.
    pub closed: bool,
    /// How many trades were applied after the close.
    pub revision: u64,
    /// The log position of the last record that changed it. Of two states of a bar the greater
    /// is newer, and equal means the same.
    pub through: Position,
}

#[cfg(test)]
mod tests;
