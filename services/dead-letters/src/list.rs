//! The action `list`: the newest dead letters.

use std::collections::BTreeMap;

use eventlog::Log;

use crate::filter::DeadLetterFilter;
use crate::foreign_records::ForeignRecordWarnings;
use crate::list_table::{DeadLetterRow, dead_letter_row};
use crate::topic_reader::{DeadLetterReader, read_bounds};
use crate::topic_record::DeadLettersTopicRecord;

/// Returns the rows of the newest dead letters that a filter selects, the newest first. Only these
/// are kept in memory. Calls `warn` for records that are not dead letters.
pub(crate) async fn scan_for_newest<L: Log>(
    log: &L,
    filter: &DeadLetterFilter,
    limit: usize,
    mut warn: impl FnMut(&str),
) -> anyhow::Result<Vec<DeadLetterRow>> {
    let bounds = read_bounds(log).await?;
    let mut reader = DeadLetterReader::new(log, &bounds);
    let mut foreign_warnings = ForeignRecordWarnings::default();
    let mut rows = BTreeMap::new();
    while let Some(record) = reader.next_record().await? {
        let stored = match record {
            DeadLettersTopicRecord::DeadLetter(stored) if filter.matches(&stored.letter) => stored,
            DeadLettersTopicRecord::DeadLetter(_) => continue,
            DeadLettersTopicRecord::Foreign(record) => {
                if let Some(line) = foreign_warnings.add(&record) {
                    warn(&line);
                }
                continue;
            }
        };
        rows.insert(
            (stored.append_time_ns, stored.location),
            dead_letter_row(&stored),
        );
        if rows.len() > limit {
            rows.pop_first();
        }
    }
    foreign_warnings
        .take_remaining_warnings()
        .iter()
        .for_each(|line| warn(line));
    Ok(rows.into_values().rev().collect())
}

#[cfg(test)]
mod tests {
    use market::RejectReason;

    use super::*;
    use crate::test_topic::{GARBAGE, dead_letter, dead_letter_topic_log};

    /// Returns the source offsets of the listed dead letters, and the warnings.
    async fn list(
        log: &impl Log,
        filter: DeadLetterFilter,
        limit: usize,
    ) -> (Vec<String>, Vec<String>) {
        let mut warnings = Vec::new();
        let rows =
            scan_for_newest(log, &filter, limit, |line| warnings.push(line.to_owned())).await;
        let rows = rows.unwrap().into_iter().map(|row| {
            let (_, offset) = row[2].split_once('/').unwrap();
            offset.to_owned()
        });
        (rows.collect(), warnings)
    }

    #[tokio::test]
    async fn the_newest_come_first_and_repeats_once() {
        let unknown = schemas::DeadLetter {
            reason: RejectReason::VenueUnknown,
            ..dead_letter(2, "v:B")
        };
        let letters = [
            dead_letter(1, "v:A"),
            unknown,
            dead_letter(1, "v:A"),
            dead_letter(3, "w:A"),
            dead_letter(4, "A"),
        ];
        let log = dead_letter_topic_log(1 << 20, &letters.map(|letter| letter.encode())).await;
        let all = DeadLetterFilter::default();
        assert_eq!(list(&log, all.clone(), 9).await.0, ["4", "3", "2", "1"]);
        assert_eq!(list(&log, all, 2).await.0, ["4", "3"]);
        let reason = DeadLetterFilter {
            reason: Some(RejectReason::VenueUnknown),
            ..DeadLetterFilter::default()
        };
        assert_eq!(list(&log, reason, 9).await.0, ["2"]);
        let venue = DeadLetterFilter {
            venue: "v".parse().ok(),
            ..DeadLetterFilter::default()
        };
        assert_eq!(list(&log, venue, 9).await.0, ["2", "1"]);
        let symbol = DeadLetterFilter {
            symbol: "A".parse().ok(),
            ..DeadLetterFilter::default()
        };
        let (rows, warnings) = list(&log, symbol, 9).await;
        assert_eq!(rows, ["3", "1"]);
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[tokio::test]
    async fn foreign_records_are_reported_and_skipped() {
        let garbage = || GARBAGE.to_vec();
        let values = [
            garbage(),
            dead_letter(1, "v:A").encode(),
            garbage(),
            garbage(),
            dead_letter(2, "v:A").encode(),
        ];
        let log = dead_letter_topic_log(1 << 20, &values).await;
        let (rows, warnings) = list(&log, DeadLetterFilter::default(), 9).await;
        assert_eq!(rows, ["2", "1"]);
        let expected = [
            "0/0 to 0/1 are not dead letters and were skipped; the first: record: 1 elements; \
             9 are expected",
            "1/1 is not a dead letter and was skipped: record: 1 elements; 9 are expected",
            "3 records are not dead letters",
        ];
        assert_eq!(warnings, expected);
    }
}
