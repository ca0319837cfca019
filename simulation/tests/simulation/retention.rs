//! Days that pass, and the deletion of what is old.

use market::{
    AMENDMENT_RETENTION_NS, AMENDMENT_VERDICT_RETENTION_NS, DAY_NS, HOUR_NS, TICK_RETENTION_NS,
    VERDICT_RETENTION_NS,
};

use crate::clock::START_NS;
use crate::cluster::SimCluster;
use crate::trade_producer::{PARTITIONS, ProducerRecordGenerator};

impl SimCluster {
    /// Lets about two weeks pass, in pauses of some days. Between them the producers continue, and
    /// send trades that were edited or cancelled days ago.
    pub fn pass_two_weeks(&mut self) -> Result<(), String> {
        for _ in 0..7 {
            self.catch_up()?;
            // After days nothing waits for the disk.
            self.bars.sync_now();
            self.ticks.sync_now();
            let pause_ns = self.random.below((3 * DAY_NS).unsigned_abs());
            self.clock
                .advance(i64::try_from(pause_ns).unwrap() + HOUR_NS);
            for partition in 0..PARTITIONS {
                self.trades_log
                    .append_now(partition, vec![ProducerRecordGenerator::advance()]);
            }
            self.catch_up()?;
            self.delete_expired_rows();
            self.check_trades()?;
            self.enable_faults();
            for (partition, entry) in self.producer.records_of_held_back_trades() {
                self.send(partition, vec![entry]);
            }
            let turns = self.turn + 20 + self.random.below(60);
            while self.turn < turns {
                self.maybe_send_records_or_inject_fault();
                self.step()?;
            }
        }
        self.totals.add_count("weeks passed", 2);
        Ok(())
    }

    /// Deletes what is old in both stores, by the time up to which all partitions are folded.
    pub fn delete_expired_rows(&self) {
        let progress = self
            .bars
            .read_stored(|stored| stored.progress.values().copied().collect::<Vec<_>>());
        let newest_ns = progress.iter().map(|row| row.append_time_ns).max();
        let behind = progress.iter().filter(|row| {
            row.epoch < self.trades_log.current_epoch()
                || row.next_offset < self.trades_log.end(row.partition)
        });
        let oldest_ns = behind.map(|row| row.append_time_ns).min();
        let now_ns = oldest_ns.or(newest_ns).unwrap_or(0);
        let before_ns = |retention_ns: i64| now_ns.saturating_sub(retention_ns);
        if before_ns(TICK_RETENTION_NS) < START_NS {
            return;
        }
        self.bars.delete_expired(
            before_ns(VERDICT_RETENTION_NS),
            before_ns(AMENDMENT_VERDICT_RETENTION_NS),
        );
        self.ticks.delete_expired(
            before_ns(TICK_RETENTION_NS),
            before_ns(AMENDMENT_RETENTION_NS),
        );
    }
}
