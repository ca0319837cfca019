//! `candlewick api`: serves REST and the live stream, and accepts trades, over the cluster.

mod settings;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ::api::{DeferredRouter, Hub, HubLimits};
use clock::SystemClock;
use connect::API_RIGHTS;
use eventlog::{Log, LogError};
use host::{Health, HealthComponent, MetricsHandle, ShutdownStage};
use tokio_util::sync::CancellationToken;

use self::settings::ApiSettings;
use super::partition_tasks::{PartitionTaskFactory, PartitionTasks};
use super::redis::OptionalRedis;
use super::role_process::run_role_and_exit_process;
use super::servers::{
    ClusterBackend, GuardedBars, GuardedTicks, ServerConnector, probe_servers_forever,
};
use super::standstill::{READING_COMPONENT, StandstillWatch};
use super::topic_settings::TopicSettingsWatch;
use super::topic_watch::{wait_until_producer_fenced, watch_topic_until_recreated};
use super::topics::{
    EpochSource, OpenTopic, check_equal_partition_counts, close_topics, open_topic,
};
use crate::roles::{ApiServices, BackendProducer, FollowerFactory, new_producer};

pub(crate) use self::settings::ApiArgs;

const ROLE: &str = "api";

/// How long the followers may take to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the process until a signal stops it.
pub(crate) fn run(arguments: ApiArgs) -> anyhow::Result<ExitCode> {
    let (process, settings) = arguments.read().map_err(host::StartupError::from)?;
    run_role_and_exit_process(&process, ROLE, |process| {
        let deferred = DeferredRouter::default();
        let pod = ApiPod {
            deferred: deferred.clone(),
            metrics: process.metrics.clone(),
            draining: process.supervisor.stage_token(ShutdownStage::Intake),
        };
        process.spawn_role_and_api(deferred, |health, stop| {
            // Registered before the first probe: the servers are ready before the pod serves.
            let serving = health.register("api");
            pod.serve(settings, health, serving, stop)
        })
    })
}

/// A pod of the API: what the role uses of its process.
struct ApiPod {
    deferred: DeferredRouter,
    metrics: MetricsHandle,
    /// Cancelled when connections are to be closed.
    draining: CancellationToken,
}

impl ApiPod {
    /// Waits for the servers, and then serves until `stop` is cancelled.
    async fn serve(
        self,
        settings: ApiSettings,
        health: Health,
        serving: HealthComponent,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let connected = Box::pin(ApiTopicsAndStores::connect(&settings, &health, &stop)).await?;
        let Some(servers) = connected else {
            return Ok(());
        };
        let watch = TopicSettingsWatch::new(
            &settings.servers.kafka,
            &settings.servers.topics,
            &[
                (schemas::TRADES, &servers.trades),
                (schemas::BAR_UPDATES, &servers.updates),
            ],
            health.register("topic-settings"),
        )?;
        let partitions = servers.trades.log.partition_count();
        let hub = Hub::new(
            servers.updates.log.epoch(),
            partitions,
            HubLimits::default(),
        );
        let producer = new_producer::<ClusterBackend>(
            &servers.trades.log,
            &servers.bars,
            &SystemClock,
            settings.limits,
        );
        let task_factory = servers.follower_task_factory(&hub, &producer, &health);
        let mut followers = PartitionTasks::new(SystemClock, task_factory);
        followers.start(&(0..partitions).collect::<Vec<_>>());
        let services = self.build_services(&servers, producer, hub, health);
        let router = ::api::router(services.into_api_state());
        self.deferred.set_router_once(router);
        serving.ready();
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            failure = followers.wait_for_failure() => Err(failure),
            error = servers.wait_until_restart_needed() => Err(error.into()),
            never = watch.run_with(probe_servers_forever(
                &servers.bars,
                &servers.ticks,
                &servers.redis,
                &servers.trades.log,
            )) => match never {},
        };
        let drained = followers
            .stop_all_and_abort_after_timeout(DRAIN_TIMEOUT)
            .await;
        close_topics(vec![servers.trades.log, servers.updates.log]).await;
        ended.and(drained)
    }

    fn build_services(
        &self,
        servers: &ApiTopicsAndStores,
        producer: Arc<BackendProducer<ClusterBackend>>,
        hub: Hub,
        health: Health,
    ) -> ApiServices<ClusterBackend> {
        let (trades, bars) = (&servers.trades.log, &servers.bars);
        ApiServices {
            trades: trades.clone(),
            log_id: servers.trades.topic.id().to_owned(),
            bars: bars.clone(),
            ticks: servers.ticks.clone(),
            hot: servers.redis.clone(),
            clock: SystemClock,
            producer,
            hub,
            health,
            metrics: self.metrics.clone(),
            draining: self.draining.clone(),
        }
    }
}

/// The topics and the stores of a pod.
struct ApiTopicsAndStores {
    trades: OpenTopic,
    updates: OpenTopic,
    bars: GuardedBars,
    ticks: GuardedTicks,
    redis: OptionalRedis,
}

impl ApiTopicsAndStores {
    /// Waits until all servers are available. Returns `None` if `stop` is cancelled first.
    async fn connect(
        settings: &ApiSettings,
        health: &Health,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        let ApiSettings { servers, redis, .. } = settings;
        let connector = ServerConnector::new(health.clone(), stop.clone(), servers.breaker);
        let kafka = connector.new_kafka_client(&servers.kafka, &servers.topics)?;
        let redis = connector.new_redis_store(redis.as_ref())?;
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
        let open = |topic| open_topic(&connector, &kafka, topic, &API_RIGHTS, lookup);
        let (trades, updates) =
            tokio::try_join!(open(schemas::TRADES), open(schemas::BAR_UPDATES),)?;
        let (Some(trades), Some(updates)) = (trades, updates) else {
            return Ok(None);
        };
        check_equal_partition_counts(&[
            (schemas::TRADES, &trades),
            (schemas::BAR_UPDATES, &updates),
        ])?;
        Ok(Some(Self {
            trades,
            updates,
            bars,
            ticks,
            redis,
        }))
    }

    /// Returns the function that creates the task of a partition of `bar-updates`, which feeds the
    /// hub.
    fn follower_task_factory(
        &self,
        hub: &Hub,
        producer: &BackendProducer<ClusterBackend>,
        health: &Health,
    ) -> PartitionTaskFactory {
        let followers: FollowerFactory<ClusterBackend> = FollowerFactory {
            updates: self.updates.log.clone(),
            bars: self.bars.clone(),
            clock: SystemClock,
            hub: hub.clone(),
            settings: producer.known_settings(),
            health: health.clone(),
        };
        let reading = health.register(READING_COMPONENT);
        let standstill = StandstillWatch::new(schemas::BAR_UPDATES, &self.updates.log, reading);
        Box::new(move |partition, stop| {
            let follower = followers.build(partition);
            let standstill = standstill.clone();
            Box::pin(async move {
                let follow = standstill.run_with(partition, follower.run(stop));
                Ok(follow.await?)
            })
        })
    }

    /// Waits until the process has to be restarted, because a topic was recreated or because the
    /// brokers have fenced the producer. The settings, positions and log id that the process holds
    /// belong to the generation of `trades` with which it started.
    async fn wait_until_restart_needed(&self) -> LogError {
        tokio::select! {
            recreated = watch_topic_until_recreated(&self.trades) => recreated,
            recreated = watch_topic_until_recreated(&self.updates) => recreated,
            fenced = wait_until_producer_fenced(&self.trades.log) => fenced,
        }
    }
}
