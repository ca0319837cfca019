//! What a log holds.

use bytes::Bytes;

/// A record's place in its partition, counted from 0. Offsets grow; they need not be dense.
pub type Offset = u64;

/// A partition's number, counted from 0.
pub type PartitionId = u32;

/// The generation of a topic: a topic that was made anew has a greater epoch, and offsets of
/// two epochs are never compared without them.
pub type Epoch = u64;

/// A record to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// What the record is about; records of one key are in one partition.
    pub key: Bytes,
    /// The payload.
    pub value: Bytes,
}

/// A record that the log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the partition.
    pub offset: Offset,
    /// When the log took it, in UTC nanoseconds; never less than that of an earlier record of
    /// the partition that the same reader has read on from. Brokers' clocks differ: who stops
    /// and goes on later keeps the greatest that he has seen.
    pub append_time_ns: i64,
    /// What the record is about.
    pub key: Bytes,
    /// The payload.
    pub value: Bytes,
}

/// Some consecutive records of one partition, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The records, which may be none.
    pub records: Vec<Record>,
    /// Where to read on: one past the last record, or the offset that was asked for.
    pub next_offset: Offset,
}
