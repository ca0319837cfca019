//! One run: the tasks, the scheduler, and what must hold.

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

use crate::clock::SimClock;
use crate::log::SimLog;
use crate::oracle::Oracle;
use crate::pod::Pod;
use crate::random::Random;
use crate::sim_client::SimClient;
use crate::store::SimBarStore;
use crate::ticks::SimTickStore;
use crate::totals::Totals;
use crate::trades::{PARTITIONS, Trades};

/// A rule that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    NoCompareAndSet,
    CommitFirst,
    NoWatermarks,
    WallClock,
    DeltaToAnyone,
    LoserStaysAway,
    /// What is announced and buried is acknowledged before it is durable, so that a commit
    /// can come first.
    AckBeforeDurable,
    /// The trades that came to a marked minute are not part of the transaction.
    LaterForgotten,
    /// Trades that were amended before they came are not part of the transaction.
    AheadForgotten,
    /// A reader whose next record was dropped is given the first that is kept.
    GapSkipped,
    /// The archiver's position is kept without the append time before it.
    AppendTimeForgotten,
}

pub type Task = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A task that may be dropped at any moment.
pub struct Running {
    pub task: Task,
    pub role: Role,
    pub number: u64,
    /// The world does not poll it before this turn: a process that is stopped for a while.
    pub asleep_until: u64,
    pub stop: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Worker(u32),
    Archiver(u32),
    Follower,
}

pub struct World {
    pub random: Random,
    pub clock: SimClock,
    pub trades_log: SimLog,
    pub updates_log: SimLog,
    pub letters_log: SimLog,
    pub bars: SimBarStore,
    pub ticks: SimTickStore,
    pub running: Vec<Running>,
    pub pods: Vec<Pod>,
    pub clients: Vec<SimClient>,
    pub trades: Trades,
    pub turn: u64,
    pub next_number: u64,
    pub mutant: Option<Mutant>,
    pub totals: Totals,
    pub oracles: Vec<Oracle>,
    /// How many turns pass between two troubles, about: in some runs nothing gets far.
    pub trouble_every: u64,
    /// Of this partition the log has dropped what was not folded.
    pub overrun: Option<u32>,
    /// Roles that end are not followed by others.
    pub is_over: bool,
}

/// Runs one seed; an error says which invariant broke.
pub fn run_seed(seed: u64, mutant: Option<Mutant>) -> Result<Totals, String> {
    let mut world = World::new(seed, mutant);
    let turns = 250 + world.random.below(600);
    while world.turn < turns {
        world.trouble();
        world.step()?;
    }
    if world.random.one_in(3) {
        world.renew()?;
    }
    if world.random.one_in(8) {
        world.overrun()?;
        return Ok(world.totals);
    }
    world.settle()?;
    world.check_end()?;
    Ok(world.totals)
}

impl World {
    fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let random = Random::new(seed);
        let clock = SimClock::new();
        let mut trades_log = SimLog::new(PARTITIONS, 1, &random, &clock).with_skew();
        if mutant == Some(Mutant::WallClock) {
            trades_log = trades_log.with_wall_clock();
        }
        if mutant == Some(Mutant::GapSkipped) {
            trades_log = trades_log.that_skips();
        }
        let hasty = mutant == Some(Mutant::AckBeforeDurable);
        let trades = Trades::new(&random);
        let mut world = Self {
            updates_log: SimLog::new(PARTITIONS, 1_000, &random, &clock).with_haste(hasty),
            letters_log: SimLog::new(PARTITIONS, 1, &random, &clock).with_haste(hasty),
            bars: SimBarStore::new(PARTITIONS, &random, mutant),
            ticks: SimTickStore::new(&random, mutant),
            running: Vec::new(),
            pods: Vec::new(),
            clients: Vec::new(),
            turn: 0,
            next_number: 1,
            mutant,
            totals: Totals::default(),
            oracles: (0..PARTITIONS)
                .map(|partition| Oracle::new(partition, PARTITIONS, 1))
                .collect(),
            trouble_every: *random.choose(&[15, 40, 120]),
            overrun: None,
            is_over: false,
            trades_log,
            clock,
            random,
            trades,
        };
        for (partition, entry) in world.trades.declarations() {
            world.send(partition, vec![entry]);
        }
        world.start_all();
        world.start_clients();
        world
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
        for instrument in self.trades.instruments() {
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
        self.running.push(Running {
            task,
            role,
            number,
            asleep_until: 0,
            stop,
        });
    }

