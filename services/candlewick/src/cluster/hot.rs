//! Newest prices in Redis, or nowhere.

use clock::SystemClock;
use host::HealthComponent;
use market::Instrument;
use store::{Guarded, HotStore, NewestPrice, RedisHotStore, StoreError};

/// Newest prices in Redis, or nowhere.
#[derive(Clone)]
pub(super) enum Hot {
    /// In Redis, and how that is.
    Redis(Guarded<RedisHotStore, SystemClock>, HealthComponent),
    /// Nowhere: no Redis is configured.
    Off,
}

impl Hot {
    /// Asks Redis whether it is there, and says so. Its breaker says it too late, or never: an
    /// aggregator asks nothing, and a pod only where somebody asks for a price.
    pub(super) async fn probe(&self) {
        let Self::Redis(store, health) = self else {
            return;
        };
        match store.ping().await {
            Ok(()) => health.ready(),
            Err(error) => health.degraded(error.to_string()),
        }
    }
}

impl HotStore for Hot {
    fn queue_prices(&self, prices: Vec<NewestPrice>) {
        if let Self::Redis(store, _) = self {
            store.queue_prices(prices);
        }
    }

    async fn newest_price(
        &self,
        instrument: &Instrument,
    ) -> Result<Option<NewestPrice>, StoreError> {
        match self {
            Self::Redis(store, _) => store.newest_price(instrument).await,
            Self::Off => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clock::{Breaker, BreakerPolicy, Guard};
    use host::{DependencyHealth, Health};
    use store::RedisConfig;

    use super::*;

    #[tokio::test]
    async fn a_redis_that_is_away_is_named_and_no_reason_to_be_unready() {
        let health = Health::default();
        let component = health.register("redis");
        let optional = DependencyHealth::Optional(component.clone());
        let breaker = Breaker::new(
            "redis",
            BreakerPolicy::default(),
            SystemClock,
            move |outage| optional.report(outage),
        );
        let guard = Guard::new("redis", SystemClock, Duration::from_secs(8), breaker);
        // Nobody listens there.
        let config = RedisConfig {
            url: "redis://127.0.0.1:9".to_owned(),
            ..RedisConfig::default()
        };
        let store = RedisHotStore::open(&config).unwrap();
        let hot = Hot::Redis(Guarded::new(store, guard), component);
        assert_eq!(health.readiness().components[0].reason, None);
        hot.probe().await;
        let report = health.readiness();
        assert!(report.is_ready());
        let reason = report.components[0].reason.as_deref().unwrap();
        assert!(reason.contains("redis://127.0.0.1:9"), "{reason}");
    }
}
