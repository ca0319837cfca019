//! One run: the tasks of a simulated cluster, and their scheduler.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aggregator::{Stores, Topics, Worker, WorkerConfig};
use api::ChannelName;
use archiver::{Archiver, BlockPolicy};
use host::Health;
use market::{Interval, Position};
use store::MemoryHotStore;
use tokio_util::sync::CancellationToken;

use crate::bar_store::SimBarStore;
use crate::clock::SimClock;
use crate::log::SimLog;
use crate::oracle::Oracle;
use crate::pod::Pod;
use crate::random::Random;
use crate::sim_client::SimClient;
use crate::tick_store::SimTickStore;
use crate::totals::Totals;
use crate::trade_producer::{PARTITIONS, TradeProducer};

/// A rule that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    NoCompareAndSet,
    PositionBeforeState,
    WatermarksLost,
    ClosesByWallClock,
    DeltaWithoutPrev,
    LosingWorkerNotRestarted,
    /// Announcements and dead letters are acknowledged before they are durable, so that a commit
    /// can come first.
    AckBeforeDurable,
    /// Transactions omit the later trades of marked minutes.
    MarkedMinuteTradesLost,
    /// Transactions omit pending amendments.
    PendingAmendmentsLost,
    /// A reader whose next record was dropped gets the first retained record instead of an error.
    GapSkipped,
    /// The archive progress is stored without its append time.
    AppendTimeLost,
}

pub type Task = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A task that may be dropped at any moment.
pub struct RunningTask {
    pub task: Task,
    pub role: Role,
    pub number: u64,
    /// The scheduler does not poll the task before this turn: its process is frozen.
    pub frozen_until_turn: u64,
    pub stop: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Worker(u32),
    Archiver(u32),
    Follower,
}

pub struct SimCluster {
    pub random: Random,
    pub clock: SimClock,
    pub trades_log: SimLog,
    pub updates_log: SimLog,
    pub dead_letters_log: SimLog,
    pub bars: SimBarStore,
    pub ticks: SimTickStore,
    pub tasks: Vec<RunningTask>,
    pub pods: Vec<Pod>,
    pub clients: Vec<SimClient>,
    pub producer: TradeProducer,
    pub turn: u64,
    pub last_process_number: u64,
    pub mutant: Option<Mutant>,
    pub totals: Totals,
    pub oracles: Vec<Oracle>,
    /// The mean number of turns between two faults. If it is small, little progress is made.
    pub fault_interval_turns: u64,
    /// The partition of which the log has dropped records that were not folded.
    pub overrun_partition: Option<u32>,
    /// A role that ends is not started again.
    pub is_stopping: bool,
}

/// Runs one seed.
///
/// # Errors
/// Which invariant was broken.
pub fn run_seed(seed: u64, mutant: Option<Mutant>) -> Result<Totals, String> {
    let mut cluster = SimCluster::new(seed, mutant);
    let turns = 250 + cluster.random.below(600);
    while cluster.turn < turns {
        cluster.maybe_inject_fault();
        cluster.step()?;
    }
    if cluster.random.one_in(3) {
        cluster.recreate_trades_topic()?;
    }
    if cluster.random.one_in(8) {
        cluster.overrun_worker()?;
        return Ok(cluster.totals);
    }
    cluster.settle()?;
    cluster.check_end()?;
    Ok(cluster.totals)
}

