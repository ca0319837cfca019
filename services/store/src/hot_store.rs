//! The store of what is asked for often and may be lost at any time.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use market::{Decimal, Instrument, Position};

use crate::StoreError;

/// The newest price of an instrument: the close of its newest bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestPrice {
    /// Of which instrument.
    pub instrument: Instrument,
    /// The price.
    pub price: Decimal,
    /// When the trade happened, in UTC nanoseconds.
    pub time_ns: i64,
    /// The bar's position: of two prices the greater is newer.
    pub through: Position,
}

/// The store of newest prices. A handle is cheap to clone.
///
/// Nothing depends on what it holds: a call that fails costs an answer, never a trade.
pub trait HotStore: Clone + Send + Sync + 'static {
    /// Hands newest prices over. It never waits: what cannot be stored soon is replaced by
    /// later prices, or dropped and counted.
    fn queue_prices(&self, prices: Vec<NewestPrice>);

    /// The newest price of an instrument; none where there was none for a while.
    fn newest_price(
        &self,
        instrument: &Instrument,
    ) -> impl Future<Output = Result<Option<NewestPrice>, StoreError>> + Send;
}

/// Newest prices in the memory of one process.
#[derive(Debug, Clone, Default)]
pub struct MemoryHotStore {
    prices: Arc<Mutex<HashMap<Instrument, NewestPrice>>>,
}

impl HotStore for MemoryHotStore {
    fn queue_prices(&self, prices: Vec<NewestPrice>) {
        let mut known = self.prices.lock().unwrap_or_else(PoisonError::into_inner);
        for price in prices {
            match known.get(&price.instrument) {
                Some(newer) if newer.through > price.through => {}
                _ => _ = known.insert(price.instrument.clone(), price),
            }
        }
    }

    async fn newest_price(
        &self,
        instrument: &Instrument,
    ) -> Result<Option<NewestPrice>, StoreError> {
        let known = self.prices.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(known.get(instrument).cloned())
    }
}
