//! The faults, and when they happen.

use market::Position;

use crate::cluster::SimCluster;
use crate::log::SimLog;
use crate::mutant::Mutant;
use crate::random::Random;
use crate::tasks::Role;
use crate::trade_producer::{PARTITIONS, ProducerRecordGenerator};

/// A few days without trades.
const LONG_PAUSE_NS: i64 = 3 * market::DAY_NS;

impl SimCluster {
    /// Sends some records or injects a fault, if the seed chooses so.
    pub fn maybe_send_records_or_inject_fault(&mut self) {
        if self.random.one_in(4) {
            for (partition, entry) in self.producer.next_records() {
                self.send(partition, vec![entry]);
            }
        }
        if self.random.one_in(30) {
            let (venue, change) = self.producer.settings_change();
            self.declare_by_pod(venue, change);
        }
        if !self.random.one_in(self.fault_interval_turns) {
            return;
        }
        match self.random.below(20) {
            0..=2 => self.crash_worker(),
            3..=4 => self.start_or_drop_zombie(),
            5 => self.freeze_task(),
            6 => self.crash_archiver(),
            7 => self.lose_random_pod(),
            8 => self.lose_power(),
            9 => {
                self.bars.start_outage(self.random.below(60));
                self.totals.add_count("outages", 1);
            }
            10 => self.disconnect(),
            11 => {
                self.bars.sync_now();
                let kept = self.random.below(4);
                self.updates_log.keep_newest(self.random_partition(), kept);
                self.totals.add_count("wrapped rings", 1);
            }
            12 if self.random.one_in(6) && self.has_no_marks() => {
                self.bars.sync_now();
                self.ticks.sync_now();
                self.clock.advance(LONG_PAUSE_NS);
                self.totals.add_count("long nights", 1);
            }
            13 => self.hand_over(Role::Worker(self.random_partition())),
            14 => self.hand_over(Role::Archiver(self.random_partition())),
            15 => self.rebalance(),
            16..=18 => self.drop_processed_records(),
            _ => self.clock.advance(20_000_000_000),
        }
    }

    /// Returns whether no minute is marked: a refold needs ticks that have not expired.
    fn has_no_marks(&self) -> bool {
        let never_marks = !self.producer.amends() && !self.producer.sends_refused_prices();
        never_marks
            || self.bars.read_stored(|stored| {
                let folded = |partition: &u32| {
                    let row = stored.progress.get(partition);
                    row.is_some_and(|row| row.next_offset == self.trades_log.end(*partition))
                };
                stored.dirty.is_empty() && (0..PARTITIONS).all(|partition| folded(&partition))
            })
    }

    fn random_partition(&self) -> u32 {
        u32::try_from(self.random.below(PARTITIONS.into())).unwrap()
    }

    /// Drops the first task of a role at the point where it waits; returns whether there was one.
    fn drop_task(&mut self, role: Role) -> bool {
        let place = self.tasks.iter().position(|task| task.role == role);
        if let Some(place) = place {
            self.tasks.swap_remove(place);
        }
        place.is_some()
    }

    fn crash_worker(&mut self) {
        let partition = self.random_partition();
        if self.drop_task(Role::Worker(partition)) {
            self.start_worker(partition);
            self.totals.add_count("worker crashes", 1);
        }
    }

    /// Starts a second worker of a partition while the first continues, or drops one of two.
    fn start_or_drop_zombie(&mut self) {
        let partition = self.random_partition();
        let role = Role::Worker(partition);
        if self.tasks.iter().filter(|task| task.role == role).count() > 1 {
            self.drop_task(role);
        } else {
            self.start_worker(partition);
            self.totals.add_count("zombies", 1);
        }
    }

    /// Freezes a task for some turns.
    fn freeze_task(&mut self) {
        if !self.tasks.is_empty() {
            let place = self.random.below(self.tasks.len() as u64);
            let until = self.turn + self.random.below(150);
            self.tasks[usize::try_from(place).unwrap()].frozen_until_turn = until;
            self.totals.add_count("sleeps", 1);
        }
    }

    /// Moves a partition from one member of the group to another. The first finishes what it has
    /// begun; the second starts after that, or before if the first takes too long.
    fn hand_over(&mut self, role: Role) {
        for task in self.tasks.iter().filter(|task| task.role == role) {
            task.stop.cancel();
        }
        if self.random.one_in(2) {
            self.start(role);
        }
        self.totals.add_count("hand-overs", 1);
    }

    /// Moves every partition to another member, in random order.
    fn rebalance(&mut self) {
        let mut roles: Vec<Role> = (0..PARTITIONS)
            .flat_map(|of| [Role::Worker(of), Role::Archiver(of)])
            .collect();
        while !roles.is_empty() {
            let place = self.random.below(roles.len() as u64);
            self.hand_over(roles.swap_remove(usize::try_from(place).unwrap()));
        }
        self.totals.add_count("rebalances", 1);
    }

