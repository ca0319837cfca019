//! A data folder that the real roles fill.

use std::path::Path;
use std::time::Duration;

use aggregator::{Stores, Topics, Worker, WorkerConfig};
use archiver::Archiver;
use backend::Backend;
use clap::Parser;
use clock::{Clock, SystemClock};
use eventlog::{EmbeddedLog, Log, MemoryLog};
use host::Health;
use ingest::Producer;
use market::{BarRow, HOUR_NS, IdScheme, IdScope, Instrument, Interval, VenueSettings};
use store::{
    BarKey, BarReader, BarStore, CommitOutcome, MemoryHotStore, SqliteBarStore, SqliteTickStore,
    StoredBar, TickStore, Transaction,
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::trades::{DAY_START_NS, TRADES, append_rejected, deliveries};
use crate::report::Report;
use crate::{VerifyArgs, verify};
use connect::{Folder, FolderOptions};

pub(super) const PARTITIONS: u32 = 2;

/// The log and the stores of a data folder, at a clock that is behind.
struct Embedded;

impl Backend for Embedded {
    type Trades = EmbeddedLog;
    type Updates = MemoryLog;
    type DeadLetters = EmbeddedLog;
    type Bars = SqliteBarStore;
    type Ticks = SqliteTickStore;
    type Hot = MemoryHotStore;
    type Clock = Ago;
}

const VENUES: [(&str, IdScheme, IdScope); 5] = [
    ("ranges", IdScheme::Contiguous, IdScope::Symbol),
    ("daily", IdScheme::Contiguous, IdScope::Day),
    ("exact", IdScheme::Unique, IdScope::Symbol),
    ("houses", IdScheme::Unique, IdScope::Exchange),
    ("bare", IdScheme::None, IdScope::Symbol),
];

/// The machine's clock, some time ago.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ago(i64);

impl Clock for Ago {
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

/// Which role did not see the second round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    None,
    Archivers,
    Aggregators,
}

pub(super) struct World {
    folder: TempDir,
    clock: Ago,
    /// A time between the two rounds.
    pub(super) between_rounds_ns: i64,
}

/// Roles at work.
pub(super) struct Running {
    roles: JoinSet<()>,
    stop: CancellationToken,
}

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    verify: VerifyArgs,
}

pub(super) fn arguments(data: &str, arguments: &[&str]) -> Result<VerifyArgs, clap::Error> {
    let mut all = vec!["verify", "--no-progress"];
    if !arguments.contains(&"--data") {
        all.extend(["--data", data]);
    }
    all.extend(arguments);
    Arguments::try_parse_from(all).map(|parsed| parsed.verify)
}

pub(super) fn instrument(text: &str) -> Instrument {
    text.parse().unwrap()
}

impl World {
    /// Two rounds of trades, folded and archived.
    pub(super) async fn filled() -> Self {
        Self::filled_with(0, Behind::None).await
    }

    /// The same, where a role has not seen the second round.
    pub(super) async fn filled_but(behind: Behind) -> Self {
        Self::filled_with(0, behind).await
    }

    /// The same, some time ago.
    pub(super) async fn filled_before(ago_ns: i64) -> Self {
        Self::filled_with(ago_ns, Behind::None).await
    }

