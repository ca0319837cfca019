//! What the handles and the committer of a topic share.

use super::append_queue::AppendQueue;
use super::blob::{DamagedBlob, FetchedRecords, MalformedBlob, RecordBlob};
use super::commit_failure_streak::CommitFailureStreak;
use super::file::TopicDatabaseFile;
use super::options::{EmbeddedOptions, RetentionLimits};
use super::partition::{BlobSource, EmbeddedPartition, PartitionExtent};
use crate::error::LogError;
use crate::log::OffsetBounds;
use crate::metrics::TopicMetrics;
use crate::record::{Offset, PartitionId, RecordBatch};
use crate::wall_clock::WallClock;

/// How many bytes of the newest blobs are kept in memory, of all partitions together.
const RECENT_BYTES: usize = 32 * 1024 * 1024;
/// How many bytes of the newest blobs are kept in memory of each partition at least.
const MIN_RECENT_BYTES: usize = 1024 * 1024;

/// What the handles and the committer of a topic share.
pub(super) struct EmbeddedTopic {
    pub(super) name: String,
    pub(super) clock: WallClock,
    pub(super) retention: RetentionLimits,
    /// How many bytes of its newest blobs each partition keeps in memory.
    pub(super) max_recent_bytes: usize,
    pub(super) metrics: TopicMetrics,
    pub(super) queue: AppendQueue,
    pub(super) commit_failure_streak: CommitFailureStreak,
    pub(super) file: TopicDatabaseFile,
    pub(super) partitions: Vec<EmbeddedPartition>,
}

impl EmbeddedTopic {
    /// Returns the topic whose partitions hold `extents` in `file`.
    pub(super) fn new(
        options: EmbeddedOptions,
        clock: WallClock,
        file: TopicDatabaseFile,
        extents: Vec<PartitionExtent>,
    ) -> Self {
        let partitions: Vec<_> = (0..)
            .zip(extents)
            .map(|(number, extent)| EmbeddedPartition::new(number, extent))
            .collect();
        let metrics = TopicMetrics::register_metrics(&options.topic);
        let topic = Self {
            name: options.topic,
            clock,
            retention: options.retention,
            max_recent_bytes: (RECENT_BYTES / partitions.len().max(1)).max(MIN_RECENT_BYTES),
            queue: AppendQueue::new(options.max_pending_bytes, metrics.clone()),
            metrics,
            commit_failure_streak: CommitFailureStreak::default(),
            file,
            partitions,
        };
        for (number, partition) in topic.numbered_partitions() {
            topic
                .metrics
                .set_first_offset(number, partition.bounds().first);
        }
        topic
    }

    pub(super) fn numbered_partitions(
        &self,
    ) -> impl Iterator<Item = (PartitionId, &EmbeddedPartition)> {
        (0..).zip(&self.partitions)
    }

    /// Reads about `max_bytes` of records starting at `offset`, from memory or from the file.
    pub(super) fn read(
        &self,
        number: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<RecordBatch, LogError> {
        let partition = &self.partitions[number as usize];
        let OffsetBounds { end, .. } = partition.bounds();
        let blobs = match partition.find_blobs(offset, max_bytes)? {
            BlobSource::Memory(blobs) => blobs,
            BlobSource::File => self.file.read_blobs_from(number, offset, max_bytes)?,
        };
        match blobs.first() {
            // Retention dropped the record meanwhile, and is about to move the first offset.
            Some(blob) if blob.first > offset && offset < partition.droppable_before() => {
                Err(LogError::OutOfRange {
                    partition: number,
                    offset,
                    first: blob.first,
                    end,
                })
            }
            first if first.map_or(end, |blob| blob.first) > offset => {
                let partition = number;
                let missing = DamagedBlob::Missing { partition, offset };
                Err(self.file.damaged_blob_error(missing))
            }
            _ => self.decode_batch(number, &blobs, offset, end, max_bytes),
        }
    }

    fn decode_batch(
        &self,
        partition: PartitionId,
        blobs: &[RecordBlob],
        offset: Offset,
        end: Offset,
        max_bytes: usize,
    ) -> Result<RecordBatch, LogError> {
        let mut fetched = FetchedRecords::default();
        for blob in blobs {
            let is_complete = blob
                .decode_range_and_tell_if_all_fit(offset, end, max_bytes, &mut fetched)
                .map_err(|MalformedBlob| {
                    let last = blob.last_offset();
                    let malformed = DamagedBlob::Malformed { partition, last };
                    self.file.damaged_blob_error(malformed)
                })?;
            if !is_complete {
                break;
            }
        }
        let next_offset = fetched
            .records
            .last()
            .map_or(offset, |last| last.offset + 1);
        Ok(RecordBatch {
            records: fetched.records,
            next_offset,
        })
    }
}
