//! A topic of dead letters in memory, for tests.

use clock::ManualClock;
use eventlog::{Log, MemoryLog, NewRecord};
use market::{Position, RejectReason};
use schemas::DeadLetter;

use crate::location::DeadLetterLocation;

/// A value that is not a dead letter.
pub(crate) const GARBAGE: &[u8] = &[0x91, 1, 0xc1];

/// Returns the dead letter of the record at this offset of partition 0 of `trades`.
pub(crate) fn dead_letter(source_offset: u64, key: &'static str) -> DeadLetter {
    DeadLetter {
        reason: RejectReason::Misrouted,
        detail: String::new(),
        partition: 0,
        position: Position {
            epoch: 1,
            offset: source_offset,
        },
        append_time_ns: 5,
        key: key.into(),
        value: "value".into(),
    }
}

/// Parses `PARTITION/OFFSET`.
pub(crate) fn location(text: &str) -> DeadLetterLocation {
    text.parse().unwrap()
}

/// Creates a log of two partitions and appends the values to them in turn, each one nanosecond
/// later.
pub(crate) async fn dead_letter_topic_log(
    max_bytes_per_partition: usize,
    values: &[Vec<u8>],
) -> MemoryLog {
    let log = MemoryLog::new(2, 1, max_bytes_per_partition, ManualClock::with_step(0, 1));
    for (value, partition) in values.iter().zip([0, 1].into_iter().cycle()) {
        let record = NewRecord {
            key: "key".into(),
            value: value.clone().into(),
        };
        log.append(partition, vec![record]).await.unwrap();
    }
    log
}
