//! The role: from the log to the tick store.

mod ask;

use std::fmt::Display;
use std::time::Duration;

use clock::{Clock, RetryTimer};
use eventlog::{Bounds, Log, LogError};
use host::HealthComponent;
use market::Position;
use store::{ArchiveProgress, TickBlock, TickStore};
use tokio_util::sync::CancellationToken;

use crate::{ArchiverError, Blocks, Metrics};

/// When a block is cut.
#[derive(Debug, Clone, Copy)]
pub struct BlockPolicy {
    /// At every multiple of so many offsets.
    pub offsets: u64,
    /// And once its first record has waited so long.
    pub after: Duration,
    /// Bytes of records fetched at once.
    pub fetch_bytes: usize,
    /// How long a call to the store or the log may take.
    pub call_timeout: Duration,
}

impl Default for BlockPolicy {
    fn default() -> Self {
        Self {
            offsets: 65_536,
            after: Duration::from_secs(1),
            fetch_bytes: 512 * 1024,
            call_timeout: Duration::from_secs(30),
        }
    }
}

/// The archiver of one partition.
#[derive(Debug)]
pub struct Archiver<L, T, C> {
    /// Which partition of `trades`.
    pub partition: u32,
    /// The topic `trades`.
    pub trades: L,
    /// Where ticks are kept.
    pub ticks: T,
    /// The time.
    pub clock: C,
    /// When a block is cut.
    pub cut: BlockPolicy,
    /// What it counts.
    pub metrics: Metrics,
    /// Where it says whether it is well.
    pub health: HealthComponent,
}

/// What is not written yet.
struct Pending {
    blocks: Blocks,
    /// Everything below is written.
    stored: u64,
    /// Everything below is written or in the blocks.
    next: u64,
    /// When to write at the latest, on the monotonic clock.
    due_ns: u64,
    /// Whether the log answers.
    retry_timer: RetryTimer,
}

/// How reading went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// It goes on.
    On,
    /// The archiver is told to stop.
    Stopped,
    /// The log does not hold the next record. The position is asked again: another may have moved
    /// it on meanwhile.
    OutOfRange,
}

