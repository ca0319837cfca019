//! A durable topic in one local file.
//!
//! Appends wait in a bounded queue. One thread, the committer, takes those that wait, about 16 MiB
//! at most, writes them in one transaction with one sync, then publishes the new ends and replies
//! to the senders. Readers find the newest blobs in memory and older ones in the file.

mod append_queue;
mod blob;
mod blob_encoder;
mod commit_failure_streak;
mod committer;
mod database;
mod disk;
mod file;
mod identity;
mod options;
mod partition;
mod retention;
#[cfg(test)]
mod tests;
mod topic;

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

use clock::Clock;
use tokio::sync::oneshot;

use self::append_queue::QueuedAppend;
use self::committer::AppendCommitter;
use self::disk::SyncFailureState;
use self::file::TopicDatabaseFile;
use self::identity::FileIdentity;
use self::partition::EmbeddedPartition;
use self::topic::EmbeddedTopic;
use crate::error::LogError;
use crate::log::{Log, OffsetBounds};
use crate::record::{Epoch, NewRecord, Offset, PartitionId, RecordBatch};
use crate::wall_clock::WallClock;

pub use self::commit_failure_streak::OngoingCommitFailure;
pub use self::options::{EmbeddedOptions, RetentionLimits};

/// A durable topic in one local file.
///
/// Offsets are dense. Acknowledged records are synced to the disk, and readers see no others.
/// Retention makes room for later records within the file, which does not shrink.
///
/// Dropping the last handle closes the log, which waits for the appends that are queued.
#[derive(Clone)]
pub struct EmbeddedLog {
    handle: Arc<SharedEmbeddedLogState>,
}

/// What the clones of a log share. Dropping it closes the log.
struct SharedEmbeddedLogState {
    topic: Arc<EmbeddedTopic>,
    identity: FileIdentity,
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl EmbeddedLog {
    /// Opens the topic in the file at `path`, or creates the file; its folder must exist.
    ///
    /// After a crash this reads and checks the whole file: half a second for each gigabyte that
    /// the operating system still has in memory, and as long as the disk takes for the rest.
    ///
    /// Append times are taken from `clock`; they never go back, although the clock may.
    ///
    /// # Errors
    /// [`LogError::Locked`] if the file is open already, in this process or another,
    /// [`LogError::Newer`] or [`LogError::Older`] if another version wrote it,
    /// [`LogError::Partitions`] if it has another number of partitions, [`LogError::Damaged`] if it
    /// is not what was written, and [`LogError::Storage`] if it cannot be used.
    pub fn open(
        path: impl AsRef<Path>,
        options: EmbeddedOptions,
        clock: impl Clock,
    ) -> Result<Self, LogError> {
        let clock = WallClock::new(clock);
        Self::open_with_disk(path.as_ref(), options, clock, SyncFailureState::default())
    }

    fn open_with_disk(
        path: &Path,
        options: EmbeddedOptions,
        clock: WallClock,
        disk: SyncFailureState,
    ) -> Result<Self, LogError> {
        let (file, identity, extents) = TopicDatabaseFile::open(path, options.partitions, disk)?;
        let topic = Arc::new(EmbeddedTopic::new(options, clock, file, extents));
        let committer = spawn_committer(topic.clone()).map_err(|error| LogError::Storage {
            path: path.display().to_string(),
            reason: format!("the thread of its committer cannot be started: {error}"),
        })?;
        Ok(Self {
            handle: Arc::new(SharedEmbeddedLogState {
                topic,
                identity,
                committer: Mutex::new(Some(committer)),
            }),
        })
    }

    /// Returns the identifier of this file, which no other file has: 32 hexadecimal digits that
    /// are drawn when the file is created.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{:032x}", self.handle.identity.id)
    }

