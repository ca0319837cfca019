//! `candlewick api`: REST, the live stream and the taking in of trades, over the cluster.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ::api::{ApiParts, ApiState, DeferredRouter, Follower, Hub, HubLimits};
use clap::Args;
use clock::SystemClock;
use eventlog::Log;
use host::{ConfigErrors, Health, HealthComponent, MetricsHandle, Stage};
use ingest::Producer;
use kafka::KafkaConfig;
use store::{ClickHouseConfig, RedisConfig, TimescaleConfig};
use tokio_util::sync::CancellationToken;

use super::assignments::{Assignments, Start};
use super::connect::{Bars, Cluster, Connector, Ticks, probe};
use super::hot::Hot;
use super::shell;
use super::topics::{Generation, Opened, check_partitions, close, open};
use super::watch::{renewed, spent};
use connect::{
    BreakerArgs, BreakerSettings, ClickHouseArgs, KafkaArgs, ProcessArgs, ProcessSettings,
    RedisArgs, TimescaleArgs, TopicNameArgs, TopicNames, ignore_all_but,
};

const ROLE: &str = "api";
const PORT: u16 = 8080;

/// How long the followers may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// Every flag is also a variable, `--timescaledb-url` being `CANDLEWICK_TIMESCALEDB_URL`, and a
/// key of the file, `url` in `[timescaledb]`. Flags win over variables, variables over the file.
#[derive(Debug, Default, Args)]
pub(crate) struct ApiArgs {
    #[command(flatten)]
    pub(crate) process: ProcessArgs,
    #[command(flatten)]
    pub(crate) kafka: KafkaArgs,
    #[command(flatten)]
    pub(crate) topics: TopicNameArgs,
    #[command(flatten)]
    pub(crate) timescaledb: TimescaleArgs,
    #[command(flatten)]
    pub(crate) clickhouse: ClickHouseArgs,
    #[command(flatten)]
    pub(crate) redis: RedisArgs,
    #[command(flatten)]
    pub(crate) breaker: BreakerArgs,
}

struct Settings {
    kafka: KafkaConfig,
    topics: TopicNames,
    timescaledb: TimescaleConfig,
    clickhouse: ClickHouseConfig,
    redis: Option<RedisConfig>,
    breaker: BreakerSettings,
}

impl ApiArgs {
    fn read(self) -> Result<(ProcessSettings, Settings), ConfigErrors> {
        let mut layers = self.process.layers()?;
        ignore_all_but(
            &mut layers,
            &["kafka", "timescaledb", "clickhouse", "redis", "breaker"],
        );
        let process = self.process.read(&mut layers, PORT);
        let breaker = self.breaker.read(&mut layers);
        let kafka = self.kafka.read(&mut layers);
        let topics = self.topics.read(&mut layers);
        let timescaledb = self.timescaledb.read(&mut layers);
        let clickhouse = self.clickhouse.read(&mut layers);
        let redis = self.redis.read(&mut layers);
        let servers = timescaledb.zip(clickhouse);
        let (timescaledb, clickhouse) = layers.finish_with(servers)?;
        let settings = Settings {
            kafka,
            topics,
            timescaledb,
            clickhouse,
            redis,
            breaker,
        };
        Ok((process, settings))
    }
}

/// Runs until it is told to stop.
pub(crate) fn run(arguments: ApiArgs) -> anyhow::Result<ExitCode> {
    let (process, settings) = arguments.read().map_err(host::Error::from)?;
    shell::run(&process, ROLE, |shell| {
        let later = DeferredRouter::default();
        let pod = Pod {
            later: later.clone(),
            metrics: shell.metrics.clone(),
            draining: shell.supervisor.token(Stage::Intake),
        };
        shell.serve_api(later, |health, stop| {
            // Before anybody can ask: the servers are ready before the pod serves.
            let serving = health.register("api");
            pod.serve(settings, health, serving, stop)
        })
    })
}

/// What the role needs of the process.
struct Pod {
    later: DeferredRouter,
    metrics: MetricsHandle,
    /// Cancelled when connections are to be closed.
    draining: CancellationToken,
}

