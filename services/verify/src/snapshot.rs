//! The snapshot that is verified: bars up to one offset of each partition, and the ticks below it.

use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use archiver::Archiver;
use backend::Backend;
use clock::Clock;
use eventlog::{EmbeddedLog, LogError, MemoryLog};
use host::{Health, format_count};
use market::Position;
use store::{
    BarReader, BarStore, MemoryNewestPriceStore, PartitionProgress, SqliteBarReader,
    SqliteBarStore, SqliteTickStore, StoreError, TickStore,
};

use crate::progress::ProgressDisplay;
use connect::{DataFolder, DataFolderError, DataFolderOptions};

/// How often the progress of another process's archiver is read.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The log and the stores of a data folder, with a clock.
struct FolderBackend<C>(PhantomData<C>);

impl<C: Clock> Backend for FolderBackend<C> {
    type Trades = EmbeddedLog;
    type Updates = MemoryLog;
    type DeadLetters = EmbeddedLog;
    type Bars = SqliteBarStore;
    type Ticks = SqliteTickStore;
    type Hot = MemoryNewestPriceStore;
    type Clock = C;
}

/// Bars and state of one moment, and ticks that reach at least as far.
pub(crate) struct VerifySnapshot<R, T> {
    pub(crate) bars: R,
    pub(crate) ticks: T,
    /// The first position of each partition that is not folded.
    pub(crate) first_unfolded_positions: Vec<Position>,
}

impl VerifySnapshot<SqliteBarReader, SqliteTickStore> {
    /// Takes a snapshot of a data folder, whether or not another process has it open. If the ticks
    /// do not reach the bars, archives them or waits up to `max_wait` for the other process.
    pub(crate) async fn from_folder_with_ticks_archived<C: Clock>(
        path: &Path,
        max_wait: Duration,
        clock: &C,
        progress: &ProgressDisplay,
    ) -> anyhow::Result<Self> {
        let opened = DataFolder::open_stores_read_only(path).await;
        let (bars, ticks) = opened
            .with_context(|| format!("{} cannot be read as a data folder", path.display()))?;
        // A process writes it whenever it opens the folder.
        let partitions = bars.log_partition_count().await?.with_context(|| {
            format!(
                "{} does not hold the number of partitions of its log: start the process on it \
                 once, and try again",
                path.display()
            )
        })?;
        let snapshot = Self::from_stores_without_waiting(&bars, ticks, partitions).await?;
        if snapshot.count_folded_unarchived_records().await? > 0
            && !snapshot
                .archive_missing_ticks_unless_locked(path, clock, progress)
                .await?
        {
            snapshot
                .wait_for_archiver(max_wait, clock, progress)
                .await?;
        }
        Ok(snapshot)
    }

    /// Archives the missing ticks. Returns false if another process has the folder open.
    async fn archive_missing_ticks_unless_locked<C: Clock>(
        &self,
        path: &Path,
        clock: &C,
        progress: &ProgressDisplay,
    ) -> anyhow::Result<bool> {
        let partitions = self.first_unfolded_positions.len();
        let options = DataFolderOptions {
            partitions: u32::try_from(partitions).expect("partitions are counted in 32 bits"),
            ..DataFolderOptions::default()
        };
        let folder = match DataFolder::open_or_create(path, options, clock.clone()).await {
            Ok(folder) => folder,
            Err(DataFolderError::Log(LogError::Locked { .. })) => return Ok(false),
            Err(error) => return Err(error).context("cannot bring the ticks up to date"),
        };
        let lag = self.count_folded_unarchived_records().await?;
        progress.print_message(&format!(
            "no process has {} open; archiving {} records that are folded and not archived yet",
            path.display(),
            format_count(lag)
        ));
        let health = Health::default();
        for (partition, next) in (0..).zip(&self.first_unfolded_positions) {
            let archiver = Archiver::<FolderBackend<C>> {
                partition,
                trades: folder.trades.clone(),
                ticks: folder.ticks.clone(),
                clock: clock.clone(),
                policy: archiver::BlockPolicy::default(),
                metrics: archiver::ArchiverMetrics::new(partition),
                health: health.register("archiver"),
            };
            if self
                .count_folded_unarchived_in_partition(partition, *next)
                .await?
                > 0
            {
                archiver.catch_up(next.offset).await?;
            }
        }
        folder.close();
        Ok(true)
    }
}

impl<R: BarReader, T: TickStore> VerifySnapshot<R, T> {
    /// Takes a snapshot of stores that other processes fill from a log of this many partitions. If
    /// the ticks do not reach the bars, waits up to `max_wait` for them.
    pub(crate) async fn from_stores<B: BarStore<Snapshot = R>, C: Clock>(
        (bars, ticks): (&B, T),
        partitions: u32,
        max_wait: Duration,
        clock: &C,
        progress: &ProgressDisplay,
    ) -> anyhow::Result<Self> {
        let snapshot = Self::from_stores_without_waiting(bars, ticks, partitions).await?;
        snapshot
            .wait_for_archiver(max_wait, clock, progress)
            .await?;
        Ok(snapshot)
    }

