//! Every role in one process, over one data folder.

mod retain;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;

use aggregator::{Stores, Topics, Worker, WorkerConfig};
use api::{ApiParts, ApiState, Follower, Hub, HubLimits, NewestPrices};
use archiver::{Archiver, BlockPolicy};
use backend::Backend;
use clock::{Clock, SystemClock};
use eventlog::{EmbeddedLog, Log, MemoryLog};
use host::{Health, MetricsHandle, Stage, Supervisor};
use ingest::Producer;
use store::{MemoryHotStore, SqliteBarStore, SqliteTickStore};
use tokio::net::TcpListener;

use connect::Folder;

pub(crate) use retain::log_time;

/// How much of `bar-updates` is kept in memory, by partition.
const UPDATES_BYTES: usize = 32 << 20;

/// The backend of a process that holds every role: the log and the stores of a data folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Embedded;

impl Backend for Embedded {
    type Trades = EmbeddedLog;
    type Updates = MemoryLog;
    type DeadLetters = EmbeddedLog;
    type Bars = SqliteBarStore;
    type Ticks = SqliteTickStore;
    type Hot = MemoryHotStore;
    type Clock = SystemClock;
}

/// How the roles run.
#[derive(Debug, Clone, Copy, Default)]
pub struct EngineOptions {
    /// How often the aggregators do what.
    pub pace: WorkerConfig,
    /// When the archivers cut blocks.
    pub cut: BlockPolicy,
}

/// Every role in one process: its parts, for those who run beside them.
pub struct Engine {
    /// The data folder.
    pub folder: Folder,
    /// The topic `bar-updates`, in memory.
    pub updates: MemoryLog,
    /// The newest prices.
    pub hot: MemoryHotStore,
    /// What the live stream knows.
    pub hub: Hub,
    /// What sends trades in.
    pub producer: Arc<Producer<EmbeddedLog, SqliteBarStore, SystemClock>>,
}

impl Engine {
    /// Starts the roles as tasks of the supervisor, and serves the API on the listener.
    #[must_use]
    pub fn start(
        folder: Folder,
        listener: TcpListener,
        options: EngineOptions,
        supervisor: &mut Supervisor<SystemClock>,
        health: &Health,
        metrics: MetricsHandle,
    ) -> Self {
        let clock = SystemClock;
        let partitions = folder.trades.partitions();
        // Milliseconds, so that a JSON reader with doubles holds it exactly.
        let epoch = u64::try_from(clock.now_ns() / market::MILLISECOND_NS).unwrap_or(1);
        let now: eventlog::Now = Arc::new(move || clock.now_ns());
        let updates = MemoryLog::new(partitions, epoch, UPDATES_BYTES, now);
        let producer = Producer::new(folder.trades.clone(), folder.bars.clone(), clock);
        let engine = Self {
            hot: MemoryHotStore::default(),
            hub: Hub::new(epoch, partitions, HubLimits::default()),
            producer: Arc::new(producer),
            updates,
            folder,
        };
        for partition in 0..partitions {
            engine.start_partition(partition, options, supervisor, health);
        }
        engine.start_api(listener, supervisor, health, metrics.clone());
        let folder = engine.folder.clone();
        supervisor.spawn(Stage::Process, "retention", move |stop| async move {
            retain::run(folder, clock, stop).await;
            Ok(())
        });
        let folder = engine.folder.clone();
        supervisor.spawn(Stage::Observe, "log watch", move |stop| async move {
            watch::run(folder, clock, stop).await
        });
        supervisor.spawn(Stage::Observe, "metrics", move |stop| async move {
            metrics.upkeep(clock, stop).await;
            Ok(())
        });
        engine
    }

    /// The three tasks of a partition: fold, archive, follow.
    fn start_partition(
        &self,
        partition: u32,
        options: EngineOptions,
        supervisor: &mut Supervisor<SystemClock>,
        health: &Health,
    ) {
        let worker: Worker<Embedded> = Worker {
            partition,
            topics: Topics {
                trades: self.folder.trades.clone(),
                updates: self.updates.clone(),
                dead_letters: self.folder.dead_letters.clone(),
            },
            stores: Stores {
                bars: self.folder.bars.clone(),
                ticks: self.folder.ticks.clone(),
                hot: self.hot.clone(),
                clock: SystemClock,
            },
            config: options.pace,
            metrics: aggregator::Metrics::new(partition),
            health: health.register(&format!("aggregator-{partition}")),
        };
        let name = format!("aggregator-{partition}");
        supervisor.spawn(Stage::Process, name, move |stop| async move {
            Ok(worker.run(stop).await?)
        });
        let archiver = Archiver {
            partition,
            trades: self.folder.trades.clone(),
            ticks: self.folder.ticks.clone(),
            clock: SystemClock,
            cut: options.cut,
            metrics: archiver::Metrics::new(partition),
            health: health.register(&format!("archiver-{partition}")),
        };
        let name = format!("archiver-{partition}");
        supervisor.spawn(Stage::Process, name, move |stop| async move {
            Ok(archiver.run(stop).await?)
        });
        let follower = Follower {
            partition,
            updates: self.updates.clone(),
            bars: self.folder.bars.clone(),
            clock: SystemClock,
            hub: self.hub.clone(),
            health: health.register(&format!("hub-{partition}")),
        };
        let name = format!("hub-{partition}");
        supervisor.spawn(Stage::Process, name, move |stop| async move {
            Ok(follower.run(stop).await?)
        });
    }

    fn start_api(
        &self,
        listener: TcpListener,
        supervisor: &mut Supervisor<SystemClock>,
        health: &Health,
        metrics: MetricsHandle,
    ) {
        let state: ApiState<EmbeddedLog, SqliteBarStore, SqliteTickStore, SystemClock> =
            ApiState::new(ApiParts {
                log: self.folder.trades.clone(),
                log_id: self.folder.trades.id(),
                bars: self.folder.bars.clone(),
                ticks: self.folder.ticks.clone(),
                hot: NewestPrices::of(self.hot.clone()),
                clock: SystemClock,
                producer: Arc::clone(&self.producer),
                hub: self.hub.clone(),
                health: health.clone(),
                render_metrics: Arc::new(move || metrics.render()),
                version: env!("CARGO_PKG_VERSION"),
                stop: supervisor.token(Stage::Intake),
            });
        supervisor.spawn(Stage::Intake, "api", move |stop| async move {
            api::serve(listener, api::router(state), stop).await;
            Ok(())
        });
    }

    /// Listens on an address.
    ///
    /// # Errors
    /// Where the address is in use or not of this machine, with what to do about it.
    pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
        TcpListener::bind(address).await.map_err(|error| {
            let hint = match error.kind() {
                std::io::ErrorKind::AddrInUse => {
                    "; another process listens there: stop it, or choose another with --listen"
                }
                _ => "",
            };
            anyhow::anyhow!("cannot listen on {address}: {error}{hint}")
        })
    }
}