    /// Drops records of the log that both roles have durably processed. A role that was frozen, or
    /// that continues from an older position, may still try to read them.
    fn drop_processed_records(&mut self) {
        self.bars.sync_now();
        self.ticks.sync_now();
        let epoch = self.trades_log.current_epoch();
        for partition in 0..PARTITIONS {
            let passed = self
                .folded_to(partition)
                .min(self.ticks.archived_to(partition));
            if let Some(passed) = passed.filter(|passed| passed.epoch == epoch) {
                let dropped = match self.random.one_in(2) {
                    true => passed.offset,
                    false => self.random.below(passed.offset + 1),
                };
                self.trades_log.drop_below(partition, dropped);
                self.totals.add_count("retained", u64::from(dropped > 0));
            }
        }
    }

    /// Drops records of the log that the worker of a partition has not folded, as if it was behind
    /// for too long. Each worker of the partition has to stop with an error while the other
    /// partitions continue, and the stored state has to stay right.
    pub fn overrun_worker(&mut self) -> Result<(), String> {
        self.bars.sync_now();
        self.ticks.sync_now();
        let partition = self.random_partition();
        let here = [Role::Worker(partition), Role::Archiver(partition)];
        self.tasks.retain(|task| !here.contains(&task.role));
        for _ in 0..3 {
            self.trades_log
                .append_now(partition, vec![ProducerRecordGenerator::advance()]);
        }
        let end = self.trades_log.end(partition);
        self.trades_log.drop_below(partition, end - 1);
        self.overrun_partition = Some(partition);
        // A new generation of the topic begins at its first offset.
        self.adopt_current_epoch();
        let offset = |folded: Option<Position>| folded.map_or(0, |at| at.offset);
        let folded = offset(self.folded_to(partition));
        here.into_iter().for_each(|role| self.start(role));
        // Faults are so rare that a worker which continued would commit.
        self.fault_interval_turns = 150;
        let turns = self.turn + 300 + self.random.below(300);
        while self.turn < turns {
            self.maybe_send_records_or_inject_fault();
            self.step()?;
        }
        for partition in 0..PARTITIONS {
            self.check_state(partition)?;
        }
        match offset(self.folded_to(partition)) == folded {
            true => Ok(()),
            false => Err(format!(
                "partition {partition} went on from {folded} over a gap"
            )),
        }
    }

    fn crash_archiver(&mut self) {
        let partition = self.random_partition();
        if self.drop_task(Role::Archiver(partition)) {
            self.start_archiver(partition);
            self.totals.add_count("archiver crashes", 1);
        }
    }

    fn lose_random_pod(&mut self) {
        self.lose_pod(self.random.index(self.pods.len()));
    }

    /// Ends a pod and starts another, which is the last one then.
    pub fn lose_pod(&mut self, index: usize) {
        let pod = self.pods.remove(index);
        self.tasks.retain(|task| task.number != pod.number);
        for client in &mut self.clients {
            client.lose_pod(pod.number);
        }
        self.start_pod();
        self.totals.add_count("pods lost", 1);
    }

    fn disconnect(&mut self) {
        let place = self.random.index(self.clients.len());
        self.clients[place].disconnect();
        self.totals.add_count("disconnects", 1);
    }

    /// Ends every process and drops what is not durable. The topic `bar-updates` is recreated, as
    /// in one process, or survives, as on a cluster.
    fn lose_power(&mut self) {
        let producers = |task: &crate::tasks::CrashableTask| {
            task.role == Role::Follower && !self.pods.iter().any(|pod| pod.number == task.number)
        };
        self.tasks.retain(producers);
        for pod in std::mem::take(&mut self.pods) {
            for client in &mut self.clients {
                client.lose_pod(pod.number);
            }
        }
        self.trades_log.lose_power();
        self.updates_log.lose_power();
        self.dead_letters_log.lose_power();
        self.bars.lose_power();
        self.ticks.lose_power();
        if self.random.one_in(2) {
            let epoch = eventlog::Log::epoch(&self.updates_log) + 1;
            self.updates_log = recreated_updates_log(&self.random, self, epoch);
        }
        self.start_all();
        self.totals.add_count("power losses", 1);
    }
}

fn recreated_updates_log(random: &Random, cluster: &SimCluster, epoch: u64) -> SimLog {
    let acknowledges_early = cluster.mutant == Some(Mutant::AckBeforeDurable);
    SimLog::new(PARTITIONS, epoch, random, &cluster.clock)
        .with_early_acknowledgement(acknowledges_early)
}
