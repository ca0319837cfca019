//! Newest prices.

use host::Clock;
use market::Instrument;
use store::{HotStore, Price, StoreError};

use super::Guarded;

impl<S: HotStore, C: Clock> HotStore for Guarded<S, C> {
    /// It never waits, and nobody asks how it went: there is nothing to guard.
    fn offer(&self, prices: Vec<Price>) {
        self.store.offer(prices);
    }

    async fn price(&self, instrument: &Instrument) -> Result<Option<Price>, StoreError> {
        self.guard.call(self.store.price(instrument)).await
    }
}
