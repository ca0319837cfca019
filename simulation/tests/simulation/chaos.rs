//! What goes wrong, and when.

use market::Position;

use crate::log::SimLog;
use crate::random::Random;
use crate::trades::{PARTITIONS, Trades};
use crate::world::{Mutant, Role, World};

/// A night, or a few days, in which nobody trades.
const LONG_NS: i64 = 3 * market::DAY_NS;

impl World {
    /// Something may happen: trade, or trouble.
    pub fn trouble(&mut self) {
        if self.random.one_in(4) {
            for (partition, entry) in self.trades.next() {
                self.send(partition, vec![entry]);
            }
        }
        if !self.random.one_in(self.trouble_every) {
            return;
        }
        match self.random.below(20) {
            0..=2 => self.crash_worker(),
            3..=4 => self.start_zombie(),
            5 => self.put_to_sleep(),
            6 => self.crash_archiver(),
            7 => self.lose_pod(),
            8 => self.lose_power(),
            9 => {
                self.bars.fail_for(self.random.below(60));
                self.totals.count("outages", 1);
            }
            10 => self.disconnect(),
            11 => {
                self.bars.sync_now();
                let kept = self.random.below(4);
                self.updates_log.wrap(self.partition(), kept);
                self.totals.count("wrapped rings", 1);
            }
            12 if self.random.one_in(6) && self.is_clean() => {
                self.clock.pass(LONG_NS);
                self.totals.count("long nights", 1);
            }
            13 => self.hand_over(Role::Worker(self.partition())),
            14 => self.hand_over(Role::Archiver(self.partition())),
            15 => self.rebalance(),
            16..=18 => self.retain(),
            _ => self.clock.pass(20_000_000_000),
        }
    }

    /// Whether no minute waits to be folded anew: its ticks have to be there still.
    fn is_clean(&self) -> bool {
        !self.trades.amends()
            || self.bars.look(|stored| {
                let folded = |partition: &u32| {
                    let row = stored.progress.get(partition);
                    row.is_some_and(|row| row.next_offset == self.trades_log.end(*partition))
                };
                stored.dirty.is_empty() && (0..PARTITIONS).all(|partition| folded(&partition))
            })
    }

    fn partition(&self) -> u32 {
        u32::try_from(self.random.below(PARTITIONS.into())).unwrap()
    }

    /// The first task in a role, dropped where it waits.
    fn crash(&mut self, role: Role) -> bool {
        let place = self.running.iter().position(|running| running.role == role);
        if let Some(place) = place {
            self.running.swap_remove(place);
        }
        place.is_some()
    }

    fn crash_worker(&mut self) {
        let partition = self.partition();
        if self.crash(Role::Worker(partition)) {
            self.start_worker(partition);
            self.totals.count("worker crashes", 1);
        }
    }

    /// A second worker of a partition, while the first goes on; one of them ends some time.
    fn start_zombie(&mut self) {
        let partition = self.partition();
        let role = Role::Worker(partition);
        if self
            .running
            .iter()
            .filter(|running| running.role == role)
            .count()
            > 1
        {
            self.crash(role);
        } else {
            self.start_worker(partition);
            self.totals.count("zombies", 1);
        }
    }

    /// A process that is stopped for a while, and goes on as if nothing had happened.
    fn put_to_sleep(&mut self) {
        if !self.running.is_empty() {
            let place = self.random.below(self.running.len() as u64);
            let until = self.turn + self.random.below(150);
            self.running[usize::try_from(place).unwrap()].asleep_until = until;
            self.totals.count("sleeps", 1);
        }
    }

    /// The group takes a partition from one member and gives it to another: the first is told to
    /// finish what it has begun. The second begins after that, or before, where it takes too long.
    fn hand_over(&mut self, role: Role) {
        for running in self.running.iter().filter(|running| running.role == role) {
            running.stop.cancel();
        }
        if self.random.one_in(2) {
            self.start(role);
        }
        self.totals.count("hand-overs", 1);
    }

    /// The group gives every partition to another member, in any order.
    fn rebalance(&mut self) {
        let mut roles: Vec<Role> = (0..PARTITIONS)
            .flat_map(|of| [Role::Worker(of), Role::Archiver(of)])
            .collect();
        while !roles.is_empty() {
            let place = self.random.below(roles.len() as u64);
            self.hand_over(roles.swap_remove(usize::try_from(place).unwrap()));
        }
        self.totals.count("rebalances", 1);
    }

