//! The servers: the one place that names the types of their clients.

use std::fmt::Display;
use std::time::Duration;

use backend::Backend;
use clock::{Breaker, Clock, SystemClock};
use host::{DependencyHealth, Health, HealthComponent};
use kafka::{Kafka, KafkaConfig, KafkaLog};
use store::{
    ClickHouseConfig, ClickHouseTickStore, RedisConfig, RedisHotStore, StoreError,
    TimescaleBarStore, TimescaleConfig,
};
use tokio_util::sync::CancellationToken;

use super::hot::Hot;
use super::waiting::until_there;
use crate::guarded::{Guard, Guarded, GuardedLog};
use connect::{BreakerSettings, TopicNames};

pub(super) type Bars = Guarded<TimescaleBarStore, SystemClock>;
pub(super) type Ticks = Guarded<ClickHouseTickStore, SystemClock>;
pub(super) type Topic = GuardedLog<KafkaLog, SystemClock>;

/// The backend of a cluster: Kafka, TimescaleDB, ClickHouse and Redis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cluster;

impl Backend for Cluster {
    type Trades = Topic;
    type Updates = Topic;
    type DeadLetters = Topic;
    type Bars = Bars;
    type Ticks = Ticks;
    type Hot = Hot;
    type Clock = SystemClock;
}

const TIMESCALEDB: &str = "timescaledb";
const CLICKHOUSE: &str = "clickhouse";
const REDIS: &str = "redis";
const KAFKA: &str = "kafka";

/// Connects to servers, and waits for those that are not there yet.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub(super) health: Health,
    pub(super) stop: CancellationToken,
    breaker: BreakerSettings,
}

/// Kafka, and the guard that all topics' appends share.
pub(super) struct Brokers {
    pub(super) kafka: Kafka,
    pub(super) names: TopicNames,
    pub(super) guard: Guard<SystemClock>,
}

impl Connector {
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

    /// The bars, once their database answers and has its tables; none where the process is told
    /// to stop before.
    ///
    /// # Errors
    /// Where the tables are of a newer version, or damaged.
    pub(super) async fn bars(&self, config: &TimescaleConfig) -> anyhow::Result<Option<Bars>> {
        let component = self.health.register(TIMESCALEDB);
        let open = || TimescaleBarStore::open(config.clone());
        let opened = Box::pin(self.wait(&component, is_final, open)).await?;
        let guard = self.guard(TIMESCALEDB, DependencyHealth::Required(component));
        Ok(opened.map(|store| Guarded::new(store, guard)))
    }

    /// The ticks, likewise. Where they are not `required`, the process is ready without them
    /// once it has found them.
    ///
    /// # Errors
    /// As for the bars.
    pub(super) async fn ticks(
        &self,
        config: &ClickHouseConfig,
        required: bool,
    ) -> anyhow::Result<Option<Ticks>> {
        let component = self.health.register(CLICKHOUSE);
        let open = || ClickHouseTickStore::open(config);
        let opened = Box::pin(self.wait(&component, is_final, open)).await?;
        let health = match required {
            true => DependencyHealth::Required(component),
            false => DependencyHealth::Optional(component),
        };
        let guard = self.guard(CLICKHOUSE, health);
        Ok(opened.map(|store| Guarded::new(store, guard)))
    }

    /// The newest prices, where there is a Redis. It is not waited for: nothing depends on it.
    ///
    /// # Errors
    /// Where its configuration cannot be used.
    pub(super) fn hot(&self, config: Option<&RedisConfig>) -> anyhow::Result<Hot> {
        let Some(config) = config else {
            return Ok(Hot::Off);
        };
        let component = self.health.register(REDIS);
        let health = DependencyHealth::Optional(component.clone());
        let store = RedisHotStore::open(config)?;
        let guarded = Guarded::new(store, self.guard(REDIS, health));
        Ok(Hot::Redis(guarded, component))
    }

    /// Kafka. Its brokers are first asked for something when a topic is.
    ///
    /// # Errors
    /// Where the configuration cannot be used.
    pub(super) fn brokers(
        &self,
        config: &KafkaConfig,
        names: &TopicNames,
    ) -> anyhow::Result<Brokers> {
        let health = DependencyHealth::Required(self.health.register(KAFKA));
        Ok(Brokers {
            kafka: Kafka::connect(config.clone())?,
            names: names.clone(),
            guard: self.guard(KAFKA, health),
        })
    }

    /// Tries until it succeeds; see [`until_there`].
    pub(super) async fn wait<T, E, F>(
        &self,
        component: &HealthComponent,
        is_final: impl Fn(&E) -> bool,
        attempt: impl Fn() -> F,
    ) -> Result<Option<T>, E>
    where
        E: Display,
        F: Future<Output = Result<T, E>>,
    {
        until_there(&SystemClock, component, &self.stop, is_final, attempt).await
    }

    fn guard(&self, name: &'static str, health: DependencyHealth) -> Guard<SystemClock> {
        let breaker = Breaker::new(name, self.breaker.policy, SystemClock, move |outage| {
            health.report(outage)
        });
        Guard::new(name, SystemClock, self.breaker.timeout, breaker)
    }
}

/// Whether waiting cannot mend an error of a store.
pub(super) const fn is_final(error: &StoreError) -> bool {
    matches!(error, StoreError::Newer { .. } | StoreError::Corrupt { .. })
}

/// How often a server whose breaker is not closed is asked whether it is back, and Redis in any
/// case.
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// Asks servers whether they are back, for ever. All topics are of the same brokers.
pub(super) async fn probe(bars: &Bars, ticks: Option<&Ticks>, hot: &Hot, topic: &Topic) {
    loop {
        SystemClock.sleep(PROBE_EVERY).await;
        let ticks = async {
            if let Some(ticks) = ticks {
                ticks.probe_ticks().await;
            }
        };
        tokio::join!(bars.probe_bars(), ticks, hot.probe(), topic.probe_log());
    }
}
