//! `candlewick aggregator`: folds the partitions that its group assigns to it.

mod settings;

use std::future::{Future, pending};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aggregator::{IdMemoryBudget, WorkerConfig, WorkerError, WorkerStores, WorkerTopics};
use clock::SystemClock;
use connect::AGGREGATOR_RIGHTS;
use eventlog::LogError;
use host::Health;
use store::{BarReader, StoreError};
use tokio_util::sync::CancellationToken;

use self::settings::AggregatorSettings;
use super::group_member::GroupMember;
use super::halted_partition::run_partition_or_halt;
use super::partition_tasks::PartitionTaskFactory;
use super::redis::OptionalRedis;
use super::role_process::run_role_and_exit_process;
use super::servers::{
    ClusterBackend, GuardedBars, GuardedTicks, ServerConnector, probe_servers_forever,
};
use super::standstill::{READING_COMPONENT, StandstillWatch};
use super::topic_database::TradesTopicBinding;
use super::topic_settings::TopicSettingsWatch;
use super::topic_watch::{wait_until_producer_fenced, watch_topic_until_recreated};
use super::topics::{
    EpochSource, OpenTopic, check_equal_partition_counts, close_topics, open_topic,
};
use crate::roles::{RetentionTask, WorkerFactory};

pub(crate) use self::settings::AggregatorArgs;

const ROLE: &str = "aggregator";
/// The time between two turns of retention.
const RETENTION_INTERVAL: Duration = Duration::from_secs(60);

/// Runs the process until a signal stops it.
pub(crate) fn run(arguments: AggregatorArgs) -> anyhow::Result<ExitCode> {
    let (process, settings) = arguments.read().map_err(host::StartupError::from)?;
    run_role_and_exit_process(&process, ROLE, |process| {
        process
            .spawn_role_and_probes(|health, stop| aggregate_until_stopped(settings, health, stop))
    })
}

/// Folds as a member of the group until `stop` is cancelled.
async fn aggregate_until_stopped(
    settings: AggregatorSettings,
    health: Health,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let group = health.register("group");
    let connected = Box::pin(AggregatorTopicsAndStores::connect(
        &settings, &health, &stop,
    ))
    .await?;
    let Some(servers) = connected else {
        return Ok(());
    };
    let watch = TopicSettingsWatch::new(
        &settings.servers.kafka,
        &settings.servers.topics,
        &[
            (schemas::TRADES, &servers.trades),
            (schemas::BAR_UPDATES, &servers.updates),
            (schemas::DEAD_LETTERS, &servers.dead_letters),
        ],
        health.register("topic-settings"),
    )?;
    let member = GroupMember {
        topic: &servers.trades.topic,
        settings: settings.group,
        health: group,
    };
    let id_memory = IdMemoryBudget::new(settings.id_memory_bytes);
    let config = WorkerConfig {
        max_left_out_per_hour: settings.max_left_out_per_hour,
        ..WorkerConfig::default()
    };
    let task_factory = servers.partition_task_factory(health, id_memory, config);
    let next_offsets = || next_offsets_to_fold(&servers.bars);
    let probes = probe_servers_forever(
        &servers.bars,
        &servers.ticks,
        &servers.redis,
        &servers.trades.log,
    );
    let restart_needed = servers.wait_until_restart_needed();
    let ended = member
        .run(
            task_factory,
            next_offsets,
            restart_needed,
            watch.run_with(probes),
            &stop,
        )
        .await;
    close_topics(vec![
        servers.trades.log,
        servers.updates.log,
        servers.dead_letters.log,
    ])
    .await;
    ended
}

/// The topics and the stores of an aggregator.
struct AggregatorTopicsAndStores {
    trades: OpenTopic,
    updates: OpenTopic,
    dead_letters: OpenTopic,
    bars: GuardedBars,
    ticks: GuardedTicks,
    redis: OptionalRedis,
    /// The binding of `trades` to the database; `None` if it cannot be checked.
    binding: Option<TradesTopicBinding>,
}

impl AggregatorTopicsAndStores {
    /// Waits until all servers are available. Returns `None` if `stop` is cancelled first.
    async fn connect(
        settings: &AggregatorSettings,
        health: &Health,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        let AggregatorSettings { servers, redis, .. } = settings;
        let connector = ServerConnector::new(health.clone(), stop.clone(), servers.breaker);
        let kafka = connector.new_kafka_client(&servers.kafka, &servers.topics)?;
        let redis = connector.new_redis_store(redis.as_ref())?;
        let (bars, ticks) = tokio::try_join!(
            connector.connect_timescaledb(&servers.timescaledb),
            connector.connect_clickhouse(&servers.clickhouse, true),
        )?;
        let (Some(bars), Some(ticks)) = (bars, ticks) else {
            return Ok(None);
        };
        let adopt = EpochSource::Adopt(&bars);
        let open = |topic, epoch| open_topic(&connector, &kafka, topic, &AGGREGATOR_RIGHTS, epoch);
        let (trades, updates, dead_letters) = tokio::try_join!(
            open(schemas::TRADES, adopt),
            open(schemas::BAR_UPDATES, adopt),
            open(schemas::DEAD_LETTERS, EpochSource::Fixed),
        )?;
        let (Some(trades), Some(updates), Some(dead_letters)) = (trades, updates, dead_letters)
        else {
            return Ok(None);
        };
        check_equal_partition_counts(&[
            (schemas::TRADES, &trades),
            (schemas::BAR_UPDATES, &updates),
            (schemas::DEAD_LETTERS, &dead_letters),
        ])?;
        let binding =
            TradesTopicBinding::bind_if_database_identifiable(&connector, &trades.topic, &bars)
                .await?;
        let Some(binding) = binding else {
            return Ok(None);
        };
        Ok(Some(Self {
            trades,
            updates,
            dead_letters,
            bars,
            ticks,
            redis,
            binding,
        }))
    }

