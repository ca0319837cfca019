//! The errors of a log.

use crate::record::{Offset, PartitionId};

/// Why a log could not carry out a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The offset is below the first record that is kept, or beyond the end.
    #[error("offset {offset} of partition {partition} is not within [{first}, {end}]")]
    OutOfRange {
        /// The requested partition.
        partition: PartitionId,
        /// The requested offset.
        offset: Offset,
        /// The offset of the oldest record that is kept.
        first: Offset,
        /// One past the offset of the newest durable record.
        end: Offset,
    },
    /// The topic has no such partition.
    #[error("there is no partition {partition}: the topic has {partitions}, counted from 0")]
    NoSuchPartition {
        /// The requested partition.
        partition: PartitionId,
        /// How many partitions the topic has.
        partitions: PartitionId,
    },
    /// Too many bytes wait to be written; the call may be repeated shortly.
    #[error("the log is busy: {pending_bytes} bytes wait to be written")]
    Busy {
        /// Bytes that were accepted and are not yet durable.
        pending_bytes: usize,
    },
    /// The topic was deleted and created again since it was opened, so its offsets now name other
    /// records.
    #[error("the topic {topic} was recreated; open it again to use its next epoch")]
    Recreated {
        /// The topic.
        topic: String,
    },
    /// The servers of the log do not answer, or not yet; the same call may succeed later.
    #[error("{topic}: {reason}")]
    Unavailable {
        /// The topic.
        topic: String,
        /// What went wrong.
        reason: String,
    },
    /// The servers of the log refuse the call; no retry can help.
    #[error("{topic}: {reason}")]
    Refused {
        /// The topic.
        topic: String,
        /// What went wrong, and how to correct it.
        reason: String,
    },
    /// The servers of the log refuse the call because this process lacks a right. The same call
    /// succeeds once an operator has granted the right.
    #[error("{topic}: {reason}")]
    Denied {
        /// The topic.
        topic: String,
        /// Which right is missing, and how it is granted.
        reason: String,
    },
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
    /// Another process has the folder open.
    #[error("{path} is in use by another process; stop it, or choose another --data folder")]
    Locked {
        /// The file that is locked.
        path: String,
    },
    /// The file was written by a newer version.
    #[error("{path} has format {found}, this version reads {known}; use a newer candlewick")]
    Newer {
        /// The file.
        path: String,
        /// The format of the file.
        found: u64,
        /// The format that this version reads.
        known: u64,
    },
    /// The file was written by an older version.
    #[error(
        "{path} has format {found}, but this version reads format {known} and cannot upgrade it: \
         delete the data folder and replay the trades, or use the older candlewick that wrote it"
    )]
    Older {
        /// The file.
        path: String,
        /// The format of the file.
        found: u64,
        /// The format that this version reads.
        known: u64,
    },
    /// The number of partitions of the file differs from the configured number.
    #[error(
        "{path} has {found} partitions and {wanted} are configured; \
         a topic keeps its number: set it back, or choose another --data folder"
    )]
    Partitions {
        /// The file.
        path: String,
        /// How many partitions the file has.
        found: PartitionId,
        /// How many partitions are configured.
        wanted: PartitionId,
    },
    /// The disk is full. Acknowledged records are safe, and nothing more can be written.
    #[error("{path}: {reason}")]
    Full {
        /// The file.
        path: String,
        /// The error of the operating system.
        reason: String,
    },
    /// The file is not what was written: its disk damaged it, or another program wrote to it. No
    /// retry can help.
    #[error(
        "{path}: {reason}; restore it from a backup, or do what docs/operations.md says of damaged \
         data"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What is damaged.
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
    /// Returns whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::Unavailable { .. } | Self::Denied { .. }
        )
    }

    /// Returns whether retention has dropped the requested record: it has overtaken the reader.
    #[must_use]
    pub const fn is_below_retention(&self) -> bool {
        match self {
            Self::OutOfRange { offset, first, .. } => *offset < *first,
            _ => false,
        }
    }
}
