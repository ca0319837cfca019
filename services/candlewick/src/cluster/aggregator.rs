//! `candlewick aggregator`: folds the partitions that its group assigns to it.

use std::pin::pin;
use std::process::ExitCode;

use aggregator::{Stores, Topics, Worker, WorkerConfig};
use clap::Args;
use clock::SystemClock;
use eventlog::LogError;
use host::{ConfigErrors, Health};
use kafka::KafkaConfig;
use store::{BarReader, ClickHouseConfig, RedisConfig, TimescaleConfig};
use tokio_util::sync::CancellationToken;

use super::assignments::Start;
use super::connect::{Bars, Cluster, Connector, Ticks, probe};
use super::hot::Hot;
use super::member::{Member, Presence, explain};
use super::topics::{Generation, Opened, check_partitions, close, open};
use super::watch::{renewed, spent};
use super::{overrun, retention, shell};
use connect::{
    BreakerArgs, BreakerSettings, ClickHouseArgs, GroupArgs, GroupSettings, KafkaArgs, ProcessArgs,
    ProcessSettings, RedisArgs, TimescaleArgs, TopicNameArgs, TopicNames,
};

const ROLE: &str = "aggregator";
const NAME: &str = "candlewick-aggregator";
const PORT: u16 = 8081;

/// Every flag is also a variable, `--timescaledb-url` being `CANDLEWICK_TIMESCALEDB_URL`, and a
/// key of the file, `url` in `[timescaledb]`. Flags win over variables, variables over the file.
#[derive(Debug, Default, Args)]
pub(crate) struct AggregatorArgs {
    #[command(flatten)]
    pub(crate) process: ProcessArgs,
    #[command(flatten)]
    pub(crate) group: GroupArgs,
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
    group: GroupSettings,
    breaker: BreakerSettings,
}

impl AggregatorArgs {
    fn read(self) -> Result<(ProcessSettings, Settings), ConfigErrors> {
        let mut layers = self.process.layers()?;
        let process = self.process.read(&mut layers, PORT);
        let group = self.group.read(&mut layers, NAME);
        let breaker = self.breaker.read(&mut layers);
        let redis = self.redis.read(&mut layers);
        let kafka = self.kafka.read(&mut layers);
        let topics = self.topics.read(&mut layers);
        let timescaledb = self.timescaledb.read(&mut layers);
        let clickhouse = self.clickhouse.read(&mut layers);
        let servers = timescaledb.zip(clickhouse);
        let (timescaledb, clickhouse) = layers.finish_with(servers)?;
        let settings = Settings {
            kafka,
            topics,
            timescaledb,
            clickhouse,
            redis,
            group,
            breaker,
        };
        Ok((process, settings))
    }
}

/// Runs until it is told to stop.
pub(crate) fn run(arguments: AggregatorArgs) -> anyhow::Result<ExitCode> {
    let (process, settings) = arguments.read().map_err(host::Error::from)?;
    shell::run(&process, ROLE, |shell| {
        shell.serve_probes(|health, stop| aggregate(settings, health, stop))
    })
}

/// What every partition is given.
#[derive(Clone)]
struct Parts {
    topics: Topics<Cluster>,
    bars: Bars,
    ticks: Ticks,
    hot: Hot,
    health: Health,
}

