//! One run: the tasks of a simulated cluster, and their scheduler.

mod starts;

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use aggregator::IdMemoryBudget;
use market::{DeclaredSettings, Position, Venue};
use schemas::SETTINGS_PARTITION;

use crate::bar_store::SimBarStore;
use crate::clock::SimClock;
use crate::log::SimLog;
use crate::mutant::Mutant;
use crate::oracle::Oracle;
use crate::pod::Pod;
use crate::random::Random;
use crate::sim_client::SimClient;
use crate::tasks::{CrashableTask, Role};
use crate::tick_store::SimTickStore;
use crate::totals::Totals;
use crate::trade_producer::{PARTITIONS, ProducerRecordGenerator};

pub struct SimCluster {
    pub random: Random,
    pub clock: SimClock,
    pub trades_log: SimLog,
    pub updates_log: SimLog,
    pub dead_letters_log: SimLog,
    pub bars: SimBarStore,
    pub ticks: SimTickStore,
    pub tasks: Vec<CrashableTask>,
    pub pods: Vec<Pod>,
    pub clients: Vec<SimClient>,
    pub producer: ProducerRecordGenerator,
    pub turn: u64,
    pub last_process_number: u64,
    pub mutant: Option<Mutant>,
    pub totals: Totals,
    /// The budgets of all workers so far, which know how many segments have left memory.
    pub id_budgets: Vec<IdMemoryBudget>,
    pub oracles: Vec<Oracle>,
    /// The settings with which each epoch but the first began, in order.
    pub settings_of_epochs: Vec<BTreeMap<Venue, DeclaredSettings>>,
    /// The mean number of turns between two faults. If it is small, little progress is made.
    pub fault_interval_turns: u64,
    /// The partition of which the log has dropped records that were not folded.
    pub overrun_partition: Option<u32>,
    /// Archivers lagged when this epoch began: ticks of earlier ones may be lost.
    pub lost_ticks_before_epoch: u64,
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
        cluster.maybe_send_records_or_inject_fault();
        cluster.step()?;
    }
    if cluster.random.one_in(5) {
        cluster.pass_two_weeks()?;
    }
    match cluster.random.below(6) {
        0 | 1 => cluster.recreate_drained_trades_topic()?,
        // What follows a record that is left out must not be lost with the topic.
        2 | 3 if !cluster.producer.sends_refused_prices() => {
            cluster.recreate_trades_topic_while_roles_lag()?;
        }
        _ => {}
    }
    if cluster.random.one_in(8) {
        cluster.overrun_worker()?;
        return Ok(cluster.into_totals());
    }
    cluster.settle()?;
    cluster.check_end()?;
    Ok(cluster.into_totals())
}

impl SimCluster {
    pub fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let random = Random::new(seed);
        let clock = SimClock::new();
        let mut trades_log = SimLog::new(PARTITIONS, 1, &random, &clock).with_clock_skew();
        if mutant == Some(Mutant::ClosesByWallClock) {
            trades_log = trades_log.with_wall_clock();
        }
        if mutant == Some(Mutant::OlderSettingsApplied) {
            trades_log = trades_log.with_renewed_settings_copies();
        }
        if mutant == Some(Mutant::GapSkipped) {
            trades_log = trades_log.with_skipped_gaps();
        }
        if mutant == Some(Mutant::LeftOutNotFollowed) {
            trades_log = trades_log.without_left_out_records();
        }
        let acknowledges_early = mutant == Some(Mutant::AckBeforeDurable);
        let producer = ProducerRecordGenerator::new(&random);
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
            id_budgets: Vec::new(),
            oracles: (0..PARTITIONS)
                .map(|partition| Oracle::new(partition, PARTITIONS, false))
                .collect(),
            fault_interval_turns: *random.choose(&[15, 40, 120]),
            overrun_partition: None,
            settings_of_epochs: Vec::new(),
            lost_ticks_before_epoch: 0,
            is_stopping: false,
            trades_log,
            clock,
            random,
            producer,
        };
        if cluster.producer.sends_refused_prices() {
            cluster.bars.refuse_price();
            cluster.renew_oracles();
        }
        for entry in cluster.producer.declarations() {
            cluster.send(SETTINGS_PARTITION, vec![entry]);
        }
        cluster.start_all();
        cluster.start_clients();
        cluster
    }

    fn into_totals(mut self) -> Totals {
        let evicted = self.id_budgets.iter().map(IdMemoryBudget::evicted_segments);
        self.totals.add_count("evicted id segments", evicted.sum());
        self.totals
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
            // With this mutant no call waits for the disk; a slow disk shows it sooner.
            if self.mutant != Some(Mutant::AckBeforeDurable) || self.random.one_in(10) {
                self.updates_log.sync(partition);
                self.dead_letters_log.sync(partition);
            }
        }
        if self.random.one_in(40) {
            self.delete_expired_rows();
        }
        self.stop_losing_workers();
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
                if !self.is_stopping && !self.has_task(role) {
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
    pub fn folded_to(&self, partition: u32) -> Option<Position> {
        self.bars.read_stored(|stored| {
            let row = stored.progress.get(&partition)?;
            Some(Position {
                epoch: row.epoch,
                offset: row.next_offset,
            })
        })
    }

    fn stop_losing_workers(&mut self) {
        let losers = self.bars.take_losers();
        if self.mutant == Some(Mutant::LosingWorkerNotRestarted) {
            self.tasks.retain(|task| !losers.contains(&task.number));
        }
    }

    pub fn has_task(&self, role: Role) -> bool {
        self.tasks.iter().any(|task| task.role == role)
    }
}

/// Returns whether a role has ended because its topic was recreated, or because another member has
/// begun with the next generation.
fn is_recreated(error: &str) -> bool {
    error.contains("was recreated; open it again") || error.contains("the log is of epoch")
}
