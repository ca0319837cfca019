//! `trades` is recreated while roles lag.

use std::fmt::Display;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, bail};
use clock::{Clock, SystemClock};
use market::Position;
use store::{BarReader, PartitionProgress, TickStore};

use super::fault::Fault;
use super::recreate::{DRAIN_TIMEOUT, LATE_APPEND, recreate_topic};
use crate::cluster::TortureCluster;
use crate::oracle::GenerationRecords;
use crate::role_process::{RestartingProcess, RoleKind};

const POLL_INTERVAL: Duration = Duration::from_millis(250);

impl Fault {
    /// Freezes the aggregators, and perhaps the archivers, while trades come; recreates `trades`;
    /// and keeps what the store says about where each partition's old generation ended. Records
    /// from there on are gone, whether they were announced, archived or neither.
    pub(super) async fn recreate_without_draining(
        &mut self,
        cluster: &TortureCluster,
    ) -> anyhow::Result<()> {
        let mut roles: Vec<_> = cluster.processes_of_kind(RoleKind::Aggregator).collect();
        for role in &roles {
            freeze_once_running(role).await?;
        }
        let read_ends_of_log = || cluster.kafka.partition_ends(schemas::TRADES);
        let folded_at_most = read_until_answered(cluster, read_ends_of_log).await;
        wait_until_archived(cluster, &folded_at_most).await?;
        if self.random.one_in(2) {
            for role in cluster.processes_of_kind(RoleKind::Archiver) {
                freeze_once_running(role).await?;
                roles.push(role);
            }
        }
        SystemClock.sleep(self.lasts).await;
        let paused = clock::timeout(&SystemClock, DRAIN_TIMEOUT, cluster.feed.pause_sending());
        let paused = paused
            .await
            .context("the trades in flight are not acknowledged")?;
        SystemClock.sleep(LATE_APPEND).await;
        let epoch = cluster.epoch.load(Ordering::Acquire);
        let stored = read_until_answered(cluster, || cluster.bars.all_partition_progress()).await;
        let log_ends = read_until_answered(cluster, read_ends_of_log).await;
        let read_log = || cluster.kafka.read_topic(schemas::TRADES);
        let records = read_until_answered(cluster, read_log).await;
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
        let ends = read_and_check_epoch_ends(cluster, epoch, &stored, &log_ends).await?;
        let gone: u64 = log_ends
            .iter()
            .zip(&ends)
            .map(|(log_end, end)| log_end - end)
            .sum();
        cluster.journal.write_event(&format!(
            "{gone} records of epoch {epoch} were not folded; the roles were {}",
            if is_thawed { "thawed" } else { "killed" }
        ));
        cluster.keep_generation_records(GenerationRecords { records, ends });
        Ok(())
    }
}

/// Waits until a role's process runs, and freezes it. A process that is being started again cannot
/// be frozen: it would run on once it has started.
async fn freeze_once_running(role: &RestartingProcess) -> anyhow::Result<()> {
    while !role.is_running() {
        SystemClock.sleep(POLL_INTERVAL).await;
    }
    role.freeze()
}

/// Waits until the archivers have stored all before `ends`. The ticks of records that were folded
/// and not archived would be gone with the topic, and no process could bring them back.
///
/// # Errors
/// If it takes too long.
async fn wait_until_archived(cluster: &TortureCluster, ends: &[u64]) -> anyhow::Result<()> {
    let epoch = cluster.epoch.load(Ordering::Acquire);
    let begin_ns = SystemClock.monotonic_ns();
    for (partition, end) in (0..).zip(ends) {
        let end = Position {
            epoch,
            offset: *end,
        };
        let read = || cluster.ticks.next_archive_position(partition);
        while read_until_answered(cluster, read).await < Some(end) {
            let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
            if waited > DRAIN_TIMEOUT {
                bail!("partition {partition} is not archived up to {end:?} after {waited:?}");
            }
            SystemClock.sleep(POLL_INTERVAL).await;
        }
    }
    Ok(())
}

/// Repeats a read until the server answers. If the server was killed before, the first read over
/// each connection fails.
async fn read_until_answered<T, E, F>(cluster: &TortureCluster, read: impl Fn() -> F) -> T
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    loop {
        match read().await {
            Ok(found) => return found,
            Err(error) => cluster
                .journal
                .write_event(&format!("read again: {error:#}")),
        }
        SystemClock.sleep(POLL_INTERVAL).await;
    }
}

/// Returns where the store says that the epoch ended, for each partition.
///
/// # Errors
/// If an end is before what was stored when the topic was deleted, or after its records.
async fn read_and_check_epoch_ends(
    cluster: &TortureCluster,
    epoch: u64,
    stored: &[PartitionProgress],
    log_ends: &[u64],
) -> anyhow::Result<Vec<u64>> {
    let mut ends = Vec::new();
    for (partition, log_end) in (0..).zip(log_ends) {
        let found = read_until_answered(cluster, || cluster.bars.epoch_ends(partition)).await;
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
