//! Records that were appended in the future, as seen by the clock of the process that reads them.
//!
//! Time never goes back in a partition, and the append time is the clock of the fold. One record of
//! a broker whose clock is far ahead would close every window for ever, so readers stop before it.

use std::fmt;
use std::time::Duration;

use crate::record::{Offset, Record};

/// How far ahead of the reader's clock a record may have been appended.
const MAX_AHEAD: Duration = Duration::from_secs(3_600);

/// A record that was appended too far ahead of the reader's clock. Its text says what to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FarFutureRecord {
    /// The offset of the record.
    pub offset: Offset,
    /// How far ahead of the clock it was appended.
    pub ahead: Duration,
}

impl fmt::Display for FarFutureRecord {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "the record at offset {} was appended {} s ahead of this process's clock, and {} s are \
             allowed: check the clocks of the brokers and of this machine",
            self.offset,
            self.ahead.as_secs(),
            MAX_AHEAD.as_secs()
        )
    }
}

/// Returns the records before the first that was appended too far ahead of the clock, and that
/// record, if there is one. `now_ns` is the clock, in UTC nanoseconds.
#[must_use]
pub fn split_before_far_future_record(
    records: &[Record],
    now_ns: i64,
) -> (&[Record], Option<FarFutureRecord>) {
    let ahead = |record: &Record| {
        let ahead_ns = record.append_time_ns.saturating_sub(now_ns);
        Duration::from_nanos(u64::try_from(ahead_ns).unwrap_or(0))
    };
    match records.iter().position(|record| ahead(record) > MAX_AHEAD) {
        None => (records, None),
        Some(first) => {
            let record = &records[first];
            let future = FarFutureRecord {
                offset: record.offset,
                ahead: ahead(record),
            };
            (&records[..first], Some(future))
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn records_are_taken_up_to_one_that_was_appended_in_the_future() {
        let record = |offset, append_time_ns| Record {
            offset,
            append_time_ns,
            key: Bytes::new(),
            value: Bytes::new(),
        };
        let now_ns = 1_700_000_000_000_000_000;
        let hour_ns = 3_600_000_000_000;
        let records = [
            record(7, i64::MIN),
            record(8, now_ns + hour_ns),
            record(9, now_ns + hour_ns + 1),
            record(10, now_ns),
        ];
        let (before, future) = split_before_far_future_record(&records, now_ns);
        assert_eq!(before.len(), 2);
        assert_eq!(future.unwrap().offset, 9);
        let text = future.unwrap().to_string();
        assert!(
            text.contains("offset 9 was appended 3600 s ahead"),
            "{text}"
        );
        let none = split_before_far_future_record(&records[..2], now_ns);
        assert_eq!(none, (&records[..2], None));
    }
}