    pub fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// The generation of the log that is there becomes the one that is folded, as when an
    /// aggregator starts.
    pub fn adopt(&mut self) {
        if self.bars.adopt_now(self.trades_log.current_epoch()) {
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
        let number = self.number();
        self.adopt();
        let worker = Worker {
            partition,
            topics: Topics {
                trades: self.trades_log.reopened(),
                updates: self.updates_log.clone(),
                dead_letters: self.letters_log.clone(),
            },
            stores: Stores {
                bars: self.bars.of_worker(number),
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
        let number = self.number();
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
        let number = self.number();
        let (pod, tasks) = Pod::start(number, &self.updates_log, &self.bars, &self.clock);
        for task in tasks {
            self.run(Role::Follower, number, CancellationToken::new(), task);
        }
        self.pods.push(pod);
    }

    /// A producer sends some records; it sends them again where it is not told that they arrived.
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
        let number = self.number();
        self.run(
            Role::Follower,
            number,
            CancellationToken::new(),
            Box::pin(task),
        );
    }

    /// Polls one task or one client, lets some time pass, and checks what was committed.
    pub fn step(&mut self) -> Result<(), String> {
        self.turn += 1;
        for _ in 0..4 {
            self.poll_one()?;
        }
        let place = usize::try_from(self.random.below(self.clients.len() as u64)).unwrap();
        self.clients[place].step(&self.pods)?;
        self.clock
            .pass(i64::try_from(self.random.below(8_000_000)).unwrap());
        if self.random.one_in(3) {
            let partition = u32::try_from(self.random.below(PARTITIONS.into())).unwrap();
            self.trades_log.sync(partition);
            self.updates_log.sync(partition);
            self.letters_log.sync(partition);
        }
        self.ban_losers();
        self.check_commits()
    }

    fn poll_one(&mut self) -> Result<(), String> {
        if self.running.is_empty() {
            return Ok(());
        }
        let place = usize::try_from(self.random.below(self.running.len() as u64)).unwrap();
        let running = &mut self.running[place];
        if running.asleep_until > self.turn {
            return Ok(());
        }
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(ended) = running.task.as_mut().poll(&mut context) else {
            return Ok(());
        };
        let running = self.running.swap_remove(place);
        match (ended, running.role) {
            (Ok(()), Role::Worker(_) | Role::Archiver(_)) if !running.stop.is_cancelled() => {
                Err(format!("{:?} ended without being told to", running.role))
            }
            // What the group has taken from one member is another's by now.
            (Ok(()), role @ (Role::Worker(_) | Role::Archiver(_))) => {
                if !self.is_over && !self.has(role) {
                    self.start(role);
                }
                Ok(())
            }
            (Ok(()), Role::Follower) => Ok(()),
            (Err(error), Role::Worker(partition) | Role::Archiver(partition))
                if error.contains("is not within") && self.overrun == Some(partition) =>
            {
                self.totals.count("overruns", 1);
                Ok(())
            }
            // The process ends, and is started anew.
            (Err(error), Role::Worker(partition)) if error.contains("made anew") => {
                self.totals.count("workers of an old epoch", 1);
                self.start_worker(partition);
                Ok(())
            }
            (Err(error), Role::Archiver(partition)) if error.contains("made anew") => {
                self.adopt();
                self.start_archiver(partition);
                Ok(())
            }
            (Err(error), role) => Err(format!("{role:?} failed: {error}")),
        }
    }

    /// How far the stored state of a partition is.
    pub fn folded(&self, partition: u32) -> Option<Position> {
        self.bars.look(|stored| {
            let row = stored.progress.get(&partition)?;
            Some(Position {
                epoch: row.epoch,
                offset: row.next_offset,
            })
        })
    }

    fn ban_losers(&mut self) {
        let losers = self.bars.take_losers();
        if self.mutant == Some(Mutant::LoserStaysAway) {
            self.running
                .retain(|running| !losers.contains(&running.number));
        }
    }

    pub fn has(&self, role: Role) -> bool {
        self.running.iter().any(|running| running.role == role)
    }
}