/// The topics and stores of a pod.
struct Servers {
    trades: Opened,
    updates: Opened,
    bars: Bars,
    ticks: Ticks,
    hot: Hot,
}

impl Pod {
    async fn serve(
        self,
        settings: Settings,
        health: Health,
        serving: HealthComponent,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let Some(servers) = Box::pin(Servers::find(&settings, &health, &stop)).await? else {
            return Ok(());
        };
        let partitions = servers.trades.log.partitions();
        let hub = Hub::new(
            servers.updates.log.epoch(),
            partitions,
            HubLimits::default(),
        );
        let mut followers = Assignments::new(SystemClock, follow(&servers, &hub, &health));
        followers.assign(&(0..partitions).collect::<Vec<_>>());
        let topics = vec![servers.trades.log.clone(), servers.updates.log.clone()];
        let (bars, ticks) = (servers.bars.clone(), servers.ticks.clone());
        let hot = servers.hot.clone();
        let trades = servers.trades.clone();
        self.later
            .set_router(::api::router(self.state(servers, hub, health)));
        serving.ready();
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            failure = followers.failed() => Err(failure),
            // Settings, positions and the log's id are of the generation that it began with.
            remade = renewed(&trades) => Err(remade.into()),
            refused = spent(&trades.log) => Err(refused.into()),
            () = probe(&bars, Some(&ticks), &hot, &trades.log) => Ok(()),
        };
        let drained = followers.drain(DRAIN).await;
        close(topics).await;
        ended.and(drained)
    }

    fn state(&self, servers: Servers, hub: Hub, health: Health) -> ApiState<Cluster> {
        let (log, bars) = (servers.trades.log, servers.bars);
        let producer = Producer::new(log.clone(), bars.clone(), SystemClock);
        let metrics = self.metrics.clone();
        ApiState::new(ApiParts {
            log,
            log_id: servers.trades.topic.id().to_owned(),
            bars,
            ticks: servers.ticks,
            hot: servers.hot,
            clock: SystemClock,
            producer: Arc::new(producer),
            hub,
            health,
            render_metrics: Arc::new(move || metrics.render()),
            version: env!("CARGO_PKG_VERSION"),
            stop: self.draining.clone(),
        })
    }
}

impl Servers {
    /// Waits for all of them; none where the process is told to stop before.
    async fn find(
        settings: &Settings,
        health: &Health,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        let connector = Connector::new(health.clone(), stop.clone(), settings.breaker);
        let brokers = connector.brokers(&settings.kafka, &settings.topics)?;
        let hot = connector.hot(settings.redis.as_ref())?;
        // Without ticks a pod still serves bars and the stream: it stays ready, and says so.
        let (bars, ticks) = tokio::try_join!(
            connector.bars(&settings.timescaledb),
            connector.ticks(&settings.clickhouse, false),
        )?;
        let (Some(bars), Some(ticks)) = (bars, ticks) else {
            return Ok(None);
        };
        let generation = Generation::Follow(&bars);
        let (trades, updates) = tokio::try_join!(
            open(&connector, &brokers, schemas::TRADES, generation),
            open(&connector, &brokers, schemas::BAR_UPDATES, generation),
        )?;
        let (Some(trades), Some(updates)) = (trades, updates) else {
            return Ok(None);
        };
        check_partitions(&[(schemas::TRADES, &trades), (schemas::BAR_UPDATES, &updates)])?;
        Ok(Some(Self {
            trades,
            updates,
            bars,
            ticks,
            hot,
        }))
    }
}

/// Feeds the hub with a partition of `bar-updates`.
fn follow(servers: &Servers, hub: &Hub, health: &Health) -> Start {
    let (updates, bars) = (servers.updates.log.clone(), servers.bars.clone());
    let (hub, health) = (hub.clone(), health.clone());
    Box::new(move |partition, stop| {
        let follower: Follower<Cluster> = Follower {
            partition,
            updates: updates.clone(),
            bars: bars.clone(),
            clock: SystemClock,
            hub: hub.clone(),
            health: health.register(&format!("hub-{partition}")),
        };
        Box::pin(async move { Ok(follower.run(stop).await?) })
    })
}
