//! Newest prices in Redis, or nowhere.

use host::SystemClock;
use market::Instrument;
use store::{HotStore, Price, RedisHotStore, StoreError};

use crate::guarded::Guarded;

/// Newest prices in Redis, or nowhere.
#[derive(Clone)]
pub(super) enum Hot {
    /// In Redis.
    Redis(Guarded<RedisHotStore, SystemClock>),
    /// Nowhere: no Redis is configured.
    Off,
}

impl HotStore for Hot {
    fn offer(&self, prices: Vec<Price>) {
        if let Self::Redis(store) = self {
            store.offer(prices);
        }
    }

    async fn price(&self, instrument: &Instrument) -> Result<Option<Price>, StoreError> {
        match self {
            Self::Redis(store) => store.price(instrument).await,
            Self::Off => Ok(None),
        }
    }
}
