//! A guarded store of newest prices.

use clock::Clock;
use market::Instrument;

use super::Guarded;
use crate::error::StoreError;
use crate::hot_store::{HotStore, NewestPrice};
use crate::redis::RedisHotStore;

impl<S: HotStore, C: Clock> HotStore for Guarded<S, C> {
    /// Not guarded: it never waits and reports no error.
    fn offer(&self, prices: Vec<NewestPrice>) {
        self.store.offer(prices);
    }

    async fn price(&self, instrument: &Instrument) -> Result<Option<NewestPrice>, StoreError> {
        self.call(self.store.price(instrument)).await
    }
}

impl<C: Clock> Guarded<RedisHotStore, C> {
    /// Returns an error if Redis does not answer. `offer` does not report errors.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.call(self.store.ping()).await
    }
}
