//! The hot path: the trades of one symbol and minute since they were last merged into bars.

use std::cmp::Ordering;
use std::sync::Arc;

use market::{
    Bar, Decimal, EdgeTrade, ExactSum, Interval, MINUTE_NS, Position, Side, TieKey, TieOrder,
    Trade, TradeId,
};

/// The first or the last trade, with its price as a mantissa at the accumulator's scale.
#[derive(Debug, Clone)]
struct ScaledEdgeTrade {
    time_ns: i64,
    id: Option<TradeId>,
    scope: Option<Arc<str>>,
    offset: u64,
    price: i64,
}

/// The sum of trades of one minute, in machine integers at fixed scales.
///
/// A trade that does not fit the scales is refused; the caller then takes the sum as a bar, and
/// adds the trade to an empty sum with greater scales. The minute and the scales change only while
/// the sum is empty.
#[derive(Debug, Clone)]
pub(crate) struct MinuteAccumulator {
    /// The order of trades of equal event time.
    ties: TieOrder,
    /// The minute `[start, start + 1m)`; `i64::MAX` if there is none.
    start_ns: i64,
    /// Trades appended later than this are beyond the horizon of the minute's hour.
    horizon_end_ns: i64,
    trades: u64,
    high: i64,
    low: i64,
    volume: i128,
    buy_volume: i128,
    sell_volume: i128,
    notional: i128,
    price_scale: u8,
    quantity_scale: u8,
    first_append_ns: i64,
    /// The offset of the trade that was added last.
    last_offset: u64,
    open: ScaledEdgeTrade,
    close: ScaledEdgeTrade,
}

/// Trades of a minute as a bar: those since the last one was taken.
#[derive(Debug)]
pub(crate) struct PartialMinuteBar {
    /// The start of the minute.
    pub(crate) start_ns: i64,
    /// The position of the last trade.
    pub(crate) through: Position,
    /// The bar of the trades.
    pub(crate) bar: Bar,
}

const NO_EDGE: ScaledEdgeTrade = ScaledEdgeTrade {
    time_ns: 0,
    id: None,
    scope: None,
    offset: 0,
    price: 0,
};

impl ScaledEdgeTrade {
    /// Compares as [`EdgeTrade::cmp_trade_order`] does, within one epoch.
    #[inline]
    fn compare_trade_order(&self, trade: &Trade, offset: u64, ties: TieOrder) -> Ordering {
        self.time_ns.cmp(&trade.time_ns).then_with(|| {
            let own = TieKey {
                id: self.id.as_ref(),
                scope: self.scope.as_deref(),
                position: self.offset,
            };
            let other = TieKey {
                id: trade.id.as_ref(),
                scope: trade.scope.as_deref(),
                position: offset,
            };
            own.cmp(&other, ties)
        })
    }

    #[inline]
    fn set_trade(&mut self, trade: &Trade, offset: u64, price: i64) {
        self.time_ns = trade.time_ns;
        self.id.clone_from(&trade.id);
        self.scope.clone_from(&trade.scope);
        self.offset = offset;
        self.price = price;
    }
}

impl MinuteAccumulator {
    /// Returns an accumulator without a minute.
    pub(crate) const fn new(ties: TieOrder) -> Self {
        Self {
            ties,
            start_ns: i64::MAX,
            horizon_end_ns: i64::MAX,
            trades: 0,
            high: i64::MIN,
            low: i64::MAX,
            volume: 0,
            buy_volume: 0,
            sell_volume: 0,
            notional: 0,
            price_scale: 0,
            quantity_scale: 0,
            first_append_ns: i64::MAX,
            last_offset: 0,
            open: NO_EDGE,
            close: NO_EDGE,
        }
    }

    /// Begins the minute that contains a time.
    pub(crate) fn begin_minute(&mut self, time_ns: i64) {
        debug_assert_eq!(
            self.trades, 0,
            "the bar is taken before another minute begins"
        );
        self.start_ns = Interval::M1.window_containing(time_ns).start_ns;
    }

    /// Ends the minute.
    pub(crate) fn end_minute(&mut self) {
        debug_assert_eq!(self.trades, 0, "the bar is taken before the minute ends");
        self.start_ns = i64::MAX;
    }

    /// Returns whether a time is within the minute.
    #[inline]
    pub(crate) const fn contains(&self, time_ns: i64) -> bool {
        self.start_ns <= time_ns && time_ns - self.start_ns < MINUTE_NS
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.trades == 0
    }

    /// Returns the start of the minute that has begun.
    #[inline]
    pub(crate) const fn start_ns(&self) -> i64 {
        self.start_ns
    }