impl<L: Log, T: TickStore, C: Clock> Archiver<L, T, C> {
    /// Archives the partition until it is told to stop, and writes what it has read by then.
    ///
    /// # Errors
    /// [`ArchiverError`], where no retry can help.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), ArchiverError> {
        while self.follow(&stop).await? == Read::OutOfRange {}
        Ok(())
    }

    /// Archives from the stored position on.
    async fn follow(&self, stop: &CancellationToken) -> Result<Read, ArchiverError> {
        let Some(mut pending) = self.start(stop).await? else {
            return Ok(Read::Stopped);
        };
        self.health.ready();
        loop {
            let left_ns = pending.due_ns.saturating_sub(self.clock.monotonic_ns());
            let waits = pending.next > pending.stored;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.clock.sleep(Duration::from_nanos(left_ns)), if waits => {
                    if !self.write(&mut pending, stop).await? {
                        return Ok(Read::Stopped);
                    }
                }
                ready = self.wait(&pending) => {
                    match ready {
                        Ok(()) => {}
                        Err(LogError::Closed) => break,
                        Err(error @ LogError::OutOfRange { .. }) => {
                            return self.out_of_range(&mut pending, &error, stop).await;
                        }
                        Err(error) if error.is_transient() => {
                            self.hold_off(&mut pending, &error);
                            continue;
                        }
                        Err(source) => return Err(self.log(source)),
                    }
                    let read = self.take(&mut pending, stop).await?;
                    if read != Read::On {
                        return Ok(read);
                    }
                }
            }
        }
        self.write(&mut pending, stop).await?;
        Ok(Read::Stopped)
    }

    /// Archives all below an offset, then stops; for a log that no other process writes.
    ///
    /// # Errors
    /// [`ArchiverError`], where no retry can help.
    pub async fn catch_up(&self, end: u64) -> Result<(), ArchiverError> {
        let stop = CancellationToken::new();
        let Some(mut pending) = self.start(&stop).await? else {
            return Ok(());
        };
        while pending.next < end {
            match self.take(&mut pending, &stop).await? {
                Read::On => pending.retry_timer.wait(&self.clock).await,
                Read::Stopped => break,
                Read::OutOfRange => match self.start(&stop).await? {
                    Some(again) => pending = again,
                    None => break,
                },
            }
        }
        self.write(&mut pending, &stop).await?;
        Ok(())
    }

    /// Waits for the next record, and before that for another try where the last one failed.
    async fn wait(&self, pending: &Pending) -> Result<(), LogError> {
        if pending.retry_timer.is_backing_off() {
            pending.retry_timer.wait(&self.clock).await;
            // Nothing else would tell that the log answers again, while there is nothing to read.
            let bounds = self.trades.bounds(self.partition).await?;
            if bounds.end <= pending.next {
                self.health.ready();
            }
        }
        self.trades.wait(self.partition, pending.next).await
    }

    /// Says that the log does not answer, and lets the next try wait.
    fn hold_off(&self, pending: &mut Pending, reason: &impl Display) {
        let reason = reason.to_string();
        tracing::warn!(partition = self.partition, reason, "trying again shortly");
        self.health.not_ready(reason);
        pending.retry_timer.record_failure(&self.clock);
    }

    async fn start(&self, stop: &CancellationToken) -> Result<Option<Pending>, ArchiverError> {
        let stored = self
            .ask_store(stop, || self.ticks.archive_progress(self.partition))
            .await?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        let epoch = self.trades.epoch();
        let first = Position { epoch, offset: 0 };
        let stored = stored.unwrap_or(ArchiveProgress {
            next: first,
            append_time_ns: 0,
        });
        let mut position = stored.next;
        if position.epoch > epoch {
            return Err(ArchiverError::Epoch {
                partition: self.partition,
                found: position.epoch,
                expected: epoch,
            });
        }
        if position.epoch < epoch {
            tracing::warn!(
                partition = self.partition,
                before = position.epoch,
                epoch,
                "the topic was made anew; archiving the new one from its beginning"
            );
            position = first;
        }
        let bounds = self.ask_log(stop, || self.trades.bounds(self.partition));
        let Some(bounds) = bounds.await? else {
            return Ok(None);
        };
        let same = self.ask_log(stop, || self.trades.check_epoch()).await?;
        if same.is_none() {
            return Ok(None);
        }
        self.check_bounds(position.offset, bounds)?;
        Ok(Some(Pending {
            blocks: Blocks::new(
                self.partition,
                self.trades.partitions(),
                epoch,
                stored.append_time_ns,
            ),
            stored: position.offset,
            next: position.offset,
            due_ns: 0,
            retry_timer: RetryTimer::new(self.retries()),
        }))
    }

    /// What is archived is not ahead of the log: otherwise it is another log. Nor does it end
    /// before the first record that is kept: those between would be missing.
    const fn check_bounds(&self, offset: u64, bounds: Bounds) -> Result<(), ArchiverError> {
        if bounds.first <= offset && offset <= bounds.end {
            return Ok(());
        }
        Err(self.log(LogError::OutOfRange {
            partition: self.partition,
            offset,
            first: bounds.first,
            end: bounds.end,
        }))
    }

    /// Fetches records and sorts them, and writes what is due.
    async fn take(
        &self,
        pending: &mut Pending,
        stop: &CancellationToken,
    ) -> Result<Read, ArchiverError> {
        let fetch = self
            .trades
            .fetch(self.partition, pending.next, self.cut.fetch_bytes);
        let batch = match clock::timeout(&self.clock, self.cut.call_timeout, fetch).await {
            Ok(Ok(batch)) => batch,
            Ok(Err(error @ LogError::OutOfRange { .. })) => {
                return self.out_of_range(pending, &error, stop).await;
            }
            Ok(Err(LogError::Closed)) => return Ok(Read::Stopped),
            Ok(Err(source)) if !source.is_transient() => return Err(self.log(source)),
            Ok(Err(error)) => {
                self.hold_off(pending, &error);
                return Ok(Read::On);
            }
            Err(elapsed) => {
                self.hold_off(pending, &elapsed);
                return Ok(Read::On);
            }
        };
        if pending.retry_timer.record_success() {
            self.health.ready();
        }
        if pending.next == pending.stored {
            let after_ns = clock::duration_ns(self.cut.after);
            pending.due_ns = self.clock.monotonic_ns().saturating_add(after_ns);
        }
        for record in &batch.records {
            pending.blocks.push(record);
            pending.next = record.offset + 1;
            let cut = pending.next.is_multiple_of(self.cut.offsets);
            if cut && !self.write(pending, stop).await? {
                return Ok(Read::Stopped);
            }
        }
        let due = self.clock.monotonic_ns() >= pending.due_ns;
        let waits = pending.next > pending.stored;
        if due && waits && !self.write(pending, stop).await? {
            return Ok(Read::Stopped);
        }
        Ok(Read::On)
    }

    /// Writes what was read before the next record was dropped. What lies beyond the end was read
    /// of records that the log has lost.
    async fn out_of_range(
        &self,
        pending: &mut Pending,
        error: &LogError,
        stop: &CancellationToken,
    ) -> Result<Read, ArchiverError> {
        let waits = pending.next > pending.stored;
        if error.is_below_retention() && waits && !self.write(pending, stop).await? {
            return Ok(Read::Stopped);
        }
        self.hold_off(pending, error);
        let pause = stop.run_until_cancelled(pending.retry_timer.wait(&self.clock));
        Ok(match pause.await {
            Some(()) => Read::OutOfRange,
            None => Read::Stopped,
        })
    }

    /// Writes the blocks and then the position; false where the archiver is told to stop
    /// before that.
    async fn write(
        &self,
        pending: &mut Pending,
        stop: &CancellationToken,
    ) -> Result<bool, ArchiverError> {
        let ticks = pending.blocks.len();
        let blocks: Vec<TickBlock> = pending.blocks.take();
        // What was fetched is of this epoch where the topic still is. Offsets of another would be
        // taken for those of this one.
        let same = self.ask_log(stop, || self.trades.check_epoch()).await?;
        if same.is_none() {
            return Ok(false);
        }
        if !blocks.is_empty() {
            let written = self.ask_store(stop, || self.ticks.insert(&blocks)).await?;
            if written.is_none() {
                return Ok(false);
            }
        }
        let archived = ArchiveProgress {
            next: Position {
                epoch: self.trades.epoch(),
                offset: pending.next,
            },
            append_time_ns: pending.blocks.append_time_ns(),
        };
        let noted = self
            .ask_store(stop, || {
                self.ticks.set_archive_progress(self.partition, archived)
            })
            .await?;
        pending.stored = pending.next;
        self.metrics.ticks.increment(ticks);
        self.metrics.blocks.increment(blocks.len() as u64);
        self.metrics.next_offset.set(pending.next as f64);
        Ok(noted.is_some())
    }

    const fn log(&self, source: LogError) -> ArchiverError {
        ArchiverError::Log {
            partition: self.partition,
            source,
        }
    }
}
