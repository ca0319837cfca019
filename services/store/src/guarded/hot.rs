//! A guarded store of newest prices.

use clock::Clock;
use market::Instrument;

use super::calls::GuardedStore;
use crate::error::StoreError;
use crate::hot_store::{NewestPrice, NewestPriceStore};
use crate::redis::RedisNewestPriceStore;

impl<S: NewestPriceStore, C: Clock> NewestPriceStore for GuardedStore<S, C> {
    /// Not guarded: it never waits and reports no error.
    fn queue_prices(&self, prices: Vec<NewestPrice>) {
        self.store.queue_prices(prices);
    }

    async fn newest_price(
        &self,
        instrument: &Instrument,
    ) -> Result<Option<NewestPrice>, StoreError> {
        self.call(self.store.newest_price(instrument)).await
    }
}

impl<C: Clock> GuardedStore<RedisNewestPriceStore, C> {
    /// Returns an error if Redis does not answer. `queue_prices` does not report errors.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.call(self.store.ping()).await
    }

    /// Returns why prices are not written, if so. A server that takes no writes still serves reads,
    /// so its breaker is not told.
    pub async fn recheck_write_failure(&self) -> Option<String> {
        self.store.recheck_write_failure().await
    }
}
