//! How a run ends: trouble is over, and everything catches up.

use market::Position;

use crate::trades::PARTITIONS;
use crate::world::{Mutant, Role, World};

impl World {
    /// The topic is made anew, once the producers have stopped and both roles have drained it:
    /// shorter than it was, or longer at once, before anybody notices. Then trouble goes on.
    pub fn renew(&mut self) -> Result<(), String> {
        self.catch_up()?;
        self.bars.sync_now();
        self.ticks.sync_now();
        let old_ends: Vec<u64> = (0..PARTITIONS).map(|of| self.trades_log.end(of)).collect();
        self.trades_log.recreate();
        self.trades.renew(self.trades_log.current_epoch());
        if self.random.one_in(2) {
            while (0..PARTITIONS).any(|of| self.trades_log.end(of) <= old_ends[of as usize]) {
                for (partition, entry) in self.trades.next() {
                    self.trades_log.put(partition, vec![entry]);
                }
            }
            self.totals.count("longer topics", 1);
        }
        self.totals.count("new epochs", 1);
        self.trades_log.trouble_again();
        self.bars.trouble_again();
        self.ticks.trouble_again();
        let turns = self.turn + 100 + self.random.below(300);
        while self.turn < turns {
            self.trouble();
            self.step()?;
        }
        Ok(())
    }

    /// Lets all trouble end, waits until everything has caught up, and stops the workers.
    pub fn settle(&mut self) -> Result<(), String> {
        self.catch_up()?;
        self.is_over = true;
        self.running
            .iter()
            .for_each(|running| running.stop.cancel());
        self.run_until("the workers have stopped", |world| {
            world
                .running
                .iter()
                .all(|running| running.role == Role::Follower)
        })?;
        for partition in 0..PARTITIONS {
            self.updates_log.sync(partition);
        }
        self.run_clients_dry()
    }

    fn catch_up(&mut self) -> Result<(), String> {
        self.calm();
        for partition in 0..PARTITIONS {
            if !self.has(Role::Worker(partition)) && self.mutant != Some(Mutant::LoserStaysAway) {
                self.start_worker(partition);
            }
            if !self.has(Role::Archiver(partition)) {
                self.start_archiver(partition);
            }
        }
        self.run_until("the producers are done", |world| {
            world
                .running
                .iter()
                .filter(|running| running.role == Role::Follower)
                .count()
                == world.pods.len() * PARTITIONS as usize
        })?;
        let ends: Vec<u64> = (0..PARTITIONS)
            .map(|partition| self.trades_log.end(partition))
            .collect();
        self.run_until("every record is folded and archived", |world| {
            (0..PARTITIONS).zip(&ends).all(|(partition, end)| {
                let wanted = Position {
                    epoch: world.trades_log.current_epoch(),
                    offset: *end,
                };
                let folded = world.folded(partition);
                // An archiver that found no record has no position to note.
                let archived = *end == 0 || world.ticks.reached(partition) >= Some(wanted);
                folded >= Some(wanted) && archived
            })
        })?;
        self.run_until("every marked minute is folded anew", |world| {
            world.bars.look(|stored| stored.dirty.is_empty())
        })
    }

    fn run_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), String> {
        for _ in 0..20_000 {
            if done(self) {
                return Ok(());
            }
            self.step()?;
        }
        let places: Vec<String> = (0..PARTITIONS).map(|of| self.place(of)).collect();
        let marks = self.bars.look(|stored| stored.dirty.len());
        let places = places.join("; ");
        Err(format!(
            "stuck: never came to where {what}: {places}; {marks} minutes marked"
        ))
    }

    /// Where the roles of a partition are, for who looks into a failure.
    fn place(&self, partition: u32) -> String {
        let folded = self.folded(partition);
        let archived = self.ticks.reached(partition);
        let workers = self.running.iter();
        let workers = workers.filter(|running| running.role == Role::Worker(partition));
        format!(
            "partition {partition} ends at {}, folded to {folded:?}, archived to {archived:?}, {} \
             workers",
            self.trades_log.end(partition),
            workers.count()
        )
    }

    /// Lets pods read all updates, and clients all messages.
    fn run_clients_dry(&mut self) -> Result<(), String> {
        let mut quiet = 0;
        for _ in 0..20_000 {
            self.step()?;
            let mut busy = false;
            for client in &mut self.clients {
                busy |= client.step(&self.pods)?;
            }
            quiet = if busy { 0 } else { quiet + 1 };
            if quiet > 120 {
                return Ok(());
            }
            // A pod may still wait, for seconds, before it asks again what failed in the trouble.
            if !busy {
                self.clock.pass(100_000_000);
            }
        }
        Err("stuck: the clients never became quiet".to_owned())
    }

    /// No more trouble: calls succeed, nobody sleeps.
    fn calm(&mut self) {
        self.trades_log.calm();
        self.updates_log.calm();
        self.letters_log.calm();
        self.bars.calm();
        self.ticks.calm();
        self.running
            .iter_mut()
            .for_each(|running| running.asleep_until = 0);
    }
}
