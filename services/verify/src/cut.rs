//! The moment that is verified: bars at one offset of each partition, and the ticks below it.

use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use archiver::Archiver;
use backend::Backend;
use clock::Clock;
use eventlog::{EmbeddedLog, LogError, MemoryLog};
use host::Health;
use market::Position;
use store::{
    BarReader, BarStore, MemoryHotStore, PartitionProgress as Folded, SqliteBarReader,
    SqliteBarStore, SqliteTickStore, StoreError, TickStore,
};

use super::progress::Progress;
use connect::{Folder, FolderError, FolderOptions};

/// How often the archiver is asked how far it is.
const POLL: Duration = Duration::from_millis(50);

/// The log and the stores of a data folder, with a clock.
struct FolderBackend<C>(PhantomData<C>);

impl<C: Clock> Backend for FolderBackend<C> {
    type Trades = EmbeddedLog;
    type Updates = MemoryLog;
    type DeadLetters = EmbeddedLog;
    type Bars = SqliteBarStore;
    type Ticks = SqliteTickStore;
    type Hot = MemoryHotStore;
    type Clock = C;
}

/// Bars and state of one moment, and ticks up to there and maybe beyond.
pub(super) struct Cut<R, T> {
    pub(super) bars: R,
    pub(super) ticks: T,
    /// The first position that is not folded, of each partition.
    pub(super) next: Vec<Position>,
}

impl Cut<SqliteBarReader, SqliteTickStore> {
    /// Takes a cut of a folder, whether another process has it open or none, and waits until the
    /// ticks are there as far.
    pub(super) async fn take<C: Clock>(
        path: &Path,
        patience: Duration,
        clock: &C,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let opened = Folder::open_stores_read_only(path).await;
        let (bars, ticks) = opened
            .with_context(|| format!("{} cannot be read as a data folder", path.display()))?;
        // The owner notes it whenever it opens the folder.
        let partitions = bars.log_partitions().await?.with_context(|| {
            format!(
                "{} does not say how many partitions its log has: start the process on it once, \
                 and try again",
                path.display()
            )
        })?;
        let cut = Self::of(&bars, ticks, partitions).await?;
        if cut.behind().await? > 0 && !cut.catch_up(path, clock, progress).await? {
            cut.wait(patience, clock, progress).await?;
        }
        Ok(cut)
    }

    /// Archives what is missing, where no process does; false where one holds the folder.
    async fn catch_up<C: Clock>(
        &self,
        path: &Path,
        clock: &C,
        progress: &Progress,
    ) -> anyhow::Result<bool> {
        let options = FolderOptions {
            partitions: u32::try_from(self.next.len()).expect("partitions are counted in 32 bits"),
            ..FolderOptions::default()
        };
        let folder = match Folder::open(path, options, clock.clone()).await {
            Ok(folder) => folder,
            Err(FolderError::Log(LogError::Locked { .. })) => return Ok(false),
            Err(error) => return Err(error).context("cannot bring the ticks up to date"),
        };
        let behind = self.behind().await?;
        progress.say(&format!(
            "no process holds {}; archiving the {} records that only its bars hold so far",
            path.display(),
            indicatif::HumanCount(behind)
        ));
        let health = Health::default();
        for (partition, next) in (0..).zip(&self.next) {
            let archiver = Archiver::<FolderBackend<C>> {
                partition,
                trades: folder.trades.clone(),
                ticks: folder.ticks.clone(),
                clock: clock.clone(),
                policy: archiver::BlockPolicy::default(),
                metrics: archiver::Metrics::new(partition),
                health: health.register("archiver"),
            };
            if self.lag(partition, *next).await? > 0 {
                archiver.catch_up(next.offset).await?;
            }
        }
        folder.close();
        Ok(true)
    }
}

