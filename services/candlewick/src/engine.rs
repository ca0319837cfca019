//! Every role in one process, over one data folder.

mod log_release;
mod log_watch;

use std::sync::Arc;
use std::time::Duration;

use aggregator::{IdMemoryBudget, WorkerConfig, WorkerStores, WorkerTopics};
use api::{Hub, HubLimits};
use archiver::BlockPolicy;
use backend::Backend;
use clock::{Clock, SystemClock};
use connect::DataFolder;
use eventlog::{EmbeddedLog, Log, MemoryLog};
use host::{Health, MetricsHandle, ShutdownStage, Supervisor};
use ingest::VenueAndSymbolLimits;
use store::{MemoryNewestPriceStore, SqliteBarStore, SqliteTickStore};
use tokio::net::TcpListener;

use self::log_release::release_processed_records;
use self::log_watch::watch_logs_for_failures;
use crate::roles::{
    ApiServices, ArchiverFactory, BackendProducer, FollowerFactory, RetentionTask, WorkerFactory,
    new_producer,
};

/// The size up to which a partition of `bar-updates` is kept in memory.
const UPDATES_BYTES: usize = 32 << 20;
/// The time between two turns of retention.
const RETENTION_INTERVAL: Duration = Duration::from_secs(30);

/// The backend of a process that holds every role: the log and the stores of a data folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EmbeddedBackend;

impl Backend for EmbeddedBackend {
    type Trades = EmbeddedLog;
    type Updates = MemoryLog;
    type DeadLetters = EmbeddedLog;
    type Bars = SqliteBarStore;
    type Ticks = SqliteTickStore;
    type Hot = MemoryNewestPriceStore;
    type Clock = SystemClock;
}

/// What bounds the memory of a process that holds every role.
pub(crate) struct EngineOptions {
    /// How many venues and symbols there may be.
    pub(crate) limits: VenueAndSymbolLimits,
    /// The memory for ids, which the partitions share.
    pub(crate) id_memory: IdMemoryBudget,
}

/// Every role in one process. The fields are what the roles share with each other and with the
/// other tasks of the process.
pub(crate) struct EmbeddedRoles {
    /// The data folder.
    pub(crate) folder: DataFolder,
    /// The topic `bar-updates`, in memory.
    pub(crate) updates: MemoryLog,
    /// The newest prices.
    pub(crate) hot: MemoryNewestPriceStore,
    /// The newest bars and the subscribers of the live stream.
    pub(crate) hub: Hub,
    /// Appends trades to the log.
    pub(crate) producer: Arc<BackendProducer<EmbeddedBackend>>,
    /// The memory for ids, which the partitions share.
    pub(crate) id_memory: IdMemoryBudget,
}

impl EmbeddedRoles {
    /// Starts the roles as tasks of the supervisor and serves the API on the listener.
    #[must_use]
    pub(crate) fn start(
        folder: DataFolder,
        options: EngineOptions,
        listener: TcpListener,
        supervisor: &mut Supervisor<SystemClock>,
        health: &Health,
        metrics: MetricsHandle,
    ) -> Self {
        let roles = Self::new(folder, options);
        roles.spawn_partitions(supervisor, health);
        roles.spawn_api(listener, supervisor, health, metrics.clone());
        roles.spawn_retention(supervisor);
        let folder = roles.folder.clone();
        supervisor.spawn(
            ShutdownStage::Observe,
            "log watch",
            move |stop| async move { watch_logs_for_failures(folder, SystemClock, stop).await },
        );
        supervisor.spawn(ShutdownStage::Observe, "metrics", move |stop| async move {
            metrics.run_maintenance(SystemClock, stop).await;
            Ok(())
        });
        roles
    }

    fn new(folder: DataFolder, options: EngineOptions) -> Self {
        let clock = SystemClock;
        let partitions = folder.trades.partition_count();
        // Milliseconds, so that a JSON reader that uses doubles holds it exactly.
        let epoch = u64::try_from(clock.now_ns() / market::MILLISECOND_NS).unwrap_or(1);
        Self {
            updates: MemoryLog::new(partitions, epoch, UPDATES_BYTES, clock),
            hot: MemoryNewestPriceStore::default(),
            hub: Hub::new(epoch, partitions, HubLimits::default()),
            producer: new_producer::<EmbeddedBackend>(
                &folder.trades,
                &folder.bars,
                &clock,
                options.limits,
            ),
            folder,
            id_memory: options.id_memory,
        }
    }