    /// Allows retention to drop the records of `partition` before `offset`. The caller knows that
    /// every consumer has durably processed these records.
    ///
    /// The offset is not stored: after a start, nothing is dropped until this is called again. The
    /// committer drops whole blobs in the background, and never the newest one of a partition.
    ///
    /// # Errors
    /// [`LogError::NoSuchPartition`], and [`LogError::Closed`] if the log is closed.
    pub fn allow_drop_before(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<(), LogError> {
        self.partition(partition)?.allow_drop_before(offset);
        self.handle.topic.queue.request_retention_sweep();
        Ok(())
    }

    /// Returns since when every commit has failed, with the error of the newest commit, or `None`
    /// if the newest commit succeeded.
    #[must_use]
    pub fn ongoing_commit_failure(&self) -> Option<OngoingCommitFailure> {
        self.handle.topic.commit_failure_streak.current()
    }

    /// Returns the error after which nothing can be written until the process is restarted, or
    /// `None` if there was no such error.
    #[must_use]
    pub fn permanent_failure(&self) -> Option<LogError> {
        self.handle.topic.file.permanent_failure()
    }

    /// Makes the queued appends durable, then closes the file. Every later call fails with
    /// [`LogError::Closed`]. It blocks for about one commit, and may be called more than once.
    pub fn close(&self) {
        self.handle.close();
    }

    fn partition(&self, partition: PartitionId) -> Result<&EmbeddedPartition, LogError> {
        let found = self.handle.topic.partitions.get(partition as usize);
        let found = found.ok_or(LogError::NoSuchPartition {
            partition,
            partitions: self.partition_count(),
        })?;
        found.visible_end().check_open()?;
        Ok(found)
    }
}

/// Starts the thread that commits the appends of `topic`.
fn spawn_committer(topic: Arc<EmbeddedTopic>) -> std::io::Result<JoinHandle<()>> {
    Builder::new()
        .name(format!("log-{}", topic.name))
        .spawn(move || AppendCommitter::new(&topic).run())
}

impl SharedEmbeddedLogState {
    fn close(&self) {
        self.topic.queue.close();
        let mut committer = self
            .committer
            .lock()
            .expect("no holder of the thread panics");
        if let Some(committer) = committer.take() {
            committer
                .join()
                .expect("the committer catches the panics of redb");
        }
    }
}

impl Drop for SharedEmbeddedLogState {
    fn drop(&mut self) {
        self.close();
    }
}

impl Log for EmbeddedLog {
    fn partition_count(&self) -> PartitionId {
        let count = self.handle.topic.partitions.len();
        PartitionId::try_from(count).expect("opened with a PartitionId")
    }

    fn epoch(&self) -> Epoch {
        self.handle.identity.epoch
    }

    async fn append(
        &self,
        partition: PartitionId,
        records: Vec<NewRecord>,
    ) -> Result<Range<Offset>, LogError> {
        let found = self.partition(partition)?;
        if records.is_empty() {
            let end = found.bounds().end;
            return Ok(end..end);
        }
        let count = records.len() as u64;
        let size_bytes = records
            .iter()
            .map(|record| record.key.len() + record.value.len())
            .sum();
        let (reply, replied) = oneshot::channel();
        self.handle.topic.queue.push(QueuedAppend {
            partition,
            records,
            size_bytes,
            reply,
        })?;
        let first = replied.await.unwrap_or(Err(LogError::Closed))?;
        Ok(first..first + count)
    }

    async fn fetch(
        &self,
        partition: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<RecordBatch, LogError> {
        self.partition(partition)?;
        self.handle.topic.read(partition, offset, max_bytes)
    }

    async fn wait_for_record(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<(), LogError> {
        self.partition(partition)?
            .visible_end()
            .wait_beyond(offset)
            .await
    }

    async fn bounds(&self, partition: PartitionId) -> Result<OffsetBounds, LogError> {
        Ok(self.partition(partition)?.bounds())
    }

    fn end_hint(&self, partition: PartitionId) -> Option<Offset> {
        Some(self.partition(partition).ok()?.bounds().end)
    }
}
