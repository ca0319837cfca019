//! `candlewick archiver`: writes the ticks of the partitions that its group assigns to it.

mod settings;

use std::process::ExitCode;

use archiver::{ArchiverError, BlockPolicy};
use clock::SystemClock;
use connect::ARCHIVER_RIGHTS;
use eventlog::Log;
use host::Health;
use store::TickStore;
use tokio_util::sync::CancellationToken;

use self::settings::ArchiverSettings;
use super::group_member::GroupMember;
use super::halted_partition::run_partition_or_halt;
use super::partition_tasks::PartitionTaskFactory;
use super::redis::OptionalRedis;
use super::role_process::run_role_and_exit_process;
use super::servers::{
    ClusterBackend, GuardedBars, GuardedTicks, GuardedTopic, ServerConnector, probe_servers_forever,
};
use super::standstill::{READING_COMPONENT, StandstillWatch};
use super::topic_settings::TopicSettingsWatch;
use super::topic_watch::watch_topic_until_recreated;
use super::topics::{EpochSource, OpenTopic, close_topics, open_topic};
use crate::roles::ArchiverFactory;

pub(crate) use self::settings::ArchiverArgs;

const ROLE: &str = "archiver";

/// Runs the process until a signal stops it.
pub(crate) fn run(arguments: ArchiverArgs) -> anyhow::Result<ExitCode> {
    let (process, settings) = arguments.read().map_err(host::StartupError::from)?;
    run_role_and_exit_process(&process, ROLE, |process| {
        process.spawn_role_and_probes(|health, stop| archive_until_stopped(settings, health, stop))
    })
}

/// Archives as a member of the group until `stop` is cancelled.
async fn archive_until_stopped(
    settings: ArchiverSettings,
    health: Health,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let group = health.register("group");
    let connected = Box::pin(ArchiverTopicsAndStores::connect(&settings, &health, &stop)).await?;
    let Some(ArchiverTopicsAndStores {
        trades,
        bars,
        ticks,
    }) = connected
    else {
        return Ok(());
    };
    let watch = TopicSettingsWatch::new(
        &settings.servers.kafka,
        &settings.servers.topics,
        &[(schemas::TRADES, &trades)],
        health.register("topic-settings"),
    )?;
    let member = GroupMember {
        topic: &trades.topic,
        settings: settings.group,
        health: group,
    };
    let task_factory = partition_task_factory(trades.log.clone(), ticks.clone(), health);
    let next_offsets =
        || next_offsets_to_archive(&ticks, trades.log.partition_count(), trades.log.epoch());
    let no_redis = OptionalRedis::Disabled;
    let probes = probe_servers_forever(&bars, &ticks, &no_redis, &trades.log);
    let restart_needed = watch_topic_until_recreated(&trades);
    let ended = member
        .run(
            task_factory,
            next_offsets,
            restart_needed,
            watch.run_with(probes),
            &stop,
        )
        .await;
    close_topics(vec![trades.log]).await;
    ended
}

/// The topic and the stores of an archiver.
struct ArchiverTopicsAndStores {
    trades: OpenTopic,
    /// The store of bars, which holds the epochs of topics.
    bars: GuardedBars,
    ticks: GuardedTicks,
}

impl ArchiverTopicsAndStores {
    /// Waits until all servers are available. Returns `None` if `stop` is cancelled first.
    async fn connect(
        settings: &ArchiverSettings,
        health: &Health,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        let servers = &settings.servers;
        let connector = ServerConnector::new(health.clone(), stop.clone(), servers.breaker);
        let kafka = connector.new_kafka_client(&servers.kafka, &servers.topics)?;
        let (bars, ticks) = tokio::try_join!(
            connector.connect_timescaledb(&servers.timescaledb),
            connector.connect_clickhouse(&servers.clickhouse, true),
        )?;
        let (Some(bars), Some(ticks)) = (bars, ticks) else {
            return Ok(None);
        };
        let lookup = EpochSource::Lookup(&bars);
        let trades = open_topic(
            &connector,
            &kafka,
            schemas::TRADES,
            &ARCHIVER_RIGHTS,
            lookup,
        )
        .await?;
        Ok(trades.map(|trades| Self {
            trades,
            bars,
            ticks,
        }))
    }
}

/// Returns the function that creates the task of a partition, which archives it.
fn partition_task_factory(
    trades: GuardedTopic,
    ticks: GuardedTicks,
    health: Health,
) -> PartitionTaskFactory {
    let reading = health.register(READING_COMPONENT);
    let standstill = StandstillWatch::new(schemas::TRADES, &trades, reading);
    let archivers: ArchiverFactory<ClusterBackend> = ArchiverFactory {
        trades,
        ticks,
        clock: SystemClock,
        policy: BlockPolicy::default(),
        health,
    };
    Box::new(move |partition, stop| {
        let archiver = archivers.build(partition);
        let standstill = standstill.clone();
        Box::pin(async move {
            let component = archiver.health.clone();
            let archive = standstill.run_with(partition, archiver.run(stop.clone()));
            let concerns_one_partition = ArchiverError::concerns_one_partition;
            run_partition_or_halt(partition, component, archive, concerns_one_partition, &stop)
                .await?;
            Ok(())
        })
    })
}

/// Returns the next offset to archive of each partition that has progress in this epoch, without
/// those for which the store fails.
async fn next_offsets_to_archive(
    ticks: &GuardedTicks,
    partitions: u32,
    epoch: u64,
) -> Vec<(u32, u64)> {
    let mut offsets = Vec::new();
    for partition in 0..partitions {
        if let Ok(Some(position)) = ticks.next_archive_position(partition).await
            && position.epoch == epoch
        {
            offsets.push((partition, position.offset));
        }
    }
    offsets
}
