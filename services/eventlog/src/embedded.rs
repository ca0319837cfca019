//! A durable topic in one local file.
//!
//! Appends wait in a bounded queue. One thread, the committer, takes all that wait, writes them
//! in one transaction with one sync, then publishes the new ends and answers. Readers find the
//! newest blobs in memory and older ones in the file.

mod blob;
mod committer;
mod disk;
mod file;
mod identity;
mod options;
mod partition;
mod queue;
mod retention;
#[cfg(test)]
mod tests;
mod trouble;

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

use clock::Clock;
use tokio::sync::oneshot;

use self::blob::{Blob, Malformed, Records};
use self::committer::Committer;
use self::disk::Health;
use self::file::LogFile;
use self::identity::Identity;
use self::partition::{Partition, Place};
use self::queue::{Append, Queue};
use self::trouble::Trouble;
use crate::wall_clock::WallClock;
use crate::{Batch, Bounds, Epoch, Log, LogError, Metrics, NewRecord, Offset, PartitionId};

pub use self::options::{EmbeddedOptions, Retention};

/// The newest encoded records kept in memory: of the whole topic, and at least of a partition.
const RECENT_BYTES: usize = 32 * 1024 * 1024;
const MIN_RECENT_BYTES: usize = 1024 * 1024;

/// A durable topic in one local file.
///
/// Offsets are dense. What an append has acknowledged is synced to the disk, and readers see
/// nothing else. Retention makes room for later records within the file, which does not shrink.
///
/// Dropping the last handle closes the log, which waits for the appends that it has taken.
#[derive(Clone)]
pub struct EmbeddedLog {
    handle: Arc<Handle>,
}

/// What closes the log when nobody holds it any more.
struct Handle {
    topic: Arc<Topic>,
    identity: Identity,
    committer: Mutex<Option<JoinHandle<()>>>,
}

/// What the handles and the committer share.
struct Topic {
    name: String,
    clock: WallClock,
    retention: Retention,
    max_recent_bytes: usize,
    metrics: Metrics,
    queue: Queue,
    trouble: Trouble,
    file: LogFile,
    partitions: Vec<Partition>,
}

impl EmbeddedLog {
    /// Opens the topic in the file at `path`, or makes it; its folder must be there.
    ///
    /// After a crash this reads and checks the whole file: half a second for each gigabyte that
    /// the system still has in memory, and as long as the disk takes for the rest.
    ///
    /// Append times are taken from `clock`; they never go back, although the clock may.
    ///
    /// # Errors
    /// [`LogError::Locked`] where the file is open already, in this process or another,
    /// [`LogError::Newer`] where a newer version wrote it, [`LogError::Partitions`] where it has
    /// another number of them, and [`LogError::Storage`] where it cannot be used.
    pub fn open(
        path: impl AsRef<Path>,
        options: EmbeddedOptions,
        clock: impl Clock,
    ) -> Result<Self, LogError> {
        let clock = WallClock::new(clock);
        Self::open_on(path.as_ref(), options, clock, Health::default())
    }

    fn open_on(
        path: &Path,
        options: EmbeddedOptions,
        clock: WallClock,
        health: Health,
    ) -> Result<Self, LogError> {
        let (file, identity, extents) = LogFile::open(path, options.partitions, health)?;
        let partitions: Vec<_> = (0..)
            .zip(extents)
            .map(|(n, extent)| Partition::new(n, extent))
            .collect();
        let metrics = Metrics::new(&options.topic);
        let topic = Arc::new(Topic {
            name: options.topic,
            clock,
            retention: options.retention,
            max_recent_bytes: (RECENT_BYTES / partitions.len().max(1)).max(MIN_RECENT_BYTES),
            queue: Queue::new(options.max_pending_bytes, metrics.clone()),
            metrics,
            trouble: Trouble::default(),
            file,
            partitions,
        });
        for (number, partition) in topic.numbered() {
            topic.metrics.first_offset(number, partition.bounds().first);
        }
        let committer = spawn_committer(topic.clone()).map_err(|error| LogError::Storage {
            path: path.display().to_string(),
            reason: format!("no thread for its committer: {error}"),
        })?;
        Ok(Self {
            handle: Arc::new(Handle {
                topic,
                identity,
                committer: Mutex::new(Some(committer)),
            }),
        })
    }

