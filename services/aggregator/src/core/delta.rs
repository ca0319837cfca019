//! The hot path: the trades of one symbol and minute since they were last merged into bars.

use std::cmp::Ordering;

use market::{
    Bar, Decimal, EdgeTrade, ExactSum, Interval, MINUTE_NS, Position, Side, Trade, TradeId,
};
use std::sync::Arc;

/// One end of the minute, with its price as a mantissa at the delta's scale.
#[derive(Debug, Clone)]
struct End {
    time_ns: i64,
    id: Option<TradeId>,
    scope: Option<Arc<str>>,
    offset: u64,
    price: i64,
}

/// What some trades of one minute add up to, in machine integers at fixed scales. A trade that
/// does not fit is refused; the caller then takes the bar and starts again with scales that do.
#[derive(Debug, Clone)]
pub(super) struct Delta {
    /// The minute `[start, start + 1m)`; `i64::MAX` where there is none.
    start_ns: i64,
    /// Trades appended later than this are beyond the horizon of the minute's hour.
    pub(super) admits_until_ns: i64,
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
    /// The place of the trade that was added last.
    last_offset: u64,
    open: End,
    close: End,
}

const NO_END: End = End {
    time_ns: 0,
    id: None,
    scope: None,
    offset: 0,
    price: 0,
};

impl End {
    /// The order of [`EdgeTrade::cmp_trade_order`], within one epoch.
    #[inline]
    fn order(&self, trade: &Trade, offset: u64) -> Ordering {
        self.time_ns
            .cmp(&trade.time_ns)
            .then_with(|| (self.id.is_none(), &self.id).cmp(&(trade.id.is_none(), &trade.id)))
            .then_with(|| self.scope.cmp(&trade.scope))
            .then_with(|| self.offset.cmp(&offset))
    }

    #[inline]
    fn set(&mut self, trade: &Trade, offset: u64, price: i64) {
        self.time_ns = trade.time_ns;
        self.id.clone_from(&trade.id);
        self.scope.clone_from(&trade.scope);
        self.offset = offset;
        self.price = price;
    }
}

impl Delta {
    pub(super) const fn none() -> Self {
        Self {
            start_ns: i64::MAX,
            admits_until_ns: i64::MAX,
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
            open: NO_END,
            close: NO_END,
        }
    }

    /// Begins the minute that holds a time.
    pub(super) fn begin(&mut self, time_ns: i64) {
        debug_assert_eq!(self.trades, 0, "a delta is taken before another begins");
        self.start_ns = Interval::M1.window_containing(time_ns).start_ns;
    }

    pub(super) fn forget(&mut self) {
        debug_assert_eq!(self.trades, 0, "a delta is taken before it is forgotten");
        self.start_ns = i64::MAX;
    }

    pub(super) const fn holds(&self, time_ns: i64) -> bool {
        self.start_ns <= time_ns && time_ns - self.start_ns < MINUTE_NS
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.trades == 0
    }

    pub(super) const fn trades(&self) -> u64 {
        self.trades
    }

    pub(super) const fn start_ns(&self) -> i64 {
        self.start_ns
    }

    pub(super) const fn last_offset(&self) -> u64 {
        self.last_offset
    }

    /// Adds a trade of the minute; false where it does not fit the scales or the integers.
    #[inline]
    pub(super) fn add(&mut self, trade: &Trade, offset: u64, append_time_ns: i64) -> bool {
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
        self.add_ends(trade, offset, price);
        self.trades += 1;
        true
    }

    #[inline]
    fn add_ends(&mut self, trade: &Trade, offset: u64, price: i64) {
        if self.trades == 0 {
            self.open.set(trade, offset, price);
            self.close.set(trade, offset, price);
            return;
        }
        if self.close.order(trade, offset) == Ordering::Less {
            self.close.set(trade, offset, price);
        } else if self.open.order(trade, offset) == Ordering::Greater {
            self.open.set(trade, offset, price);
        }
    }

    /// Widens the scales so that a trade fits them.
    pub(super) fn widen(&mut self, trade: &Trade) {
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

    /// The bar of what was added, if anything was; the minute stays.
    pub(super) fn take(&mut self, epoch: u64) -> Option<Bar> {
        if self.trades == 0 {
            return None;
        }
        let price = |units: i64| {
            Decimal::new(units, self.price_scale).expect("what was scaled up scales down again")
        };
        let edge = |end: &End| EdgeTrade {
            time_ns: end.time_ns,
            id: end.id.clone(),
            scope: end.scope.clone(),
            position: Position {
                epoch,
                offset: end.offset,
            },
            price: price(end.price),
        };
        let sum = |units: i128, scale: u8| {
            let mut sum = ExactSum::default();
            sum.add_units(units, scale);
            sum
        };
        let bar = Bar {
            open: edge(&self.open),
            close: edge(&self.close),
            high: price(self.high),
            low: price(self.low),
            volume: sum(self.volume, self.quantity_scale),
            buy_volume: sum(self.buy_volume, self.quantity_scale),
            sell_volume: sum(self.sell_volume, self.quantity_scale),
            notional: sum(self.notional, self.price_scale + self.quantity_scale),
            trades: self.trades,
            first_append_ns: self.first_append_ns,
        };
        *self = Self {
            start_ns: self.start_ns,
            admits_until_ns: self.admits_until_ns,
            price_scale: self.price_scale,
            quantity_scale: self.quantity_scale,
            ..Self::none()
        };
        Some(bar)
    }
}
