//! The store of newest prices, which are read often and may be lost at any time.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use market::{Decimal, Instrument, Position};

use crate::error::StoreError;

/// The newest price of an instrument: the close of its newest minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestPrice {
    /// The instrument.
    pub instrument: Instrument,
    /// The price; `None` if every trade of that minute was cancelled, so that the price is that of
    /// an earlier bar.
    pub price: Option<Decimal>,
    /// When the trade happened, in UTC nanoseconds.
    pub time_ns: i64,
    /// The position of the newest record in the bar. Of two prices that with the greater position
    /// is newer.
    pub through: Position,
}

/// The store of newest prices. A handle is cheap to clone.
///
/// No other data depends on it: a failed call may cost the response to a request, never a trade.
pub trait NewestPriceStore: Clone + Send + Sync + 'static {
    /// Queues newest prices to be stored. It never waits and reports no error: prices that cannot
    /// be stored soon are replaced by later ones, or dropped and counted.
    fn queue_prices(&self, prices: Vec<NewestPrice>);

    /// Returns the newest price of an instrument, or `None` if none was stored recently.
    fn newest_price(
        &self,
        instrument: &Instrument,
    ) -> impl Future<Output = Result<Option<NewestPrice>, StoreError>> + Send;
}

/// A store of newest prices in the memory of one process.
#[derive(Debug, Clone, Default)]
pub struct MemoryNewestPriceStore {
    prices: Arc<Mutex<HashMap<Instrument, NewestPrice>>>,
}

impl NewestPriceStore for MemoryNewestPriceStore {
    fn queue_prices(&self, prices: Vec<NewestPrice>) {
        let mut stored = self.prices.lock().unwrap_or_else(PoisonError::into_inner);
        for price in prices {
            match stored.get(&price.instrument) {
                Some(newer) if newer.through > price.through => {}
                _ => _ = stored.insert(price.instrument.clone(), price),
            }
        }
    }

    async fn newest_price(
        &self,
        instrument: &Instrument,
    ) -> Result<Option<NewestPrice>, StoreError> {
        let stored = self.prices.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(stored.get(instrument).cloned())
    }
}