    /// The log drops some of what both roles have durably passed. One that slept meanwhile, or
    /// is another's successor, may still want it.
    fn retain(&mut self) {
        self.bars.sync_now();
        self.ticks.sync_now();
        let epoch = self.trades_log.current_epoch();
        for partition in 0..PARTITIONS {
            let passed = self.folded(partition).min(self.ticks.reached(partition));
            if let Some(passed) = passed.filter(|passed| passed.epoch == epoch) {
                let dropped = match self.random.one_in(2) {
                    true => passed.offset,
                    false => self.random.below(passed.offset + 1),
                };
                self.trades_log.drop_below(partition, dropped);
                self.totals.count("retained", u64::from(dropped > 0));
            }
        }
    }

    /// The log drops records that the worker of a partition has not folded, as where it was
    /// behind for too long. It has to stop with a message, wherever the partition goes, and the
    /// others go on; nothing that is stored may be wrong.
    pub fn overrun(&mut self) -> Result<(), String> {
        self.bars.sync_now();
        self.ticks.sync_now();
        let partition = self.partition();
        let here = [Role::Worker(partition), Role::Archiver(partition)];
        self.running.retain(|running| !here.contains(&running.role));
        for _ in 0..3 {
            self.trades_log.put(partition, vec![Trades::advance()]);
        }
        let end = self.trades_log.end(partition);
        self.trades_log.drop_below(partition, end - 1);
        self.overrun = Some(partition);
        let offset = |folded: Option<Position>| folded.map_or(0, |at| at.offset);
        let folded = offset(self.folded(partition));
        here.into_iter().for_each(|role| self.start(role));
        // Seldom enough that a worker which went on would come to commit.
        self.trouble_every = 150;
        let turns = self.turn + 300 + self.random.below(300);
        while self.turn < turns {
            self.trouble();
            self.step()?;
        }
        for partition in 0..PARTITIONS {
            self.check_state(partition)?;
        }
        match offset(self.folded(partition)) == folded {
            true => Ok(()),
            false => Err(format!(
                "partition {partition} went on from {folded} over a gap"
            )),
        }
    }

    fn crash_archiver(&mut self) {
        let partition = self.partition();
        if self.crash(Role::Archiver(partition)) {
            self.start_archiver(partition);
            self.totals.count("archiver crashes", 1);
        }
    }

    fn lose_pod(&mut self) {
        let pod = self
            .pods
            .swap_remove(usize::try_from(self.random.below(self.pods.len() as u64)).unwrap());
        self.running.retain(|running| running.number != pod.number);
        for client in &mut self.clients {
            client.lose_pod(pod.number);
        }
        self.start_pod();
        self.totals.count("pods lost", 1);
    }

    fn disconnect(&mut self) {
        let place = usize::try_from(self.random.below(self.clients.len() as u64)).unwrap();
        self.clients[place].disconnect();
        self.totals.count("disconnects", 1);
    }

    /// The machine stops: every process ends, and what was not durable is gone. The topic
    /// `bar-updates` is made anew, as in one process, or survives, as on a cluster.
    fn lose_power(&mut self) {
        let producers = |running: &crate::world::Running| {
            running.role == Role::Follower
                && !self.pods.iter().any(|pod| pod.number == running.number)
        };
        self.running.retain(producers);
        for pod in std::mem::take(&mut self.pods) {
            for client in &mut self.clients {
                client.lose_pod(pod.number);
            }
        }
        self.trades_log.lose_power();
        self.updates_log.lose_power();
        self.letters_log.lose_power();
        self.bars.lose_power();
        self.ticks.lose_power();
        if self.random.one_in(2) {
            let epoch = eventlog::Log::epoch(&self.updates_log) + 1;
            self.updates_log = fresh_updates(&self.random, self, epoch);
        }
        self.start_all();
        self.totals.count("power losses", 1);
    }
}

fn fresh_updates(random: &Random, world: &World, epoch: u64) -> SimLog {
    let hasty = world.mutant == Some(Mutant::AckBeforeDurable);
    SimLog::new(PARTITIONS, epoch, random, &world.clock).with_haste(hasty)
}
