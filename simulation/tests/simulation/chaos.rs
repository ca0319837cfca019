//! What goes wrong, and when.

use crate::log::SimLog;
use crate::random::Random;
use crate::trades::PARTITIONS;
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
        if !self.random.one_in(25) {
            return;
        }
        match self.random.below(14) {
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