impl<R: BarReader, T: TickStore> Cut<R, T> {
    /// Takes a cut of stores that other processes fill from a log of so many partitions, and
    /// waits until the ticks are there as far.
    pub(super) async fn take_beside<B: BarStore<Snapshot = R>, C: Clock>(
        (bars, ticks): (&B, T),
        partitions: u32,
        patience: Duration,
        clock: &C,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let cut = Self::of(bars, ticks, partitions).await?;
        cut.wait(patience, clock, progress).await?;
        Ok(cut)
    }

    /// The bars as of now.
    async fn of<B: BarStore<Snapshot = R>>(
        bars: &B,
        ticks: T,
        partitions: u32,
    ) -> anyhow::Result<Self> {
        let bars = bars.snapshot().await?;
        let next = next_of(&bars.partition_progress().await?, partitions)?;
        Ok(Self { bars, ticks, next })
    }

    /// Waits for the archiver of another process.
    async fn wait<C: Clock>(
        &self,
        patience: Duration,
        clock: &C,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let begin_ns = clock.monotonic_ns();
        loop {
            let behind = self.behind().await?;
            let waited = Duration::from_nanos(clock.monotonic_ns().saturating_sub(begin_ns));
            if behind == 0 {
                return Ok(());
            }
            if waited >= patience {
                bail!(
                    "the archiver is {behind} records behind the bars after {patience:?}; \
                     --wait would give it longer"
                );
            }
            progress.wait(behind, waited);
            clock.sleep(POLL).await;
        }
    }

    /// How many records are folded and not archived.
    async fn behind(&self) -> Result<u64, StoreError> {
        let mut behind = 0;
        for (partition, next) in (0..).zip(&self.next) {
            behind += self.lag(partition, *next).await?;
        }
        Ok(behind)
    }

    async fn lag(&self, partition: u32, next: Position) -> Result<u64, StoreError> {
        let archived = self.ticks.archive_position(partition).await?;
        let archived = archived.unwrap_or_default();
        if archived.epoch < next.epoch {
            return Ok(next.offset);
        }
        Ok(match archived.epoch == next.epoch {
            true => next.offset.saturating_sub(archived.offset),
            false => 0,
        })
    }
}

/// The first position that is not folded, of each of the log's partitions.
///
/// How many there are, the rows do not tell: which symbol is in which partition depends on it,
/// and with another number every tick would be looked for in a wrong one.
fn next_of(rows: &[Folded], partitions: u32) -> anyhow::Result<Vec<Position>> {
    if let Some(row) = rows.iter().find(|row| row.partition >= partitions) {
        bail!(
            "the bars are folded from partition {}, and the log has {partitions}, counted from 0: \
             they are not of this log",
            row.partition
        );
    }
    let next = |partition| {
        let row = rows.iter().find(|row| row.partition == partition);
        let position = row.map(|row| Position {
            epoch: row.epoch,
            offset: row.next_offset,
        });
        position.with_context(|| {
            format!(
                "partition {partition} of the log's {partitions} was never folded: start what \
                 folds it, and try again"
            )
        })
    };
    (0..partitions).map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(partitions: &[u32]) -> Vec<Folded> {
        let row = |partition: &u32| Folded {
            partition: *partition,
            epoch: 2,
            next_offset: 10 + u64::from(*partition),
            updates_position: Position::default(),
            append_time_ns: 0,
        };
        partitions.iter().map(row).collect()
    }

    #[test]
    fn the_log_says_how_many_partitions_there_are() {
        let next = next_of(&rows(&[0, 1, 2]), 3).unwrap();
        let offsets: Vec<_> = next.iter().map(|next| (next.epoch, next.offset)).collect();
        assert_eq!(offsets, [(2, 10), (2, 11), (2, 12)]);
        let error =
            |partitions: &[u32], of| next_of(&rows(partitions), of).unwrap_err().to_string();
        for lacking in [&[0, 1][..], &[0, 1, 3]] {
            assert_eq!(
                error(lacking, 4),
                "partition 2 of the log's 4 was never folded: start what folds it, and try again"
            );
        }
        assert_eq!(
            error(&[0, 1, 2], 2),
            "the bars are folded from partition 2, and the log has 2, counted from 0: they are \
             not of this log"
        );
    }
}