impl SimCluster {
    fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let random = Random::new(seed);
        let clock = SimClock::new();
        let mut trades_log = SimLog::new(PARTITIONS, 1, &random, &clock).with_clock_skew();
        if mutant == Some(Mutant::ClosesByWallClock) {
            trades_log = trades_log.with_wall_clock();
        }
        if mutant == Some(Mutant::GapSkipped) {
            trades_log = trades_log.with_skipped_gaps();
        }
        let acknowledges_early = mutant == Some(Mutant::AckBeforeDurable);
        let producer = TradeProducer::new(&random);
        let mut cluster = Self {
            updates_log: SimLog::new(PARTITIONS, 1_000, &random, &clock)
                .with_early_acknowledgement(acknowledges_early),
            dead_letters_log: SimLog::new(PARTITIONS, 1, &random, &clock)
                .with_early_acknowledgement(acknowledges_early),
            bars: SimBarStore::new(PARTITIONS, &random, mutant),
            ticks: SimTickStore::new(&random, mutant),
            tasks: Vec::new(),
            pods: Vec::new(),
            clients: Vec::new(),
            turn: 0,
            last_process_number: 1,
            mutant,
            totals: Totals::default(),
            oracles: (0..PARTITIONS)
                .map(|partition| Oracle::new(partition, PARTITIONS, 1))
                .collect(),
            fault_interval_turns: *random.choose(&[15, 40, 120]),
            overrun_partition: None,
            is_stopping: false,
            trades_log,
            clock,
            random,
            producer,
        };
        for (partition, entry) in cluster.producer.declarations() {
            cluster.send(partition, vec![entry]);
        }
        cluster.start_all();
        cluster.start_clients();
        cluster
    }

    pub fn start_all(&mut self) {
        for partition in 0..PARTITIONS {
            self.start_worker(partition);
            self.start_archiver(partition);
        }
        for _ in 0..2 {
            self.start_pod();
        }
    }

    fn start_clients(&mut self) {
        for instrument in self.producer.instruments() {
            let interval = *self.random.choose(&Interval::ALL);
            for interval in [Interval::M1, interval] {
                let name = ChannelName {
                    instrument: instrument.clone(),
                    interval,
                };
                self.clients
                    .push(SimClient::new(name, &self.random, self.mutant));
            }
        }
    }

    fn run(&mut self, role: Role, number: u64, stop: CancellationToken, task: Task) {
        self.tasks.push(RunningTask {
            task,
            role,
            number,
            frozen_until_turn: 0,
            stop,
        });
    }

    pub fn next_process_number(&mut self) -> u64 {
        self.last_process_number += 1;
        self.last_process_number
    }

    /// Adopts the current epoch of the log, as an aggregator does when it starts.
    pub fn adopt_current_epoch(&mut self) {
        if self.bars.adopt_epoch(self.trades_log.current_epoch()) {
            let fresh = |partition| Oracle::new(partition, PARTITIONS, 1);
            self.oracles = (0..PARTITIONS).map(fresh).collect();
        }
    }

    pub fn start(&mut self, role: Role) {
        match role {
            Role::Worker(partition) => self.start_worker(partition),
            Role::Archiver(partition) => self.start_archiver(partition),
            Role::Follower => unreachable!("pods start these"),
        }
    }

    pub fn start_worker(&mut self, partition: u32) {
        let number = self.next_process_number();
        self.adopt_current_epoch();
        let worker = Worker {
            partition,
            topics: Topics {
                trades: self.trades_log.reopened(),
                updates: self.updates_log.clone(),
                dead_letters: self.dead_letters_log.clone(),
            },
            stores: Stores {
                bars: self.bars.for_worker(number),
                ticks: self.ticks.clone(),
                hot: MemoryHotStore::default(),
                clock: self.clock.clone(),
            },
            pace: WorkerConfig {
                commit_every: Duration::from_millis(self.random.below(400) + 20),
                call_timeout: Duration::from_secs(2),
                retry_most: Duration::from_millis(400),
                uncommitted_bytes: (self.random.below(100) + 20) * 40,
                ..WorkerConfig::default()
            },
            metrics: aggregator::Metrics::new(partition),
            health: Health::default().register("worker"),
        };
        let stop = CancellationToken::new();
        let token = stop.clone();
        let task = async move { worker.run(token).await.map_err(|error| error.to_string()) };
        self.run(Role::Worker(partition), number, stop, Box::pin(task));
    }

    pub fn start_archiver(&mut self, partition: u32) {
        let number = self.next_process_number();
        let archiver = Archiver {
            partition,
            trades: self.trades_log.reopened(),
            ticks: self.ticks.clone(),
            clock: self.clock.clone(),
            cut: BlockPolicy {
                offsets: self.random.below(30) + 5,
                after: Duration::from_millis(200),
                ..BlockPolicy::default()
            },
            metrics: archiver::Metrics::new(partition),
            health: Health::default().register("archiver"),
        };
        let stop = CancellationToken::new();
        let token = stop.clone();
        let task = async move { archiver.run(token).await.map_err(|error| error.to_string()) };
        self.run(Role::Archiver(partition), number, stop, Box::pin(task));
    }

    pub fn start_pod(&mut self) {
        let number = self.next_process_number();
        let (pod, tasks) = Pod::start(number, &self.updates_log, &self.bars, &self.clock);
        for task in tasks {
            self.run(Role::Follower, number, CancellationToken::new(), task);
        }
        self.pods.push(pod);
    }

    /// Starts a producer that sends some records, and repeats them until they are acknowledged.
    pub fn send(&mut self, partition: u32, entries: Vec<eventlog::NewRecord>) {
        let (log, random) = (self.trades_log.clone(), self.random.clone());
        let task = async move {
            while eventlog::Log::append(&log, partition, entries.clone())
                .await
                .is_err()
            {
                random.pause(3).await;
            }
            Ok(())
        };
        let number = self.next_process_number();
        self.run(
            Role::Follower,
            number,
            CancellationToken::new(),
            Box::pin(task),
        );
    }

    /// Polls some tasks and a client, lets some time pass, and checks what was committed.
    pub fn step(&mut self) -> Result<(), String> {
        self.turn += 1;
        for _ in 0..4 {
            self.poll_one()?;
        }
        let place = self.random.index(self.clients.len());
        self.clients[place].step(&self.pods)?;
        self.clock
            .advance(i64::try_from(self.random.below(8_000_000)).unwrap());
        if self.random.one_in(3) {
            let partition = u32::try_from(self.random.below(PARTITIONS.into())).unwrap();
            self.trades_log.sync(partition);
            self.updates_log.sync(partition);
            self.dead_letters_log.sync(partition);
        }
        self.ban_losers();
        self.check_commits()
    }

    fn poll_one(&mut self) -> Result<(), String> {
        if self.tasks.is_empty() {
            return Ok(());
        }
        let place = self.random.index(self.tasks.len());
        let task = &mut self.tasks[place];
        if task.frozen_until_turn > self.turn {
            return Ok(());
        }
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(ended) = task.task.as_mut().poll(&mut context) else {
            return Ok(());
        };
        let task = self.tasks.swap_remove(place);
        match (ended, task.role) {
            (Ok(()), Role::Worker(_) | Role::Archiver(_)) if !task.stop.is_cancelled() => {
                Err(format!("{:?} ended although it was not stopped", task.role))
            }
            // The group has revoked the partition; another member owns it now.
            (Ok(()), role @ (Role::Worker(_) | Role::Archiver(_))) => {
                if !self.is_stopping && !self.has(role) {
                    self.start(role);
                }
                Ok(())
            }
            (Ok(()), Role::Follower) => Ok(()),
            (Err(error), Role::Worker(partition) | Role::Archiver(partition))
                if error.contains("is not within") && self.overrun_partition == Some(partition) =>
            {
                self.totals.add_count("overruns", 1);
                Ok(())
            }
            // The process ends and is restarted.
            (Err(error), Role::Worker(partition)) if is_recreated(&error) => {
                self.totals.add_count("workers of an old epoch", 1);
                self.start_worker(partition);
                Ok(())
            }
            (Err(error), Role::Archiver(partition)) if is_recreated(&error) => {
                self.adopt_current_epoch();
                self.start_archiver(partition);
                Ok(())
            }
            (Err(error), role) => Err(format!("{role:?} failed: {error}")),
        }
    }

    /// Returns the position up to which a partition's stored state is folded.
    pub fn folded(&self, partition: u32) -> Option<Position> {
        self.bars.read_stored(|stored| {
            let row = stored.progress.get(&partition)?;
            Some(Position {
                epoch: row.epoch,
                offset: row.next_offset,
            })
        })
    }

    fn ban_losers(&mut self) {
        let losers = self.bars.take_losers();
        if self.mutant == Some(Mutant::LosingWorkerNotRestarted) {
            self.tasks.retain(|task| !losers.contains(&task.number));
        }
    }

    pub fn has(&self, role: Role) -> bool {
        self.tasks.iter().any(|task| task.role == role)
    }
}

/// Returns whether a role has ended because its topic was recreated.
fn is_recreated(error: &str) -> bool {
    let recreated = eventlog::LogError::Recreated {
        topic: "simulated".to_owned(),
    };
    error.contains(&recreated.to_string())
}