    /// Returns the function that creates the task of a partition. The task folds; that of
    /// partition 0 also drops expired rows of all partitions.
    fn partition_task_factory(
        &self,
        health: Health,
        id_memory: IdMemoryBudget,
        config: WorkerConfig,
    ) -> PartitionTaskFactory {
        let retention: RetentionTask<ClusterBackend> = RetentionTask {
            trades: self.trades.log.clone(),
            bars: self.bars.clone(),
            ticks: None,
            clock: SystemClock,
        };
        let retention = Arc::new(retention);
        let reading = health.register(READING_COMPONENT);
        let standstill = StandstillWatch::new(schemas::TRADES, &self.trades.log, reading);
        let workers: WorkerFactory<ClusterBackend> = WorkerFactory {
            topics: WorkerTopics {
                trades: self.trades.log.clone(),
                updates: self.updates.log.clone(),
                dead_letters: self.dead_letters.log.clone(),
            },
            stores: WorkerStores {
                bars: self.bars.clone(),
                ticks: self.ticks.clone(),
                hot: self.redis.clone(),
                clock: SystemClock,
            },
            config,
            id_memory,
            health,
        };
        Box::new(move |partition, stop| {
            let worker = workers.build(partition);
            let retention = (partition == 0).then(|| Arc::clone(&retention));
            let standstill = standstill.clone();
            Box::pin(async move {
                let component = worker.health.clone();
                let fold = standstill.run_with(partition, Box::pin(worker.run(stop.clone())));
                let concerns_one_partition = WorkerError::concerns_one_partition;
                let fold = run_partition_or_halt(
                    partition,
                    component,
                    fold,
                    concerns_one_partition,
                    &stop,
                );
                Ok(run_with_retention(fold, retention.as_deref()).await?)
            })
        })
    }

    /// Waits until the process has to be restarted: one of the topics was recreated, or nothing
    /// can be appended any more.
    ///
    /// A worker checks this before it commits, but one that has nothing to commit may wait for
    /// records that never come. And if a topic that is only written was recreated, pods wait
    /// until an aggregator has adopted the new generation, and the client of Kafka may not find
    /// the leader of the new topic.
    async fn wait_until_restart_needed(&self) -> LogError {
        tokio::select! {
            recreated = watch_topic_until_recreated(&self.trades) => recreated,
            recreated = watch_topic_until_recreated(&self.updates) => recreated,
            recreated = watch_topic_until_recreated(&self.dead_letters) => recreated,
            fenced = wait_until_producer_fenced(&self.trades.log) => fenced,
            bound_elsewhere = self.renew_binding_until_bound_elsewhere() => bound_elsewhere,
        }
    }

    async fn renew_binding_until_bound_elsewhere(&self) -> LogError {
        match &self.binding {
            Some(binding) => binding.renew_binding_until_bound_elsewhere().await,
            None => pending().await,
        }
    }
}

/// Runs the task of a partition to its end, and `retention`, if there is one, until then.
async fn run_with_retention(
    task: impl Future<Output = Result<(), WorkerError>>,
    retention: Option<&RetentionTask<ClusterBackend>>,
) -> Result<(), WorkerError> {
    // RetentionTask goes on while the task finishes, so it has a token that is never cancelled.
    let never = CancellationToken::new();
    // Kafka drops old records by itself.
    let release_log = || async { Ok::<(), StoreError>(()) };
    let retention = async {
        match retention {
            Some(retention) => retention.run(RETENTION_INTERVAL, release_log, &never).await,
            None => pending().await,
        }
    };
    tokio::select! {
        biased;
        ended = task => ended,
        () = retention => Ok(()),
    }
}

/// Returns the next offset to fold of each partition that has progress; none if the store fails.
async fn next_offsets_to_fold(bars: &GuardedBars) -> Vec<(u32, u64)> {
    let rows = bars
        .all_partition_progress()
        .await
        .unwrap_or_default()
        .into_iter();
    rows.map(|row| (row.partition, row.next_offset)).collect()
}