    /// Sets the greatest append time of trades that are within the horizon of the minute's hour.
    #[inline]
    pub(crate) const fn set_horizon_end(&mut self, append_time_ns: i64) {
        self.horizon_end_ns = append_time_ns;
    }

    /// Returns whether a trade that was appended then is within the horizon of the minute's hour.
    #[inline]
    pub(crate) const fn is_within_horizon(&self, append_time_ns: i64) -> bool {
        append_time_ns <= self.horizon_end_ns
    }

    /// Adds a trade of the minute. Returns `false` if it does not fit the scales or the integers.
    #[inline]
    pub(crate) fn add_if_scales_fit(
        &mut self,
        trade: &Trade,
        offset: u64,
        append_time_ns: i64,
    ) -> bool {
        let Some(price) = trade.price.mantissa_at_scale(self.price_scale) else {
            return false;
        };
        if let Some(quantity) = trade.quantity {
            let Some(quantity) = quantity.mantissa_at_scale(self.quantity_scale) else {
                return false;
            };
            let product = i128::from(price) * i128::from(quantity);
            let Some(notional) = self.notional.checked_add(product) else {
                return false;
            };
            self.notional = notional;
            let quantity = i128::from(quantity);
            self.volume += quantity;
            match trade.side {
                Some(Side::Buy) => self.buy_volume += quantity,
                Some(Side::Sell) => self.sell_volume += quantity,
                None => {}
            }
        }
        self.high = self.high.max(price);
        self.low = self.low.min(price);
        self.first_append_ns = self.first_append_ns.min(append_time_ns);
        self.last_offset = offset;
        self.update_edge_trades(trade, offset, price);
        self.trades += 1;
        true
    }

    #[inline]
    fn update_edge_trades(&mut self, trade: &Trade, offset: u64, price: i64) {
        if self.trades == 0 {
            self.open.set_trade(trade, offset, price);
            self.close.set_trade(trade, offset, price);
            return;
        }
        if self.close.compare_trade_order(trade, offset, self.ties) == Ordering::Less {
            self.close.set_trade(trade, offset, price);
        } else if self.open.compare_trade_order(trade, offset, self.ties) == Ordering::Greater {
            self.open.set_trade(trade, offset, price);
        }
    }

    /// Widens the scales so that a trade fits them.
    pub(crate) fn widen_scales(&mut self, trade: &Trade) {
        debug_assert_eq!(self.trades, 0, "scales change between bars only");
        self.price_scale = self.price_scale.max(trade.price.scale());
        let quantity_scale = trade.quantity.map_or(0, Decimal::scale);
        self.quantity_scale = self.quantity_scale.max(quantity_scale);
        if trade.price.mantissa_at_scale(self.price_scale).is_none() {
            self.price_scale = trade.price.scale();
        }
        let fits = |quantity: Decimal| quantity.mantissa_at_scale(self.quantity_scale).is_some();
        if !trade.quantity.is_none_or(fits) {
            self.quantity_scale = quantity_scale;
        }
    }

    /// Takes the bar of the trades that were added, if any; the minute stays.
    pub(crate) fn take_bar(&mut self, epoch: u64) -> Option<PartialMinuteBar> {
        if self.trades == 0 {
            return None;
        }
        let price = |units: i64| {
            Decimal::new(units, self.price_scale).expect("what was scaled up scales down again")
        };
        let edge_trade = |edge: &ScaledEdgeTrade| EdgeTrade {
            time_ns: edge.time_ns,
            id: edge.id.clone(),
            scope: edge.scope.clone(),
            position: Position {
                epoch,
                offset: edge.offset,
            },
            price: price(edge.price),
        };
        let sum = |units: i128, scale: u8| {
            let mut sum = ExactSum::default();
            sum.add_units(units, scale);
            sum
        };
        let bar = Bar {
            open: edge_trade(&self.open),
            close: edge_trade(&self.close),
            high: price(self.high),
            low: price(self.low),
            volume: sum(self.volume, self.quantity_scale),
            buy_volume: sum(self.buy_volume, self.quantity_scale),
            sell_volume: sum(self.sell_volume, self.quantity_scale),
            notional: sum(self.notional, self.price_scale + self.quantity_scale),
            trades: self.trades,
            admitted: self.trades,
            first_append_ns: self.first_append_ns,
        };
        let minute_bar = PartialMinuteBar {
            start_ns: self.start_ns,
            through: Position {
                epoch,
                offset: self.last_offset,
            },
            bar,
        };
        *self = Self {
            start_ns: self.start_ns,
            horizon_end_ns: self.horizon_end_ns,
            price_scale: self.price_scale,
            quantity_scale: self.quantity_scale,
            ..Self::new(self.ties)
        };
        Some(minute_bar)
    }
}
