//! The trait that the roles are written against.

use std::future::{Future, ready};
use std::ops::Range;

use crate::error::LogError;
use crate::record::{Epoch, NewRecord, Offset, PartitionId, RecordBatch};

/// The offsets that a partition holds now: `[first, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetBounds {
    /// The offset of the oldest record that is kept.
    pub first: Offset,
    /// One past the offset of the newest durable record.
    pub end: Offset,
}

/// One topic of a log.
///
/// A handle is cheap to clone and may be used from many tasks at once.
pub trait Log: Clone + Send + Sync + 'static {
    /// Returns the number of partitions of the topic, which never changes.
    fn partition_count(&self) -> PartitionId;

    /// Returns the generation of the topic.
    fn epoch(&self) -> Epoch;

    /// Appends the records in order, and returns their offsets once they are durable.
    ///
    /// The records have exactly the returned offsets if no other writer appended to the partition
    /// at the same time; otherwise records of other writers may lie between them. After an error
    /// it may be unknown which of the records were appended.
    ///
    /// # Errors
    /// A [`LogError`]; [`LogError::is_transient`] returns whether a retry can help.
    fn append(
        &self,
        partition: PartitionId,
        records: Vec<NewRecord>,
    ) -> impl Future<Output = Result<Range<Offset>, LogError>> + Send;

    /// Reads records starting at `offset`: whole records of about `max_bytes` at most, but at least
    /// one if there is one. Does not wait for new records: at the end of the partition it returns
    /// an empty batch.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] if `offset` is not within the bounds.
    fn fetch(
        &self,
        partition: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> impl Future<Output = Result<RecordBatch, LogError>> + Send;

    /// Waits until the partition holds a record at `offset` or later. Dropping the future before
    /// it is ready loses nothing.
    ///
    /// # Errors
    /// [`LogError::Closed`] if the log is closed.
    fn wait_for_record(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> impl Future<Output = Result<(), LogError>> + Send;

    /// Returns the offsets that the partition holds now.
    ///
    /// # Errors
    /// A [`LogError`] if the log cannot be read.
    fn bounds(
        &self,
        partition: PartitionId,
    ) -> impl Future<Output = Result<OffsetBounds, LogError>> + Send;

    /// Returns the last known end of the partition, which may be a moment old, or `None` if
    /// nothing is known yet. It makes no request, and is meant for measuring lag.
    fn end_hint(&self, _partition: PartitionId) -> Option<Offset> {
        None
    }

    /// Returns whether a caller that has fetched every record before `next_offset` has fetched
    /// every record before `end`. The offsets between the two may hold no records: other producers'
    /// transactions leave such offsets behind. It makes no request, and returns `false` if that is
    /// not known.
    fn is_read_to(&self, _partition: PartitionId, next_offset: Offset, end: Offset) -> bool {
        next_offset >= end
    }

    /// Checks whether the topic is still the generation that [`Log::epoch`] returns. Records that
    /// were fetched before a successful check are of that generation. A log that cannot be
    /// recreated while it is open need not check anything.
    ///
    /// # Errors
    /// [`LogError::Recreated`] if the topic is another generation, or another error if that could
    /// not be checked.
    fn check_epoch(&self) -> impl Future<Output = Result<(), LogError>> + Send {
        ready(Ok(()))
    }
}
