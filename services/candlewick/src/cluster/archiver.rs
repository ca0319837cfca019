//! `candlewick archiver`: writes the ticks of the partitions that its group assigns to it.

use std::pin::pin;
use std::process::ExitCode;

use archiver::{Archiver, BlockPolicy};
use clap::Args;
use clock::SystemClock;
use eventlog::Log;
use host::{ConfigErrors, Health};
use kafka::KafkaConfig;
use store::{ClickHouseConfig, TickStore, TimescaleConfig};
use tokio_util::sync::CancellationToken;

use super::assignments::Start;
use super::connect::{Cluster, Connector, Ticks, probe};
use super::hot::Hot;
use super::member::{Member, Presence, explain};
use super::topics::{Generation, close, open};
use super::watch::renewed;
use super::{overrun, shell};
use connect::{
    BreakerArgs, BreakerSettings, ClickHouseArgs, GroupArgs, GroupSettings, KafkaArgs, ProcessArgs,
    ProcessSettings, TimescaleArgs, TopicNameArgs, TopicNames, ignore_all_but,
};

const ROLE: &str = "archiver";
const NAME: &str = "candlewick-archiver";
const PORT: u16 = 8082;

/// Every flag is also a variable, `--clickhouse-url` being `CANDLEWICK_CLICKHOUSE_URL`, and a
/// key of the file, `url` in `[clickhouse]`. Flags win over variables, variables over the file.
#[derive(Debug, Default, Args)]
pub(crate) struct ArchiverArgs {
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
    pub(crate) breaker: BreakerArgs,
}

struct Settings {
    kafka: KafkaConfig,
    topics: TopicNames,
    timescaledb: TimescaleConfig,
    clickhouse: ClickHouseConfig,
    group: GroupSettings,
    breaker: BreakerSettings,
}

impl ArchiverArgs {
    fn read(self) -> Result<(ProcessSettings, Settings), ConfigErrors> {
        let mut layers = self.process.layers()?;
        ignore_all_but(
            &mut layers,
            &["kafka", "timescaledb", "clickhouse", "breaker"],
        );
        let process = self.process.read(&mut layers, PORT);
        let group = self.group.read(&mut layers, NAME);
        let breaker = self.breaker.read(&mut layers);
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
            group,
            breaker,
        };
        Ok((process, settings))
    }
}

/// Runs until it is told to stop.
pub(crate) fn run(arguments: ArchiverArgs) -> anyhow::Result<ExitCode> {
    let (process, settings) = arguments.read().map_err(host::Error::from)?;
    shell::run(&process, ROLE, |shell| {
        shell.serve_probes(|health, stop| archive(settings, health, stop))
    })
}

async fn archive(
    settings: Settings,
    health: Health,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let group = health.register("group");
    let connector = Connector::new(health.clone(), stop.clone(), settings.breaker);
    let brokers = connector.brokers(&settings.kafka, &settings.topics)?;
    let (bars, ticks) = tokio::try_join!(
        connector.bars(&settings.timescaledb),
        connector.ticks(&settings.clickhouse, true),
    )?;
    let (Some(bars), Some(ticks)) = (bars, ticks) else {
        return Ok(());
    };
    let follow = Generation::Follow(&bars);
    let Some(opened) = open(&connector, &brokers, schemas::TRADES, follow).await? else {
        return Ok(());
    };
    let trades = opened.log.clone();
    let (log, store) = (trades.clone(), ticks.clone());
    let start: Start = Box::new(move |partition, stop| {
        let health = health.register(&format!("archiver-{partition}"));
        let presence = Presence(health.clone());
        let archiver = Archiver::<Cluster> {
            partition,
            trades: log.clone(),
            ticks: store.clone(),
            clock: SystemClock,
            policy: BlockPolicy::default(),
            metrics: archiver::Metrics::new(partition),
            health,
        };
        Box::pin(async move {
            match archiver.run(stop.clone()).await {
                Err(error) if error.is_below_retention() => {
                    overrun::stand(partition, error, &presence.0, &stop).await;
                    Ok(())
                }
                ended => Ok(ended?),
            }
        })
    });
    let member = Member {
        topic: &opened.topic,
        settings: settings.group,
        component: group,
    };
    let open_topics = vec![trades.clone()];
    let positions = || archived(&ticks, trades.partitions(), trades.epoch());
    let halt = stop.child_token();
    let mut work = pin!(member.work(start, positions, halt.clone()));
    let ended = tokio::select! {
        ended = &mut work => ended,
        remade = renewed(&opened) => {
            halt.cancel();
            let drained = work.await;
            drained.and(Err(explain(remade.into())))
        }
        () = probe(&bars, Some(&ticks), &Hot::Off, &trades) => Ok(()),
    };
    close(open_topics).await;
    ended
}

/// How far each partition is archived; nothing of those of which the store does not say.
async fn archived(ticks: &Ticks, partitions: u32, epoch: u64) -> Vec<(u32, u64)> {
    let mut positions = Vec::new();
    for partition in 0..partitions {
        if let Ok(Some(position)) = ticks.position(partition).await
            && position.epoch == epoch
        {
            positions.push((partition, position.offset));
        }
    }
    positions
}
