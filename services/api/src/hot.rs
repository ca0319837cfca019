//! The newest prices, whatever keeps them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use market::Instrument;
use store::{HotStore, NewestPrice, StoreError};

type Asked = BoxFuture<'static, Result<Option<NewestPrice>, StoreError>>;

/// Reads newest prices. One endpoint alone asks, so the store's type is left out of all others'.
#[derive(Clone)]
pub struct NewestPrices(Arc<dyn Fn(Instrument) -> Asked + Send + Sync>);

impl NewestPrices {
    /// Those of a store.
    #[must_use]
    pub fn of(store: impl HotStore) -> Self {
        Self(Arc::new(move |instrument| {
            let store = store.clone();
            Box::pin(async move { store.newest_price(&instrument).await })
        }))
    }

    /// The newest price of an instrument, where the store knows one.
    pub(crate) async fn newest_price(
        &self,
        instrument: &Instrument,
    ) -> Result<Option<NewestPrice>, StoreError> {
        (self.0)(instrument.clone()).await
    }
}
