//! A data folder that the real roles fill with two rounds of trades.

use std::path::Path;
use std::time::Duration;

use aggregator::{IdMemoryBudget, PartitionWorker, WorkerConfig, WorkerStores, WorkerTopics};
use archiver::Archiver;
use backend::Backend;
use clap::Parser;
use clock::{Clock, SystemClock};
use eventlog::{EmbeddedLog, Log, MemoryLog};
use host::Health;
use ingest::IngestProducer;
use market::{BarRow, HOUR_NS, IdScheme, IdScope, Instrument, Interval, SettingsChange, Trade};
use store::{
    BarKey, BarReader, BarStore, CommitOutcome, MemoryNewestPriceStore, PartitionTransaction,
    SqliteBarStore, SqliteTickStore, StoredBar, TickStore,
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::trades::{
    DAY_START_NS, PARTITIONS, ROUND_TRADES, append_rejected_trade, parse_instrument, trades_of_step,
};
use crate::arguments::VerifyArgs;
use crate::report::VerifyReport;
use crate::verify::verify_target;
use connect::{DataFolder, DataFolderOptions};

const VENUES: [(&str, IdScheme, IdScope); 5] = [
    ("ranges", IdScheme::Contiguous, IdScope::Symbol),
    ("daily", IdScheme::Contiguous, IdScope::Day),
    ("exact", IdScheme::Unique, IdScope::Symbol),
    ("houses", IdScheme::Unique, IdScope::Exchange),
    ("bare", IdScheme::None, IdScope::Symbol),
];

/// The system's clock, set back by a number of nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct LateClock(i64);

impl Clock for LateClock {
    fn now_ns(&self) -> i64 {
        SystemClock.now_ns() - self.0
    }

    fn monotonic_ns(&self) -> u64 {
        SystemClock.monotonic_ns()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        SystemClock.sleep(duration)
    }
}

/// The log and the stores of a data folder, with a clock that is late.
struct LateBackend;

impl Backend for LateBackend {
    type Trades = EmbeddedLog;
    type Updates = MemoryLog;
    type DeadLetters = EmbeddedLog;
    type Bars = SqliteBarStore;
    type Ticks = SqliteTickStore;
    type Hot = MemoryNewestPriceStore;
    type Clock = LateClock;
}

/// The role that does not process the second round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SkippedRole {
    None,
    Archiver,
    Aggregator,
}

pub(super) struct FilledFolder {
    folder: TempDir,
    clock: LateClock,
    /// A time between the two rounds.
    pub(super) between_rounds_ns: i64,
}

/// The tasks of the roles.
pub(super) struct RunningRoles {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    verify: VerifyArgs,
}

pub(super) fn parse_arguments(data: &str, arguments: &[&str]) -> Result<VerifyArgs, clap::Error> {
    let mut all = vec!["verify", "--no-progress"];
    if !arguments.contains(&"--data") {
        all.extend(["--data", data]);
    }
    all.extend(arguments);
    Arguments::try_parse_from(all).map(|parsed| parsed.verify)
}

impl FilledFolder {
    /// Creates a folder with two rounds of trades, folded and archived.
    pub(super) async fn new() -> Self {
        Self::fill(0, SkippedRole::None).await
    }

    /// Creates a folder whose second round was not processed by one role.
    pub(super) async fn with_skipped_role(skipped: SkippedRole) -> Self {
        Self::fill(0, skipped).await
    }

    /// Creates a folder that was filled `ago_ns` before now.
    pub(super) async fn filled_in_the_past(ago_ns: i64) -> Self {
        Self::fill(ago_ns, SkippedRole::None).await
    }

    /// Creates a folder without trades. Only the state of the `loaded` partitions was ever loaded.
    pub(super) async fn with_loaded_partitions(loaded: &[u32]) -> Self {
        let filled = Self {
            folder: tempfile::tempdir().unwrap(),
            clock: LateClock(0),
            between_rounds_ns: 0,
        };
        let folder = filled.open_folder().await;
        for partition in loaded {
            let epoch = folder.trades.epoch();
            folder
                .bars
                .load_or_create_partition(*partition, epoch)
                .await
                .unwrap();
        }
        folder.close();
        filled
    }

