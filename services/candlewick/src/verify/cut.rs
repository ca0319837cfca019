//! The moment that is verified: bars at one offset of each partition, and the ticks below it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use archiver::Archiver;
use eventlog::LogError;
use host::{Clock, Health};
use market::Position;
use store::{BarReader, BarStore, SqliteBarReader, SqliteTickStore, StoreError, TickStore};

use super::progress::Progress;
use crate::{Folder, FolderError, FolderOptions};

/// How often the archiver is asked how far it is.
const POLL: Duration = Duration::from_millis(50);

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
        let opened = Folder::read(path).await;
        let (bars, ticks) = opened
            .with_context(|| format!("{} cannot be read as a data folder", path.display()))?;
        let cut = Self::of(&bars, ticks).await?;
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
            let archiver = Archiver {
                partition,
                trades: folder.trades.clone(),
                ticks: folder.ticks.clone(),
                clock: clock.clone(),
                cut: archiver::Cut::default(),
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
    /// Takes a cut of stores that other processes fill, and waits until the ticks are there as
    /// far.
    pub(super) async fn take_beside<B: BarStore<Snapshot = R>, C: Clock>(
        bars: &B,
        ticks: T,
        patience: Duration,
        clock: &C,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let cut = Self::of(bars, ticks).await?;
        cut.wait(patience, clock, progress).await?;
        Ok(cut)
    }

    /// The bars as of now.
    async fn of<B: BarStore<Snapshot = R>>(bars: &B, ticks: T) -> anyhow::Result<Self> {
        let bars = bars.snapshot().await?;
        let mut next = Vec::new();
        for (partition, row) in (0..).zip(bars.progress().await?) {
            if row.partition != partition {
                bail!("partition {partition} was never folded; start the process and try again");
            }
            next.push(Position {
                epoch: row.epoch,
                offset: row.next_offset,
            });
        }
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
        let archived = self.ticks.position(partition).await?;
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
