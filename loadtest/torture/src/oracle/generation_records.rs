//! The records of a generation of the log, as they were read before it was deleted.

use crate::kafka::RecordsByPartition;

/// All records of one generation of `trades`.
#[derive(Debug)]
pub(crate) struct GenerationRecords {
    pub(crate) records: RecordsByPartition,
    /// For each partition the offset from which on no record was folded. Empty if all were.
    pub(crate) ends: Vec<u64>,
}

impl GenerationRecords {
    /// Returns the records of a generation all of which were folded.
    pub(crate) const fn drained(records: RecordsByPartition) -> Self {
        Self {
            records,
            ends: Vec::new(),
        }
    }

    /// Returns the offset from which on no record of a partition was folded; the greatest offset if
    /// all were.
    pub(super) fn first_unfolded_offset_or_max(&self, partition: u32) -> u64 {
        let end = self.ends.get(partition as usize);
        end.copied().unwrap_or(u64::MAX)
    }
}