async fn aggregate(
    settings: Settings,
    health: Health,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let group = health.register("group");
    let connector = Connector::new(health.clone(), stop.clone(), settings.breaker);
    let brokers = connector.brokers(&settings.kafka, &settings.topics)?;
    let hot = connector.hot(settings.redis.as_ref())?;
    let (bars, ticks) = tokio::try_join!(
        connector.bars(&settings.timescaledb),
        connector.ticks(&settings.clickhouse, true),
    )?;
    let (Some(bars), Some(ticks)) = (bars, ticks) else {
        return Ok(());
    };
    let adopt = Generation::Adopt(&bars);
    let (trades, updates, dead_letters) = tokio::try_join!(
        open(&connector, &brokers, schemas::TRADES, adopt),
        open(&connector, &brokers, schemas::BAR_UPDATES, adopt),
        open(
            &connector,
            &brokers,
            schemas::DEAD_LETTERS,
            Generation::Unknown
        ),
    )?;
    let (Some(trades), Some(updates), Some(dead_letters)) = (trades, updates, dead_letters) else {
        return Ok(());
    };
    check_partitions(&[
        (schemas::TRADES, &trades),
        (schemas::BAR_UPDATES, &updates),
        (schemas::DEAD_LETTERS, &dead_letters),
    ])?;
    let topics = Topics {
        trades: trades.log.clone(),
        updates: updates.log.clone(),
        dead_letters: dead_letters.log.clone(),
    };
    let open_topics = [&topics.trades, &topics.updates, &topics.dead_letters];
    let open_topics = open_topics.map(Clone::clone).to_vec();
    let parts = Parts {
        topics,
        bars: bars.clone(),
        ticks: ticks.clone(),
        hot: hot.clone(),
        health,
    };
    let member = Member {
        topic: &trades.topic,
        settings: settings.group,
        component: group,
    };
    let start: Start = Box::new(move |partition, stop| {
        let parts = parts.clone();
        Box::pin(async move { parts.fold(partition, stop).await })
    });
    let positions = || folded(&bars);
    let halt = stop.child_token();
    let mut work = pin!(member.work(start, positions, halt.clone()));
    let ended = tokio::select! {
        ended = &mut work => ended,
        outdated = outdated([&trades, &updates, &dead_letters]) => {
            halt.cancel();
            let drained = work.await;
            drained.and(Err(explain(outdated.into())))
        }
        () = probe(&bars, Some(&ticks), &hot, &trades.log) => Ok(()),
    };
    close(open_topics).await;
    ended
}

/// Waits until the process has to be started again: one of the topics was made anew, or nothing
/// can be appended. A worker asks before it commits; one that has nothing to commit may wait for
/// records that never come. And of those that are only written, pods wait until somebody has
/// taken up the new generation, and Kafka's client may not find a new topic's leader.
async fn outdated([trades, updates, dead_letters]: [&Opened; 3]) -> LogError {
    tokio::select! {
        remade = renewed(trades) => remade,
        remade = renewed(updates) => remade,
        remade = renewed(dead_letters) => remade,
        refused = spent(&trades.log) => refused,
    }
}

impl Parts {
    /// Folds a partition until it is told to stop. The owner of partition 0 also drops what is
    /// old, for all.
    async fn fold(self, partition: u32, stop: CancellationToken) -> anyhow::Result<()> {
        let health = self.health.register(&format!("aggregator-{partition}"));
        let presence = Presence(health.clone());
        let (bars, trades) = (self.bars.clone(), self.topics.trades.clone());
        let worker = Worker {
            partition,
            topics: self.topics,
            stores: Stores {
                bars: self.bars,
                ticks: self.ticks,
                hot: self.hot,
                clock: SystemClock,
            },
            config: WorkerConfig::default(),
            metrics: aggregator::Metrics::new(partition),
            health,
        };
        let keep = async {
            match partition {
                0 => retention::run(bars, trades).await,
                _ => std::future::pending().await,
            }
        };
        let work = async {
            match worker.run(stop.clone()).await {
                Err(error) if error.is_below_retention() => {
                    overrun::stand(partition, error, &presence.0, &stop).await;
                    Ok(())
                }
                ended => Ok(ended?),
            }
        };
        tokio::select! {
            biased;
            ended = work => ended,
            () = keep => Ok(()),
        }
    }
}

/// How far each partition is folded; nothing where the store does not say.
async fn folded(bars: &Bars) -> Vec<(u32, u64)> {
    let rows = bars.progress().await.unwrap_or_default().into_iter();
    rows.map(|row| (row.partition, row.next_offset)).collect()
}
