//! A topic of dead letters in memory, for the tests.

use clock::ManualClock;

use eventlog::{Log, MemoryLog, NewRecord};
use market::{Position, RejectReason};
use schemas::DeadLetter;

use super::place::LetterPlace;

/// What is no dead letter.
pub(super) const GARBAGE: &[u8] = &[0x91, 1, 0xc1];

/// The letter of a record at this offset of the source.
pub(super) fn letter(offset: u64, key: &'static str) -> DeadLetter {
    DeadLetter {
        reason: RejectReason::Misrouted,
        detail: String::new(),
        partition: 0,
        position: Position { epoch: 1, offset },
        append_time_ns: 5,
        key: key.into(),
        value: "value".into(),
    }
}

pub(super) fn place(text: &str) -> LetterPlace {
    text.parse().unwrap()
}

/// A log of two partitions that hold these values by turns, each a moment later.
pub(super) async fn log(max_bytes: usize, values: &[Vec<u8>]) -> MemoryLog {
    let log = MemoryLog::new(2, 1, max_bytes, ManualClock::stepping(0, 1));
    for (value, partition) in values.iter().zip([0, 1].into_iter().cycle()) {
        let entry = NewRecord {
            key: "key".into(),
            value: value.clone().into(),
        };
        log.append(partition, vec![entry]).await.unwrap();
    }
    log
}
