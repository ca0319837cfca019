//! The newest prices in Redis, if one is configured.

use clock::SystemClock;
use host::HealthComponent;
use market::Instrument;
use store::{GuardedStore, NewestPrice, NewestPriceStore, RedisNewestPriceStore, StoreError};

/// The store of the newest prices: Redis, or none.
#[derive(Clone)]
pub(super) enum OptionalRedis {
    /// A Redis, and the component that reports whether it answers.
    Configured(
        GuardedStore<RedisNewestPriceStore, SystemClock>,
        HealthComponent,
    ),
    /// No Redis is configured: prices are not stored.
    Disabled,
}

impl OptionalRedis {
    /// Pings Redis, and reports whether it answers and takes writes. The circuit breaker of Redis
    /// would report an outage late or never: an aggregator only queues prices, and a pod calls
    /// Redis only when a client requests a price.
    pub(super) async fn probe(&self) {
        let Self::Configured(store, health) = self else {
            return;
        };
        let outage = match store.ping().await {
            Ok(()) => store.recheck_write_failure().await,
            Err(error) => Some(error.to_string()),
        };
        match outage {
            Some(reason) => health.degraded(reason),
            None => health.ready(),
        }
    }
}

impl NewestPriceStore for OptionalRedis {
    fn queue_prices(&self, prices: Vec<NewestPrice>) {
        if let Self::Configured(store, _) = self {
            store.queue_prices(prices);
        }
    }

    async fn newest_price(
        &self,
        instrument: &Instrument,
    ) -> Result<Option<NewestPrice>, StoreError> {
        match self {
            Self::Configured(store, _) => store.newest_price(instrument).await,
            Self::Disabled => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clock::{BreakerPolicy, CircuitBreaker, ServerGuard};
    use host::{DependencyComponent, Health};
    use store::RedisConfig;

    use super::*;

    #[tokio::test]
    async fn a_redis_that_is_away_is_reported_and_leaves_the_process_ready() {
        let health = Health::default();
        let component = health.register("redis");
        let optional = DependencyComponent::Optional(component.clone());
        let breaker = CircuitBreaker::new(
            "redis",
            BreakerPolicy::default(),
            SystemClock,
            move |outage| optional.report(outage),
        );
        let guard = ServerGuard::new("redis", SystemClock, Duration::from_secs(8), breaker);
        // No server listens there.
        let config = RedisConfig {
            url: "redis://127.0.0.1:9".to_owned(),
            ..RedisConfig::default()
        };
        let store = RedisNewestPriceStore::open(&config).unwrap();
        let redis = OptionalRedis::Configured(GuardedStore::new(store, guard), component);
        assert_eq!(health.readiness().components[0].reason, None);
        redis.probe().await;
        let report = health.readiness();
        assert!(report.is_ready());
        let reason = report.components[0].reason.as_deref().unwrap();
        assert!(reason.contains("redis://127.0.0.1:9"), "{reason}");
    }
}
