//! Warnings about records of the topic that are not dead letters, and are skipped.

use std::collections::BTreeMap;
use std::mem;

use eventlog::{Offset, PartitionId};

use crate::location::DeadLetterLocation;
use crate::topic_record::ForeignRecord;

/// Collects foreign records into warnings. Consecutive offsets share a warning, so any number of
/// records needs little memory.
#[derive(Debug, Default)]
pub(crate) struct ForeignRecordWarnings {
    count: u64,
    runs: BTreeMap<PartitionId, OffsetRun>,
}

/// Consecutive offsets of foreign records.
#[derive(Debug, Clone)]
struct OffsetRun {
    first: Offset,
    last: Offset,
    /// Why the first is not a dead letter.
    reason: String,
}

impl ForeignRecordWarnings {
    /// Returns whether a foreign record was ever added, even if its warning was taken since.
    pub(crate) const fn has_seen_foreign_records(&self) -> bool {
        self.count > 0
    }

    /// Adds a record. Returns the warning about the offsets before it, if it does not follow them.
    pub(crate) fn add(&mut self, record: &ForeignRecord) -> Option<String> {
        self.count += 1;
        let DeadLetterLocation { partition, offset } = record.location;
        let run = OffsetRun {
            first: offset,
            last: offset,
            reason: record.reason.clone(),
        };
        let Some(known) = self.runs.get_mut(&partition) else {
            self.runs.insert(partition, run);
            return None;
        };
        if known.last + 1 == offset {
            known.last = offset;
            return None;
        }
        let ended = mem::replace(known, run);
        Some(ended.warning(partition))
    }

    /// Returns the warnings that are left at the end, and the total.
    pub(crate) fn take_remaining_warnings(&mut self) -> Vec<String> {
        let runs = mem::take(&mut self.runs).into_iter();
        let mut lines: Vec<_> = runs
            .map(|(partition, run)| run.warning(partition))
            .collect();
        match self.count {
            0 | 1 => {}
            count => lines.push(format!("{count} records are not dead letters")),
        }
        lines
    }
}

impl OffsetRun {
    fn warning(&self, partition: PartitionId) -> String {
        let location = |offset| DeadLetterLocation { partition, offset };
        let (first, reason) = (location(self.first), &self.reason);
        match self.first == self.last {
            true => format!("{first} is not a dead letter and was skipped: {reason}"),
            false => format!(
                "{first} to {} are not dead letters and were skipped; the first: {reason}",
                location(self.last)
            ),
        }
    }
}

/// Prints a warning to standard error.
pub(crate) fn print_warning(line: &str) {
    eprintln!("dead-letters: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_topic::location;

    #[test]
    fn consecutive_offsets_share_a_warning() {
        let mut foreign_warnings = ForeignRecordWarnings::default();
        let mut warnings = Vec::new();
        let locations = ["0/1", "1/7", "0/2", "0/3", "1/9", "0/5"];
        for (text, reason) in locations.into_iter().zip("abcdef".chars()) {
            let record = ForeignRecord {
                location: location(text),
                append_time_ns: 0,
                key: "".into(),
                value: "".into(),
                reason: reason.to_string(),
            };
            warnings.extend(foreign_warnings.add(&record));
        }
        let expected = [
            "1/7 is not a dead letter and was skipped: b",
            "0/1 to 0/3 are not dead letters and were skipped; the first: a",
        ];
        assert_eq!(warnings, expected);
        let expected = [
            "0/5 is not a dead letter and was skipped: f",
            "1/9 is not a dead letter and was skipped: e",
            "6 records are not dead letters",
        ];
        assert_eq!(foreign_warnings.take_remaining_warnings(), expected);
        assert!(foreign_warnings.has_seen_foreign_records());
    }
}
