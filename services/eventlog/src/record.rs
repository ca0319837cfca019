//! What a log holds.

use bytes::Bytes;

/// The place of a record in its partition, counted from 0. Offsets grow; they need not be dense.
pub type Offset = u64;

/// The number of a partition, counted from 0.
pub type PartitionId = u32;

/// The generation of a topic. A topic that is deleted and created again has a greater epoch, and
/// two offsets are comparable only if their epochs are equal.
pub type Epoch = u64;

/// A record to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// What the record is about. The records of one key are in one partition.
    pub key: Bytes,
    /// The payload.
    pub value: Bytes,
}

/// A record that the log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The place of the record in its partition.
    pub offset: Offset,
    /// When the log accepted the record, in UTC nanoseconds.
    ///
    /// It is never less than that of an earlier record of the partition that the same reader has
    /// read without a break. The clocks of brokers differ: a reader that stops and continues later
    /// keeps the greatest append time that it has seen.
    pub append_time_ns: i64,
    /// What the record is about.
    pub key: Bytes,
    /// The payload.
    pub value: Bytes,
}

/// Consecutive records of one partition, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordBatch {
    /// The records. There may be none.
    pub records: Vec<Record>,
    /// Where to continue reading: one past the last record, or the requested offset if there are
    /// no records.
    pub next_offset: Offset,
}
