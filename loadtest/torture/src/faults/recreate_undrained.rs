//! `trades` is recreated while roles lag.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, bail};
use clock::{Clock, SystemClock};
use store::{BarReader, PartitionProgress};

use super::fault::Fault;
use super::recreate::{DRAIN_TIMEOUT, recreate_topic};
use crate::cluster::TortureCluster;
use crate::oracle::LogGeneration;
use crate::role_process::RoleKind;

/// How long a record may be on its way whose acknowledgement no producer awaits any more.
const LATE_APPEND: Duration = Duration::from_secs(2);

impl Fault {
    /// Freezes the aggregators, and perhaps the archivers, while trades come; recreates `trades`;
    /// and keeps what the store says about where each partition's old generation ended. Records
    /// from there on are gone, whether they were announced, archived or neither.
    pub(super) async fn recreate_without_draining(
        &mut self,
        cluster: &TortureCluster,
    ) -> anyhow::Result<()> {
        let mut roles: Vec<_> = cluster.processes_of_kind(RoleKind::Aggregator).collect();
        if self.random.one_in(2) {
            roles.extend(cluster.processes_of_kind(RoleKind::Archiver));
        }
        for role in &roles {
            role.freeze()?;
        }
        SystemClock.sleep(self.lasts).await;
        let paused = clock::timeout(&SystemClock, DRAIN_TIMEOUT, cluster.feed.pause_sending());
        let paused = paused
            .await
            .context("the trades in flight are not acknowledged")?;
        SystemClock.sleep(LATE_APPEND).await;
        let epoch = cluster.epoch.load(Ordering::Acquire);
        let stored = cluster.bars.all_partition_progress().await?;
        let log_ends = cluster.kafka.partition_ends(schemas::TRADES).await?;
        let records = cluster.kafka.read_topic(schemas::TRADES).await?;
        recreate_topic(cluster, schemas::TRADES).await?;
        let is_thawed = self.random.one_in(2);
        for role in &roles {
            match is_thawed {
                true => role.thaw()?,
                false => role.kill()?,
            }
        }
        drop(paused);
        cluster.wait_until_processed(DRAIN_TIMEOUT).await?;
        let ends = read_ends(cluster, epoch, &stored, &log_ends).await?;
        let gone: u64 = log_ends
            .iter()
            .zip(&ends)
            .map(|(log_end, end)| log_end - end)
            .sum();
        cluster.journal.write_event(&format!(
            "{gone} records of epoch {epoch} were not folded; the roles were {}",
            if is_thawed { "thawed" } else { "killed" }
        ));
        cluster.keep_log_generation(LogGeneration { records, ends });
        Ok(())
    }
}

/// Returns where the store says that each partition's epoch ended.
///
/// # Errors
/// If an end is before what was stored when the topic was deleted, or after its records.
async fn read_ends(
    cluster: &TortureCluster,
    epoch: u64,
    stored: &[PartitionProgress],
    log_ends: &[u64],
) -> anyhow::Result<Vec<u64>> {
    let mut ends = Vec::new();
    for (partition, log_end) in (0..).zip(log_ends) {
        let found = cluster.bars.epoch_ends(partition).await?;
        let mut found = found.iter().filter(|end| end.epoch == epoch);
        let end = found.next().map(|end| end.offset);
        let end =
            end.with_context(|| format!("partition {partition}: epoch {epoch} has no end"))?;
        let progress = stored
            .iter()
            .find(|row| row.partition == partition && row.epoch == epoch);
        let least = progress.map_or(0, |row| row.next_offset);
        if end < least || end > *log_end {
            bail!(
                "partition {partition}: epoch {epoch} ended at {end}; {least} was stored, and the \
                 log ended at {log_end}"
            );
        }
        ends.push(end);
    }
    Ok(ends)
}
