//! A generation of the log, as it was read before it was deleted.

use crate::kafka::RecordsByPartition;

/// A generation of `trades`.
#[derive(Debug)]
pub(crate) struct LogGeneration {
    pub(crate) records: RecordsByPartition,
    /// For each partition the offset from which on no record was folded. Empty if all were.
    pub(crate) ends: Vec<u64>,
}

impl LogGeneration {
    /// Returns a generation all of whose records were folded.
    pub(crate) const fn drained(records: RecordsByPartition) -> Self {
        Self {
            records,
            ends: Vec::new(),
        }
    }

    pub(super) fn end_of_partition(&self, partition: u32) -> u64 {
        let end = self.ends.get(partition as usize);
        end.copied().unwrap_or(u64::MAX)
    }
}
