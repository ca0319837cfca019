//! The end of a run: faults stop, and everything catches up.

use market::Position;
use schemas::TradesTopicRecord;

use crate::cluster::SimCluster;
use crate::mutant::Mutant;
use crate::tasks::Role;
use crate::trade_producer::PARTITIONS;

impl SimCluster {
    /// Recreates the topic `trades` after the producers have stopped and both roles have drained
    /// it. The new topic is shorter than the old one, or it becomes longer before any role notices
    /// the change. After that, faults continue.
    pub fn recreate_drained_trades_topic(&mut self) -> Result<(), String> {
        self.catch_up()?;
        self.bars.sync_now();
        self.ticks.sync_now();
        self.recreate_trades_topic()
    }

    /// Recreates the topic `trades` while producers send and workers have announced records that
    /// they have not committed. Archivers lag too, unless trades are amended: a refold would then
    /// lack amendments that are lost with the topic.
    pub fn recreate_trades_topic_while_roles_lag(&mut self) -> Result<(), String> {
        if self.producer.amends() {
            self.bars.start_outage(u64::MAX);
            self.ticks.disable_faults();
            for partition in 0..PARTITIONS {
                if !self.has_task(Role::Archiver(partition)) {
                    self.start_archiver(partition);
                }
            }
            for task in &mut self.tasks {
                task.frozen_until_turn = 0;
            }
            self.run_until("every record is archived", |cluster| {
                (0..PARTITIONS).all(|partition| {
                    let wanted = Position {
                        epoch: cluster.trades_log.current_epoch(),
                        offset: cluster.trades_log.end(partition),
                    };
                    wanted.offset == 0 || cluster.ticks.archived_to(partition) >= Some(wanted)
                })
            })?;
            self.bars.start_outage(0);
        } else {
            self.lost_ticks_before_epoch = self.trades_log.current_epoch() + 1;
        }
        self.ticks.sync_now();
        self.totals
            .add_count("epochs that began while roles lagged", 1);
        self.recreate_trades_topic()
    }

    /// Recreates the topic `trades` and goes on, with faults.
    fn recreate_trades_topic(&mut self) -> Result<(), String> {
        let old_ends: Vec<u64> = (0..PARTITIONS).map(|of| self.trades_log.end(of)).collect();
        self.trades_log.recreate();
        self.producer.set_epoch(self.trades_log.current_epoch());
        if self.random.one_in(2) {
            while (0..PARTITIONS).any(|of| self.trades_log.end(of) <= old_ends[of as usize]) {
                for (partition, entry) in self.producer.next_records() {
                    self.trades_log.append_now(partition, vec![entry]);
                }
            }
            self.totals.add_count("longer topics", 1);
        }
        self.totals.add_count("new epochs", 1);
        self.enable_faults();
        let turns = self.turn + 100 + self.random.below(300);
        while self.turn < turns {
            self.maybe_send_records_or_inject_fault();
            self.step()?;
        }
        Ok(())
    }

    /// Stops the faults, waits until everything has caught up, and stops the workers.
    pub fn settle(&mut self) -> Result<(), String> {
        self.catch_up()?;
        self.is_stopping = true;
        self.tasks.iter().for_each(|task| task.stop.cancel());
        self.run_until("the workers have stopped", |cluster| {
            cluster.tasks.iter().all(|task| task.role == Role::Follower)
        })?;
        for partition in 0..PARTITIONS {
            self.updates_log.sync(partition);
        }
        self.drain_clients()
    }