    /// Starts three tasks for each partition: one folds, one archives, one feeds the hub.
    fn spawn_partitions(&self, supervisor: &mut Supervisor<SystemClock>, health: &Health) {
        let (workers, archivers, followers) = (
            self.worker_factory(health),
            self.archiver_factory(health),
            self.follower_factory(health),
        );
        for partition in 0..self.folder.trades.partition_count() {
            let worker = workers.build(partition);
            let name = format!("aggregator-{partition}");
            supervisor.spawn(ShutdownStage::Process, name, move |stop| async move {
                Ok(worker.run(stop).await?)
            });
            let archiver = archivers.build(partition);
            let name = format!("archiver-{partition}");
            supervisor.spawn(ShutdownStage::Process, name, move |stop| async move {
                Ok(archiver.run(stop).await?)
            });
            let follower = followers.build(partition);
            let name = format!("hub-{partition}");
            supervisor.spawn(ShutdownStage::Process, name, move |stop| async move {
                Ok(follower.run(stop).await?)
            });
        }
    }

    fn worker_factory(&self, health: &Health) -> WorkerFactory<EmbeddedBackend> {
        WorkerFactory {
            topics: WorkerTopics {
                trades: self.folder.trades.clone(),
                updates: self.updates.clone(),
                dead_letters: self.folder.dead_letters.clone(),
            },
            stores: WorkerStores {
                bars: self.folder.bars.clone(),
                ticks: self.folder.ticks.clone(),
                hot: self.hot.clone(),
                clock: SystemClock,
            },
            config: WorkerConfig::default(),
            id_memory: self.id_memory.clone(),
            health: health.clone(),
        }
    }

    fn archiver_factory(&self, health: &Health) -> ArchiverFactory<EmbeddedBackend> {
        ArchiverFactory {
            trades: self.folder.trades.clone(),
            ticks: self.folder.ticks.clone(),
            clock: SystemClock,
            policy: BlockPolicy::default(),
            health: health.clone(),
        }
    }

    fn follower_factory(&self, health: &Health) -> FollowerFactory<EmbeddedBackend> {
        FollowerFactory {
            updates: self.updates.clone(),
            bars: self.folder.bars.clone(),
            clock: SystemClock,
            hub: self.hub.clone(),
            settings: self.producer.known_settings(),
            health: health.clone(),
        }
    }

    fn spawn_api(
        &self,
        listener: TcpListener,
        supervisor: &mut Supervisor<SystemClock>,
        health: &Health,
        metrics: MetricsHandle,
    ) {
        let services: ApiServices<EmbeddedBackend> = ApiServices {
            trades: self.folder.trades.clone(),
            log_id: self.folder.trades.id(),
            bars: self.folder.bars.clone(),
            ticks: self.folder.ticks.clone(),
            hot: self.hot.clone(),
            clock: SystemClock,
            producer: Arc::clone(&self.producer),
            hub: self.hub.clone(),
            health: health.clone(),
            metrics,
            draining: supervisor.stage_token(ShutdownStage::Intake),
        };
        let router = api::router(services.into_api_state());
        supervisor.spawn(ShutdownStage::Intake, "api", move |stop| async move {
            api::serve(listener, router, stop).await;
            Ok(())
        });
    }

    fn spawn_retention(&self, supervisor: &mut Supervisor<SystemClock>) {
        let folder = self.folder.clone();
        let retention: RetentionTask<EmbeddedBackend> = RetentionTask {
            trades: folder.trades.clone(),
            bars: folder.bars.clone(),
            ticks: Some(folder.ticks.clone()),
            clock: SystemClock,
        };
        supervisor.spawn(
            ShutdownStage::Process,
            "retention",
            move |stop| async move {
                let release = || release_processed_records(&folder);
                retention.run(RETENTION_INTERVAL, release, &stop).await;
                Ok(())
            },
        );
    }
}