    /// An empty one, of which some partitions were taken up once.
    pub(super) async fn unfolded(taken_up: &[u32]) -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Ago(0),
            between_rounds_ns: 0,
        };
        let folder = world.open().await;
        for partition in taken_up {
            let epoch = folder.trades.epoch();
            folder.bars.load_partition(*partition, epoch).await.unwrap();
        }
        folder.close();
        world
    }

    async fn filled_with(ago_ns: i64, behind: Behind) -> Self {
        let mut world = Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Ago(ago_ns),
            between_rounds_ns: 0,
        };
        let folder = world.open().await;
        let producer = world.producer(&folder);
        for (venue, scheme, scope) in VENUES {
            let settings = VenueSettings {
                scheme,
                scope,
                ..VenueSettings::default()
            };
            producer
                .declare(&venue.parse().unwrap(), settings)
                .await
                .unwrap();
        }
        let running = world.start(&folder);
        world.send(&folder, 0).await;
        world.settle(&folder, Behind::None).await;
        world.clock.sleep(Duration::from_millis(5)).await;
        world.between_rounds_ns = world.clock.now_ns();
        running.stop().await;
        world.send(&folder, 1).await;
        let running = world.start_but(&folder, behind);
        world.settle(&folder, behind).await;
        running.stop().await;
        folder.close();
        world
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) async fn open(&self) -> Folder {
        let options = FolderOptions {
            partitions: PARTITIONS,
            ..FolderOptions::default()
        };
        Folder::open(self.path(), options, self.clock)
            .await
            .unwrap()
    }

    fn producer(&self, folder: &Folder) -> Producer<EmbeddedLog, SqliteBarStore, Ago> {
        Producer::new(folder.trades.clone(), folder.bars.clone(), self.clock)
    }

    pub(super) async fn verify(&self, options: &[&str]) -> anyhow::Result<Report> {
        let mut arguments = arguments(self.path().to_str().unwrap(), options).unwrap();
        let subject = arguments.subject().unwrap();
        verify(&arguments, &subject, SystemClock).await
    }

    /// Starts the roles of every partition.
    pub(super) fn start(&self, folder: &Folder) -> Running {
        self.start_but(folder, Behind::None)
    }

    fn start_but(&self, folder: &Folder, behind: Behind) -> Running {
        let clock = self.clock;
        let updates = MemoryLog::new(PARTITIONS, 1, 1 << 20, clock);
        let health = Health::default();
        let stop = CancellationToken::new();
        let mut roles = JoinSet::new();
        for partition in 0..PARTITIONS {
            let worker = Worker {
                partition,
                topics: Topics {
                    trades: folder.trades.clone(),
                    updates: updates.clone(),
                    dead_letters: folder.dead_letters.clone(),
                },
                stores: Stores {
                    bars: folder.bars.clone(),
                    ticks: folder.ticks.clone(),
                    hot: MemoryHotStore::default(),
                    clock,
                },
                pace: WorkerConfig {
                    commit_every: Duration::from_millis(20),
                    advance_every: Duration::from_millis(50),
                    ..WorkerConfig::default()
                },
                metrics: aggregator::Metrics::new(partition),
                health: health.register("aggregator"),
            };
            let archiver: Archiver<Embedded> = Archiver {
                partition,
                trades: folder.trades.clone(),
                ticks: folder.ticks.clone(),
                clock,
                policy: archiver::BlockPolicy {
                    max_delay: Duration::from_millis(20),
                    ..archiver::BlockPolicy::default()
                },
                metrics: archiver::Metrics::new(partition),
                health: health.register("archiver"),
            };
            let token = stop.clone();
            if behind != Behind::Aggregators {
                roles.spawn(async move { worker.run(token).await.unwrap() });
            }
            let token = stop.clone();
            if behind != Behind::Archivers {
                roles.spawn(async move { archiver.run(token).await.unwrap() });
            }
        }
        Running { roles, stop }
    }

    /// Waits until the roles have come to the present end of the log.
    pub(super) async fn settle(&self, folder: &Folder, behind: Behind) {
        for partition in 0..PARTITIONS {
            let end = folder.trades.bounds(partition).await.unwrap().end;
            loop {
                let progress = folder.bars.partition_progress().await.unwrap();
                let row = progress.iter().find(|row| row.partition == partition);
                let folded = row.map_or(0, |row| row.next_offset);
                let archived = folder.ticks.archive_position(partition).await.unwrap();
                let archived = archived.map_or(0, |position| position.offset);
                if (folded >= end || behind == Behind::Aggregators)
                    && (archived >= end || behind == Behind::Archivers)
                {
                    break;
                }
                self.clock.sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// Waits until no minute of a partition is marked to be folded anew.
    pub(super) async fn settle_marks(&self, folder: &Folder, partition: u32) {
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

    /// Sends trades of six symbols, a sixth of them twice, a seventh again a round later, some
    /// late, and some that only the fold rejects.
    pub(super) async fn send(&self, folder: &Folder, round: u64) {
        let producer = self.producer(folder);
        let places: Vec<u64> = (0..TRADES).collect();
        for places in places.chunks(50) {
            let trades = places.iter().flat_map(|place| deliveries(round, *place));
            let appended = producer.append(trades.collect()).await.unwrap();
            assert_eq!(appended.rejected, []);
            append_rejected(&folder.trades, round * TRADES + places[0]).await;
        }
    }

    /// Writes bars of an instrument over those that are stored, as no worker would.
    pub(super) async fn change(
        &self,
        instrument: &Instrument,
        forge: impl FnOnce(&mut Vec<BarRow>, &dyn Fn(Interval, i64) -> BarRow),
    ) {
        let folder = self.open().await;
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
        self.commit(partition, |transaction| {
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

    /// Commits a transaction that moves nothing.
    pub(super) async fn commit(&self, partition: u32, fill: impl FnOnce(&mut Transaction)) {
        let folder = self.open().await;
        let state = folder
            .bars
            .load_partition(partition, folder.trades.epoch())
            .await
            .unwrap();
        let progress = state.progress;
        let mut transaction = Transaction {
            expected: progress.next_position(),
            progress,
            bars: Vec::new(),
            symbols: Vec::new(),
            venues: Vec::new(),
            id_sets: Vec::new(),
            excluded_ranges: Vec::new(),
            dirty_minutes: Vec::new(),
            pending_amendments: Vec::new(),
        };
        fill(&mut transaction);
        assert_eq!(
            folder.bars.commit(&transaction).await.unwrap(),
            CommitOutcome::Committed
        );
        folder.close();
    }
}

impl Running {
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.roles.join_next().await {
            ended.unwrap();
        }
    }
}