    /// Stops the faults and waits until every record is folded and archived, and every marked
    /// minute refolded.
    pub fn catch_up(&mut self) -> Result<(), String> {
        self.disable_faults();
        for partition in 0..PARTITIONS {
            if !self.has_task(Role::Worker(partition))
                && self.mutant != Some(Mutant::LosingWorkerNotRestarted)
            {
                self.start_worker(partition);
            }
            if !self.has_task(Role::Archiver(partition)) {
                self.start_archiver(partition);
            }
        }
        self.run_until("the producers are done", |cluster| {
            cluster
                .tasks
                .iter()
                .filter(|task| task.role == Role::Follower)
                .count()
                == cluster.pods.len() * PARTITIONS as usize
        })?;
        let ends: Vec<u64> = (0..PARTITIONS)
            .map(|partition| self.trades_log.end(partition))
            .collect();
        self.run_until("every record is folded and archived", |cluster| {
            (0..PARTITIONS).zip(&ends).all(|(partition, end)| {
                let wanted = Position {
                    epoch: cluster.trades_log.current_epoch(),
                    offset: *end,
                };
                let folded = cluster.folded_to(partition);
                // An archiver that read no record has no position.
                let archived = *end == 0 || cluster.ticks.archived_to(partition) >= Some(wanted);
                folded >= Some(wanted) && archived
            })
        })?;
        // Refolds, and what follows a record that is left out, are appended meanwhile.
        self.run_until("every marked minute is refolded", |cluster| {
            let is_clean = cluster.bars.read_stored(|stored| stored.dirty.is_empty());
            is_clean && (0..PARTITIONS).all(|partition| cluster.only_advances_wait(partition))
        })
    }

    /// Returns whether all records of a partition are folded, except advances.
    fn only_advances_wait(&self, partition: u32) -> bool {
        let epoch = self.trades_log.current_epoch();
        let Some(folded) = self.folded_to(partition) else {
            return self.trades_log.end(partition) == 0;
        };
        let waiting = self.trades_log.records_of(epoch, partition, folded.offset);
        let mut decoded = waiting
            .iter()
            .map(|record| TradesTopicRecord::decode(&record.value));
        decoded.all(|record| record == Ok(TradesTopicRecord::Advance))
    }

    fn run_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), String> {
        // A long topic takes many turns where little fits into memory. Each of its records gets
        // some.
        let records: u64 = (0..PARTITIONS).map(|of| self.trades_log.end(of)).sum();
        for _ in 0..20_000 + 20 * records {
            if done(self) {
                return Ok(());
            }
            self.step()?;
        }
        let places: Vec<String> = (0..PARTITIONS)
            .map(|of| self.describe_progress(of))
            .collect();
        let marks = self.bars.read_stored(|stored| stored.dirty.len());
        let places = places.join("; ");
        Err(format!(
            "stuck: never reached \"{what}\": {places}; {marks} minutes marked"
        ))
    }

    /// Describes the progress of a partition's roles, for the message of a failure.
    pub fn describe_progress(&self, partition: u32) -> String {
        let folded = self.folded_to(partition);
        let archived = self.ticks.archived_to(partition);
        let workers = self.tasks.iter();
        let workers = workers.filter(|task| task.role == Role::Worker(partition));
        format!(
            "partition {partition} ends at {}, folded to {folded:?}, archived to {archived:?}, {} \
             workers",
            self.trades_log.end(partition),
            workers.count()
        )
    }

    /// Runs until pods have read all updates, and clients all messages.
    fn drain_clients(&mut self) -> Result<(), String> {
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
            // A pod may still wait for seconds before it retries a call that failed.
            if !busy {
                self.clock.advance(100_000_000);
            }
        }
        Err("stuck: the clients never became quiet".to_owned())
    }

    /// Lets calls to `trades` and to the stores fail again.
    pub fn enable_faults(&self) {
        self.trades_log.enable_faults();
        self.bars.enable_faults();
        self.ticks.enable_faults();
    }

    /// Makes all calls succeed and all frozen tasks run.
    fn disable_faults(&mut self) {
        self.trades_log.disable_faults();
        self.updates_log.disable_faults();
        self.dead_letters_log.disable_faults();
        self.bars.disable_faults();
        self.ticks.disable_faults();
        self.tasks
            .iter_mut()
            .for_each(|task| task.frozen_until_turn = 0);
    }
}
