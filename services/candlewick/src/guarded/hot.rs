//! Newest prices.

use clock::Clock;
use market::Instrument;
use store::{HotStore, NewestPrice, RedisHotStore, StoreError};

use super::Guarded;

impl<S: HotStore, C: Clock> HotStore for Guarded<S, C> {
    /// It never waits, and nobody asks how it went: there is nothing to guard.
    fn queue_prices(&self, prices: Vec<NewestPrice>) {
        self.store.queue_prices(prices);
    }

    async fn newest_price(
        &self,
        instrument: &Instrument,
    ) -> Result<Option<NewestPrice>, StoreError> {
        self.guard.call(self.store.newest_price(instrument)).await
    }
}

impl<C: Clock> Guarded<RedisHotStore, C> {
    /// Asks whether Redis is there. Of what is offered nobody learns it.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.guard.call(self.store.ping()).await
    }
}