    async fn fill(ago_ns: i64, skipped: SkippedRole) -> Self {
        let mut filled = Self {
            folder: tempfile::tempdir().unwrap(),
            clock: LateClock(ago_ns),
            between_rounds_ns: 0,
        };
        let folder = filled.open_folder().await;
        let producer = filled.create_producer(&folder);
        for (venue, scheme, scope) in VENUES {
            let settings = SettingsChange {
                scheme: Some(scheme),
                scope: Some(scope),
                ..SettingsChange::default()
            };
            producer
                .declare(&venue.parse().unwrap(), settings)
                .await
                .unwrap();
        }
        let running = filled.start_roles(&folder);
        filled.send_round(&folder, 0).await;
        filled
            .wait_until_processed(&folder, SkippedRole::None)
            .await;
        filled.clock.sleep(Duration::from_millis(5)).await;
        filled.between_rounds_ns = filled.clock.now_ns();
        running.stop().await;
        filled.send_round(&folder, 1).await;
        let running = filled.start_roles_without(&folder, skipped);
        filled.wait_until_processed(&folder, skipped).await;
        running.stop().await;
        folder.close();
        filled
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) async fn open_folder(&self) -> DataFolder {
        let options = DataFolderOptions {
            partitions: PARTITIONS,
            ..DataFolderOptions::default()
        };
        DataFolder::open_or_create(self.path(), options, self.clock)
            .await
            .unwrap()
    }

    fn create_producer(
        &self,
        folder: &DataFolder,
    ) -> IngestProducer<EmbeddedLog, SqliteBarStore, LateClock> {
        IngestProducer::new(folder.trades.clone(), folder.bars.clone(), self.clock)
    }

    pub(super) async fn verify(&self, options: &[&str]) -> anyhow::Result<VerifyReport> {
        let mut arguments = parse_arguments(self.path().to_str().unwrap(), options).unwrap();
        let target = arguments.read_target().unwrap();
        verify_target(&arguments, &target, SystemClock).await
    }

    /// Starts the roles of every partition.
    pub(super) fn start_roles(&self, folder: &DataFolder) -> RunningRoles {
        self.start_roles_without(folder, SkippedRole::None)
    }

    fn start_roles_without(&self, folder: &DataFolder, skipped: SkippedRole) -> RunningRoles {
        let clock = self.clock;
        let updates = MemoryLog::new(PARTITIONS, 1, 1 << 20, clock);
        let health = Health::default();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for partition in 0..PARTITIONS {
            let worker = PartitionWorker::<LateBackend> {
                partition,
                topics: WorkerTopics {
                    trades: folder.trades.clone(),
                    updates: updates.clone(),
                    dead_letters: folder.dead_letters.clone(),
                },
                stores: WorkerStores {
                    bars: folder.bars.clone(),
                    ticks: folder.ticks.clone(),
                    hot: MemoryNewestPriceStore::default(),
                    clock,
                },
                config: WorkerConfig {
                    commit_interval: Duration::from_millis(20),
                    advance_interval: Duration::from_millis(50),
                    ..WorkerConfig::default()
                },
                id_memory: IdMemoryBudget::default(),
                metrics: aggregator::WorkerMetrics::new(partition),
                health: health.register("aggregator"),
            };
            let archiver = Archiver::<LateBackend> {
                partition,
                trades: folder.trades.clone(),
                ticks: folder.ticks.clone(),
                clock,
                policy: archiver::BlockPolicy {
                    max_delay: Duration::from_millis(20),
                    ..archiver::BlockPolicy::default()
                },
                metrics: archiver::ArchiverMetrics::new(partition),
                health: health.register("archiver"),
            };
            let token = stop.clone();
            if skipped != SkippedRole::Aggregator {
                tasks.spawn(async move { worker.run(token).await.unwrap() });
            }
            let token = stop.clone();
            if skipped != SkippedRole::Archiver {
                tasks.spawn(async move { archiver.run(token).await.unwrap() });
            }
        }
        RunningRoles { tasks, stop }
    }

