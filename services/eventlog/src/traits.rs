//! The trait that the roles are written against.

use std::future::{Future, ready};
use std::ops::Range;

use crate::{Batch, Epoch, NewRecord, Offset, PartitionId};

/// What a partition holds now: offsets `[first, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest record kept.
    pub first: Offset,
    /// One past the newest durable record.
    pub end: Offset,
}

/// One topic of a log.
///
/// A handle is cheap to clone and may be used from many tasks at once.
pub trait Log: Clone + Send + Sync + 'static {
    /// How many partitions the topic has; it never changes.
    fn partitions(&self) -> PartitionId;

    /// The topic's generation.
    fn epoch(&self) -> Epoch;

    /// Appends the entries in order, and answers once they are durable. They are the records of
    /// the offsets answered, where nobody else has appended to the partition meanwhile; other
    /// writers' records may lie between them. A failure may leave it unknown which were appended.
    ///
    /// # Errors
    /// [`LogError`], whose [`LogError::is_transient`] says whether a retry can help.
    fn append(
        &self,
        partition: PartitionId,
        entries: Vec<NewRecord>,
    ) -> impl Future<Output = Result<Range<Offset>, LogError>> + Send;

    /// Reads records from `offset` on: whole records of about `max_bytes` at most, but at least
    /// one if there is one. Answers at once, with no records at the end of the partition.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] where `offset` is not within the bounds.
    fn fetch(
        &self,
        partition: PartitionId,
        offset: Offset,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Batch, LogError>> + Send;

    /// Waits until the partition holds a record at `offset` or later. Dropping the future
    /// before it is ready loses nothing.
    ///
    /// # Errors
    /// [`LogError::Closed`] when the log is shut down.
    fn wait(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> impl Future<Output = Result<(), LogError>> + Send;

    /// What the partition holds now.
    ///
    /// # Errors
    /// [`LogError`] where the log cannot be read.
    fn bounds(
        &self,
        partition: PartitionId,
    ) -> impl Future<Output = Result<Bounds, LogError>> + Send;

    /// Where the partition ended when this was last learnt, which may be a moment ago; none where
    /// nothing is known yet. It costs nothing, and is meant for lag.
    fn end_hint(&self, _partition: PartitionId) -> Option<Offset> {
        None
    }

    /// Asks whether the topic is still the generation that [`Log::epoch`] names. Records that
    /// were fetched before this succeeds are of that generation. A log that cannot be made anew
    /// under its readers need not ask.
    ///
    /// # Errors
    /// [`LogError::Recreated`] where it is another, and what hinders the question.
    fn check_epoch(&self) -> impl Future<Output = Result<(), LogError>> + Send {
        ready(Ok(()))
    }
}

/// Why a log could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The offset is below the first record kept or beyond the end.
    #[error("offset {offset} of partition {partition} is not within [{first}, {end}]")]
    OutOfRange {
        /// The partition asked for.
        partition: PartitionId,
        /// The offset asked for.
        offset: Offset,
        /// The oldest record kept.
        first: Offset,
        /// One past the newest durable record.
        end: Offset,
    },
    /// The topic has no such partition.
    #[error("there is no partition {partition}: the topic has {partitions}, counted from 0")]
    NoSuchPartition {
        /// The partition asked for.
        partition: PartitionId,
        /// How many there are.
        partitions: PartitionId,
    },
    /// Too much waits to be written; try again shortly.
    #[error("the log is busy: {pending_bytes} bytes wait to be written")]
    Busy {
        /// Bytes accepted and not yet durable.
        pending_bytes: usize,
    },
    /// The topic was made anew since it was opened: its offsets name other records now.
    #[error("the topic {topic} was made anew; open it again to go on with its next epoch")]
    Recreated {
        /// Which topic.
        topic: String,
    },
    /// The log's servers do not answer, or not yet; the same call may succeed later.
    #[error("{topic}: {reason}")]
    Unavailable {
        /// Which topic.
        topic: String,
        /// What went wrong.
        reason: String,
    },
    /// The log's servers refuse what was asked; no retry can help.
    #[error("{topic}: {reason}")]
    Refused {
        /// Which topic.
        topic: String,
        /// What went wrong, and what would be right.
        reason: String,
    },
    /// The log is shut down.
    #[error("the log is closed")]
    Closed,
    /// The folder is held by another process.
    #[error("{path} is in use by another process; stop it, or choose another --data folder")]
    Locked {
        /// The file that is held.
        path: String,
    },
    /// The file was written by a newer version.
    #[error("{path} has format {found}, this version reads up to {known}; use a newer candlewick")]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: u64,
        /// The newest format that is known here.
        known: u64,
    },
    /// The file holds another number of partitions than was asked for.
    #[error(
        "{path} has {found} partitions and {wanted} are configured; \
         a topic keeps its number: set it back, or choose another --data folder"
    )]
    Partitions {
        /// The file.
        path: String,
        /// How many it has.
        found: PartitionId,
        /// How many were asked for.
        wanted: PartitionId,
    },
    /// The disk is full: what was acknowledged is safe, and nothing more can be written.
    #[error("{path}: {reason}")]
    Full {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The disk or the file failed.
    #[error("{path}: {reason}")]
    Storage {
        /// The file.
        path: String,
        /// What went wrong.
        reason: String,
    },
}

impl LogError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unavailable { .. })
    }

    /// Whether the log has dropped the record that was asked for: retention has overrun a reader.
    #[must_use]
    pub const fn is_below_retention(&self) -> bool {
        match self {
            Self::OutOfRange { offset, first, .. } => *offset < *first,
            _ => false,
        }
    }
}