    /// Takes a snapshot of the bars. The ticks may lag behind it.
    async fn from_stores_without_waiting<B: BarStore<Snapshot = R>>(
        bars: &B,
        ticks: T,
        partitions: u32,
    ) -> anyhow::Result<Self> {
        let bars = bars.snapshot().await?;
        let first_unfolded_positions =
            first_unfolded_positions(&bars.all_partition_progress().await?, partitions)?;
        Ok(Self {
            bars,
            ticks,
            first_unfolded_positions,
        })
    }

    /// Waits until the archiver of another process has archived what is folded.
    async fn wait_for_archiver<C: Clock>(
        &self,
        max_wait: Duration,
        clock: &C,
        progress: &ProgressDisplay,
    ) -> anyhow::Result<()> {
        let begin_ns = clock.monotonic_ns();
        loop {
            let lag = self.count_folded_unarchived_records().await?;
            let waited = Duration::from_nanos(clock.monotonic_ns().saturating_sub(begin_ns));
            if lag == 0 {
                return Ok(());
            }
            if waited >= max_wait {
                bail!(
                    "the archiver is {lag} records behind the bars after {max_wait:?}; \
                     wait longer with --wait"
                );
            }
            progress.show_waiting(lag, waited);
            clock.sleep(POLL_INTERVAL).await;
        }
    }

    /// Returns the number of records that are folded and not archived.
    async fn count_folded_unarchived_records(&self) -> Result<u64, StoreError> {
        let mut lag = 0;
        for (partition, next) in (0..).zip(&self.first_unfolded_positions) {
            lag += self
                .count_folded_unarchived_in_partition(partition, *next)
                .await?;
        }
        Ok(lag)
    }

    /// Returns the number of records before `first_unfolded` that are not archived.
    async fn count_folded_unarchived_in_partition(
        &self,
        partition: u32,
        first_unfolded: Position,
    ) -> Result<u64, StoreError> {
        let archived = self.ticks.next_archive_position(partition).await?;
        let archived = archived.unwrap_or_default();
        if archived.epoch < first_unfolded.epoch {
            return Ok(first_unfolded.offset);
        }
        Ok(match archived.epoch == first_unfolded.epoch {
            true => first_unfolded.offset.saturating_sub(archived.offset),
            false => 0,
        })
    }
}

/// Returns the first position of each of the log's partitions that is not folded.
///
/// The number of partitions is an argument, since the rows do not show it. It decides which symbol
/// is in which partition: with a wrong number every tick would be searched in a wrong partition.
fn first_unfolded_positions(
    rows: &[PartitionProgress],
    partitions: u32,
) -> anyhow::Result<Vec<Position>> {
    if let Some(row) = rows.iter().find(|row| row.partition >= partitions) {
        bail!(
            "the bars are folded from partition {}, and the log has {partitions}, counted from 0: \
             they are not of this log",
            row.partition
        );
    }
    let next_position = |partition| {
        let row = rows.iter().find(|row| row.partition == partition);
        let position = row.map(|row| Position {
            epoch: row.epoch,
            offset: row.next_offset,
        });
        position.with_context(|| {
            format!(
                "partition {partition} of the log's {partitions} was never folded: start an \
                 aggregator, and try again"
            )
        })
    };
    (0..partitions).map(next_position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress_rows(partitions: &[u32]) -> Vec<PartitionProgress> {
        let row = |partition: &u32| PartitionProgress {
            partition: *partition,
            epoch: 2,
            next_offset: 10 + u64::from(*partition),
            updates_position: Position::default(),
            append_time_ns: 0,
        };
        partitions.iter().map(row).collect()
    }

    #[test]
    fn the_log_decides_the_number_of_partitions() {
        let next = first_unfolded_positions(&progress_rows(&[0, 1, 2]), 3).unwrap();
        let offsets: Vec<_> = next.iter().map(|next| (next.epoch, next.offset)).collect();
        assert_eq!(offsets, [(2, 10), (2, 11), (2, 12)]);
        let error = |folded: &[u32], partitions| {
            let rows = progress_rows(folded);
            first_unfolded_positions(&rows, partitions)
                .unwrap_err()
                .to_string()
        };
        for folded in [&[0, 1][..], &[0, 1, 3]] {
            assert_eq!(
                error(folded, 4),
                "partition 2 of the log's 4 was never folded: start an aggregator, and try again"
            );
        }
        assert_eq!(
            error(&[0, 1, 2], 2),
            "the bars are folded from partition 2, and the log has 2, counted from 0: they are \
             not of this log"
        );
    }
}