    /// What tells this file from every other: 32 hexadecimal digits made with it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{:032x}", self.handle.identity.id)
    }

    /// Says that every consumer has durably passed all records of `partition` before `passed`,
    /// so that retention may drop them.
    ///
    /// This is not stored: after a start, nothing is dropped until it is said again. The
    /// committer drops whole blobs in the background, and never a partition's newest.
    ///
    /// # Errors
    /// [`LogError::NoSuchPartition`].
    pub fn retain(&self, partition: PartitionId, passed: Offset) -> Result<(), LogError> {
        self.partition(partition)?.pass(passed);
        self.handle.topic.queue.passed();
        Ok(())
    }

    /// Since when every commit has failed, by the log's clock in UTC nanoseconds, and what the
    /// newest failure said; none once a commit succeeds.
    #[must_use]
    pub fn failing_since_ns(&self) -> Option<(i64, String)> {
        self.handle.topic.trouble.since_ns()
    }

    /// Why nothing more can be written before the process starts anew, where that is so.
    #[must_use]
    pub fn failed_for_good(&self) -> Option<LogError> {
        self.handle.topic.file.failed_for_good()
    }

    /// Makes durable what was appended, then lets go of the file. Every later call fails with
    /// [`LogError::Closed`]. It blocks for about one commit, and may be called again.
    pub fn close(&self) {
        self.handle.close();
    }

    fn partition(&self, partition: PartitionId) -> Result<&Partition, LogError> {
        let found = self.handle.topic.partitions.get(partition as usize);
        let found = found.ok_or(LogError::NoSuchPartition {
            partition,
            partitions: self.partitions(),
        })?;
        found.progress().check_open()?;
        Ok(found)
    }
}

fn spawn_committer(topic: Arc<Topic>) -> std::io::Result<JoinHandle<()>> {
    Builder::new()
        .name(format!("log-{}", topic.name))
        .spawn(move || Committer::new(&topic).run())
}

impl Topic {
    fn numbered(&self) -> impl Iterator<Item = (PartitionId, &Partition)> {
        (0..).zip(&self.partitions)
    }

    fn read(
        &self,
        number: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<Batch, LogError> {
        let partition = &self.partitions[number as usize];
        let Bounds { end, .. } = partition.bounds();
        let blobs = match partition.locate(offset, max_bytes)? {
            Place::Memory(blobs) => blobs,
            Place::File => self.file.read(number, offset, max_bytes)?,
        };
        match blobs.first() {
            // Retention dropped it in between, and is about to say so.
            Some(blob) if blob.first > offset => Err(LogError::OutOfRange {
                partition: number,
                offset,
                first: blob.first,
                end,
            }),
            None if offset < end => Err(self.file.malformed(Malformed)),
            _ => self.decode(&blobs, offset, end, max_bytes),
        }
    }

    fn decode(
        &self,
        blobs: &[Blob],
        offset: Offset,
        until: Offset,
        max_bytes: usize,
    ) -> Result<Batch, LogError> {
        let mut records = Records::default();
        for blob in blobs {
            let has_room = blob
                .decode(offset, until, max_bytes, &mut records)
                .map_err(|malformed| self.file.malformed(malformed))?;
            if !has_room {
                break;
            }
        }
        let next_offset = records.list.last().map_or(offset, |last| last.offset + 1);
        Ok(Batch {
            records: records.list,
            next_offset,
        })
    }
}

impl Handle {
    fn close(&self) {
        self.topic.queue.close();
        let mut committer = self
            .committer
            .lock()
            .expect("no holder of the thread panics");
        if let Some(committer) = committer.take() {
            committer
                .join()
                .expect("the committer catches the store's panics");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl Log for EmbeddedLog {
    fn partitions(&self) -> PartitionId {
        let count = self.handle.topic.partitions.len();
        PartitionId::try_from(count).expect("opened with a PartitionId")
    }

    fn epoch(&self) -> Epoch {
        self.handle.identity.epoch
    }

    async fn append(
        &self,
        partition: PartitionId,
        entries: Vec<NewRecord>,
    ) -> Result<Range<Offset>, LogError> {
        let found = self.partition(partition)?;
        if entries.is_empty() {
            let end = found.bounds().end;
            return Ok(end..end);
        }
        let count = entries.len() as u64;
        let size_bytes = entries
            .iter()
            .map(|entry| entry.key.len() + entry.value.len())
            .sum();
        let (answer, answered) = oneshot::channel();
        self.handle.topic.queue.push(Append {
            partition,
            entries,
            size_bytes,
            answer,
        })?;
        let first = answered.await.unwrap_or(Err(LogError::Closed))?;
        Ok(first..first + count)
    }

    async fn fetch(
        &self,
        partition: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<Batch, LogError> {
        self.partition(partition)?;
        self.handle.topic.read(partition, offset, max_bytes)
    }

    async fn wait(&self, partition: PartitionId, offset: Offset) -> Result<(), LogError> {
        self.partition(partition)?
            .progress()
            .wait_beyond(offset)
            .await
    }

    async fn bounds(&self, partition: PartitionId) -> Result<Bounds, LogError> {
        Ok(self.partition(partition)?.bounds())
    }
    fn end_hint(&self, partition: PartitionId) -> Option<Offset> {
        Some(self.partition(partition).ok()?.bounds().end)
    }
}
