//! Connecting to the servers: the one place that names the types of their clients.

use std::convert::Infallible;
use std::fmt::Display;
use std::time::Duration;

use backend::Backend;
use clock::{CircuitBreaker, Clock, ServerGuard, SystemClock};
use connect::{BreakerSettings, TopicNames};
use eventlog::AppendGuardedLog;
use host::{DependencyComponent, Health, HealthComponent};
use kafka::{KafkaClient, KafkaConfig, KafkaLog};
use store::{
    ClickHouseConfig, ClickHouseTickStore, GuardedBarStore, GuardedStore, RedisConfig,
    RedisNewestPriceStore, StoreError, TimescaleBarStore, TimescaleConfig,
};
use tokio_util::sync::CancellationToken;

use super::availability::wait_until_available;
use super::redis::OptionalRedis;

pub(super) type GuardedBars = GuardedBarStore<TimescaleBarStore, SystemClock>;
pub(super) type GuardedTicks = GuardedStore<ClickHouseTickStore, SystemClock>;
pub(super) type GuardedTopic = AppendGuardedLog<KafkaLog, SystemClock>;

/// The backend of a cluster: Kafka, TimescaleDB, ClickHouse and Redis.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClusterBackend;

impl Backend for ClusterBackend {
    type Trades = GuardedTopic;
    type Updates = GuardedTopic;
    type DeadLetters = GuardedTopic;
    type Bars = GuardedBars;
    type Ticks = GuardedTicks;
    type Hot = OptionalRedis;
    type Clock = SystemClock;
}

// The names of components in `/readyz` and of circuit breakers in the metrics.
const TIMESCALEDB: &str = "timescaledb";
const CLICKHOUSE: &str = "clickhouse";
const REDIS: &str = "redis";
const KAFKA: &str = "kafka";

/// The time between two probes of a server.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// Connects a process to its servers, and waits for those that are not available yet.
#[derive(Debug, Clone)]
pub(super) struct ServerConnector {
    health: Health,
    stop: CancellationToken,
    breaker: BreakerSettings,
}

/// A client of Kafka, and the guard that the appends to all topics share.
pub(super) struct GuardedKafkaClient {
    pub(super) kafka: KafkaClient,
    pub(super) topic_names: TopicNames,
    pub(super) guard: ServerGuard<SystemClock>,
}

impl ServerConnector {
    pub(super) const fn new(
        health: Health,
        stop: CancellationToken,
        breaker: BreakerSettings,
    ) -> Self {
        Self {
            health,
            stop,
            breaker,
        }
    }

    /// Returns the store of bars, once its database answers and has its tables, or `None` if the
    /// process is stopped first.
    ///
    /// # Errors
    /// If the tables are of a newer version, or damaged.
    pub(super) async fn connect_timescaledb(
        &self,
        config: &TimescaleConfig,
    ) -> anyhow::Result<Option<GuardedBars>> {
        let component = self.register_component(TIMESCALEDB);
        let open = || TimescaleBarStore::open(config.clone());
        let opened = Box::pin(self.wait_for_server(&component, is_unusable_store, open)).await?;
        let guard = self.new_guard(TIMESCALEDB, DependencyComponent::Required(component));
        Ok(opened.map(|store| GuardedBarStore::new(store, guard)))
    }

    /// Returns the store of ticks, once its server answers and has its tables, or `None` if the
    /// process is stopped first. A later outage leaves the process ready, unless
    /// `unready_on_outage`.
    ///
    /// # Errors
    /// If the tables are of a newer version, or damaged.
    pub(super) async fn connect_clickhouse(
        &self,
        config: &ClickHouseConfig,
        unready_on_outage: bool,
    ) -> anyhow::Result<Option<GuardedTicks>> {
        let component = self.register_component(CLICKHOUSE);
        let open = || ClickHouseTickStore::open(config);
        let opened = Box::pin(self.wait_for_server(&component, is_unusable_store, open)).await?;
        let health = match unready_on_outage {
            true => DependencyComponent::Required(component),
            false => DependencyComponent::Optional(component),
        };
        let guard = self.new_guard(CLICKHOUSE, health);
        Ok(opened.map(|store| GuardedStore::new(store, guard)))
    }

    /// Returns the store of the newest prices. It does not wait for Redis: nothing depends on it.
    ///
    /// # Errors
    /// If the configuration cannot be used.
    pub(super) fn new_redis_store(
        &self,
        config: Option<&RedisConfig>,
    ) -> anyhow::Result<OptionalRedis> {
        let Some(config) = config else {
            return Ok(OptionalRedis::Disabled);
        };
        let component = self.register_component(REDIS);
        let health = DependencyComponent::Optional(component.clone());
        let store = RedisNewestPriceStore::open(config)?;
        let guarded = GuardedStore::new(store, self.new_guard(REDIS, health));
        Ok(OptionalRedis::Configured(guarded, component))
    }

    /// Returns a client of Kafka. It sends its first request when a topic is opened.
    ///
    /// # Errors
    /// If the configuration cannot be used.
    pub(super) fn new_kafka_client(
        &self,
        config: &KafkaConfig,
        topic_names: &TopicNames,
    ) -> anyhow::Result<GuardedKafkaClient> {
        let health = DependencyComponent::Required(self.register_component(KAFKA));
        Ok(GuardedKafkaClient {
            kafka: KafkaClient::create(config.clone())?,
            topic_names: topic_names.clone(),
            guard: self.new_guard(KAFKA, health),
        })
    }

    /// Registers a component of the process's health.
    pub(super) fn register_component(&self, name: &str) -> HealthComponent {
        self.health.register(name)
    }

    /// Repeats `attempt` until it succeeds; see [`wait_until_available`].
    pub(super) async fn wait_for_server<T, E, F>(
        &self,
        component: &HealthComponent,
        is_permanent: impl Fn(&E) -> bool,
        attempt: impl Fn() -> F,
    ) -> Result<Option<T>, E>
    where
        E: Display,
        F: Future<Output = Result<T, E>>,
    {
        wait_until_available(&SystemClock, component, &self.stop, is_permanent, attempt).await
    }

    fn new_guard(
        &self,
        name: &'static str,
        health: DependencyComponent,
    ) -> ServerGuard<SystemClock> {
        let breaker = CircuitBreaker::new(name, self.breaker.policy, SystemClock, move |outage| {
            health.report(outage);
        });
        ServerGuard::new(name, SystemClock, self.breaker.timeout, breaker)
    }
}

/// Returns whether waiting cannot mend an error of a store.
pub(super) const fn is_unusable_store(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::NewerSchema { .. } | StoreError::Corrupt { .. }
    )
}

/// Probes, for ever, the servers whose circuit breakers are not closed, and Redis in any case, so
/// that a server that is back is noticed. All topics are on the same brokers, so one topic is
/// enough.
pub(super) async fn probe_servers_forever(
    bars: &GuardedBars,
    ticks: &GuardedTicks,
    redis: &OptionalRedis,
    topic: &GuardedTopic,
) -> Infallible {
    loop {
        SystemClock.sleep(PROBE_INTERVAL).await;
        tokio::join!(
            bars.probe_bars_unless_breaker_closed(),
            ticks.probe_ticks_unless_breaker_closed(),
            redis.probe(),
            topic.probe_log_unless_breaker_closed()
        );
    }
}