    /// Waits until the roles have processed the log up to its current end.
    pub(super) async fn wait_until_processed(&self, folder: &DataFolder, skipped: SkippedRole) {
        for partition in 0..PARTITIONS {
            let end = folder.trades.bounds(partition).await.unwrap().end;
            loop {
                let progress = folder.bars.all_partition_progress().await.unwrap();
                let row = progress.iter().find(|row| row.partition == partition);
                let folded = row.map_or(0, |row| row.next_offset);
                let archived = folder.ticks.next_archive_position(partition).await.unwrap();
                let archived = archived.map_or(0, |position| position.offset);
                if (folded >= end || skipped == SkippedRole::Aggregator)
                    && (archived >= end || skipped == SkippedRole::Archiver)
                {
                    break;
                }
                self.clock.sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// Waits until no minute of a partition is to be refolded.
    pub(super) async fn wait_until_refolded(&self, folder: &DataFolder, partition: u32) {
        while !folder
            .bars
            .dirty_minutes(partition)
            .await
            .unwrap()
            .is_empty()
        {
            self.clock.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends a round of trades of six symbols. A sixth is sent twice, a seventh again in the next
    /// round; some are late, and some are rejected by the fold only.
    pub(super) async fn send_round(&self, folder: &DataFolder, round: u64) {
        let producer = self.create_producer(folder);
        let steps: Vec<u64> = (0..ROUND_TRADES).collect();
        for steps in steps.chunks(50) {
            let trades = steps.iter().flat_map(|step| trades_of_step(round, *step));
            let appended = producer.append(trades.collect()).await.unwrap();
            assert_eq!(appended.rejected, []);
            append_rejected_trade(&folder.trades, round * ROUND_TRADES + steps[0]).await;
        }
    }

    /// Sends trades, each to the symbol A of its venue.
    pub(super) async fn send(&self, folder: &DataFolder, trades: Vec<(&str, Trade)>) {
        let instrument = |venue: &str| parse_instrument(&format!("{venue}:A"));
        let trades = trades.into_iter();
        let trades = trades.map(|(venue, trade)| (instrument(venue), trade));
        let producer = self.create_producer(folder);
        let appended = producer.append(trades.collect()).await.unwrap();
        assert_eq!(appended.rejected, []);
    }

    /// Replaces stored bars of an instrument with wrong ones. `forge` pushes the wrong bars; its
    /// second argument returns the stored bar of an interval and time.
    pub(super) async fn overwrite_bars(
        &self,
        instrument: &Instrument,
        forge: impl FnOnce(&mut Vec<BarRow>, &dyn Fn(Interval, i64) -> BarRow),
    ) {
        let folder = self.open_folder().await;
        let mut rows = Vec::new();
        let mut stored = std::collections::HashMap::new();
        for interval in Interval::ALL {
            for hour in 0..48 {
                let window = interval.window_containing(DAY_START_NS + hour * HOUR_NS);
                let key = BarKey {
                    instrument: instrument.clone(),
                    window,
                };
                let row = folder.bars.bars(&[key]).await.unwrap().pop().flatten();
                stored.extend(row.map(|row| (window, row)));
            }
        }
        folder.close();
        drop(folder);
        forge(&mut rows, &|interval, time_ns| {
            stored[&interval.window_containing(time_ns)].clone()
        });
        let partition = schemas::partition_of(instrument.key().as_bytes(), PARTITIONS);
        self.commit_transaction(partition, |transaction| {
            transaction.bars = rows
                .into_iter()
                .map(|row| StoredBar {
                    instrument: instrument.clone(),
                    row,
                })
                .collect();
        })
        .await;
    }

    /// Commits a transaction that leaves the partition's progress as it is.
    pub(super) async fn commit_transaction(
        &self,
        partition: u32,
        fill: impl FnOnce(&mut PartitionTransaction),
    ) {
        let folder = self.open_folder().await;
        let state = folder
            .bars
            .load_or_create_partition(partition, folder.trades.epoch())
            .await
            .unwrap();
        let progress = state.progress;
        let mut transaction = PartitionTransaction::empty(progress.next_position(), progress);
        fill(&mut transaction);
        assert_eq!(
            folder.bars.commit(&transaction).await.unwrap(),
            CommitOutcome::Committed
        );
        folder.close();
    }
}

impl RunningRoles {
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}
