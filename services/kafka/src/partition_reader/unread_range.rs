//! Where the records are that exist and were not fetched.

use eventlog::Offset;

/// The offsets of the records of a partition that exist and that the process has not fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnreadRange {
    /// The first offset that may hold such a record.
    pub first: Offset,
    /// One past the last such offset.
    pub end: Offset,
    /// Whether the brokers keep all of these records from readers, because a producer has an open
    /// transaction that began at `first` or before.
    pub is_behind_open_transaction: bool,
}
