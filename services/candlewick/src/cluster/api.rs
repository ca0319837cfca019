//! `candlewick api`: serves REST and the live stream, and accepts trades, over the cluster.

mod settings;

use std::process::ExitCode;
use std::time::Duration;

use ::api::{DeferredRouter, Hub, HubLimits};
use clock::SystemClock;
use eventlog::{Log, LogError};
use host::{Health, HealthComponent, MetricsHandle, Stage};
use tokio_util::sync::CancellationToken;

use self::settings::Settings;
use super::partition_tasks::{PartitionTasks, StartPartition};
use super::redis::OptionalRedis;
use super::role_process::run_role_process;
use super::servers::{Cluster, GuardedBars, GuardedTicks, ServerConnector, probe_servers};
use super::topic_watch::{producer_fenced, topic_recreated};
use super::topics::{EpochSource, OpenTopic, check_partition_counts, close_topics, open_topic};
use crate::roles::{ApiServices, FollowerFactory, new_producer};

pub(crate) use self::settings::ApiArgs;

const ROLE: &str = "api";

/// How long the followers may take to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the process until a signal stops it.
pub(crate) fn run(arguments: ApiArgs) -> anyhow::Result<ExitCode> {
    let (process, settings) = arguments.read().map_err(host::Error::from)?;
    run_role_process(&process, ROLE, |process| {
        let deferred = DeferredRouter::default();
        let pod = Pod {
            deferred: deferred.clone(),
            metrics: process.metrics.clone(),
            draining: process.supervisor.stage_token(Stage::Intake),
        };
        process.serve_api(deferred, |health, stop| {
            // Registered before the first probe: the servers are ready before the pod serves.
            let serving = health.register("api");
            pod.serve(settings, health, serving, stop)
        })
    })
}

/// A pod of the API: what the role uses of its process.
struct Pod {
    deferred: DeferredRouter,
    metrics: MetricsHandle,
    /// Cancelled when connections are to be closed.
    draining: CancellationToken,
}

impl Pod {
    /// Waits for the servers, and then serves until `stop` is cancelled.
    async fn serve(
        self,
        settings: Settings,
        health: Health,
        serving: HealthComponent,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let connected = Box::pin(Servers::connect(&settings, &health, &stop)).await?;
        let Some(servers) = connected else {
            return Ok(());
        };
        let partitions = servers.trades.log.partitions();
        let hub = Hub::new(
            servers.updates.log.epoch(),
            partitions,
            HubLimits::default(),
        );
        let start = servers.start_follower(&hub, &health);
        let mut followers = PartitionTasks::new(SystemClock, start);
        followers.start(&(0..partitions).collect::<Vec<_>>());
        let services = self.build_services(&servers, hub, health);
        let router = ::api::router(services.into_state());
        self.deferred.set_router(router);
        serving.ready();
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            failure = followers.next_failure() => Err(failure),
            error = servers.wait_until_outdated() => Err(error.into()),
            never = probe_servers(
                &servers.bars,
                &servers.ticks,
                &servers.redis,
                &servers.trades.log,
            ) => match never {},
        };
        let drained = followers.finish_all(DRAIN_TIMEOUT).await;
        close_topics(vec![servers.trades.log, servers.updates.log]).await;
        ended.and(drained)
    }

    fn build_services(&self, servers: &Servers, hub: Hub, health: Health) -> ApiServices<Cluster> {
        let (trades, bars) = (&servers.trades.log, &servers.bars);
        ApiServices {
            trades: trades.clone(),
            log_id: servers.trades.topic.id().to_owned(),
            bars: bars.clone(),
            ticks: servers.ticks.clone(),
            hot: servers.redis.clone(),
            clock: SystemClock,
            producer: new_producer::<Cluster>(trades, bars, &SystemClock),
            hub,
            health,
            metrics: self.metrics.clone(),
            draining: self.draining.clone(),
        }
    }
}

/// The topics and the stores of a pod.
struct Servers {
    trades: OpenTopic,
    updates: OpenTopic,
    bars: GuardedBars,
    ticks: GuardedTicks,
    redis: OptionalRedis,
}

impl Servers {
    /// Waits until all servers are available. Returns `None` if `stop` is cancelled first.
    async fn connect(
        settings: &Settings,
        health: &Health,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        let Settings { servers, redis } = settings;
        let connector = ServerConnector::new(health.clone(), stop.clone(), servers.breaker);
        let kafka = connector.connect_kafka(&servers.kafka, &servers.topics)?;
        let redis = connector.connect_redis(redis.as_ref())?;
        // Without ticks a pod still serves bars and the stream: it stays ready, and reports the
        // outage.
        let (bars, ticks) = tokio::try_join!(
            connector.connect_timescaledb(&servers.timescaledb),
            connector.connect_clickhouse(&servers.clickhouse, false),
        )?;
        let (Some(bars), Some(ticks)) = (bars, ticks) else {
            return Ok(None);
        };
        let lookup = EpochSource::Lookup(&bars);
        let (trades, updates) = tokio::try_join!(
            open_topic(&connector, &kafka, schemas::TRADES, lookup),
            open_topic(&connector, &kafka, schemas::BAR_UPDATES, lookup),
        )?;
        let (Some(trades), Some(updates)) = (trades, updates) else {
            return Ok(None);
        };
        check_partition_counts(&[(schemas::TRADES, &trades), (schemas::BAR_UPDATES, &updates)])?;
        Ok(Some(Self {
            trades,
            updates,
            bars,
            ticks,
            redis,
        }))
    }

    /// Returns what starts the task of a partition of `bar-updates`, which feeds the hub.
    fn start_follower(&self, hub: &Hub, health: &Health) -> StartPartition {
        let followers: FollowerFactory<Cluster> = FollowerFactory {
            updates: self.updates.log.clone(),
            bars: self.bars.clone(),
            clock: SystemClock,
            hub: hub.clone(),
            health: health.clone(),
        };
        Box::new(move |partition, stop| {
            let follower = followers.build(partition);
            Box::pin(async move { Ok(follower.run(stop).await?) })
        })
    }

    /// Waits until the process has to be restarted: the settings, the positions and the id of the
    /// log are those of the generation of `trades` that it began with, or the brokers have fenced
    /// its producer.
    async fn wait_until_outdated(&self) -> LogError {
        tokio::select! {
            recreated = topic_recreated(&self.trades) => recreated,
            fenced = producer_fenced(&self.trades.log) => fenced,
        }
    }
}
