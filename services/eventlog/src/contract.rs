//! The contract of [`Log`]: tests that every log must pass, for the tests of its crate.
//!
//! Each function gets a new, empty log of [`PARTITIONS`] partitions and epoch 1, and the clock of
//! its append times, which a log with a clock of its own ignores. [`crate::for_every_log`] lists
//! the functions.

#![expect(
    clippy::unwrap_used,
    reason = "each function is the body of a test in another crate"
)]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clock::ManualClock;

use crate::error::LogError;
use crate::log::{Log, OffsetBounds};
use crate::record::{NewRecord, Offset, PartitionId, Record};

/// How many partitions the log of a contract test has.
pub const PARTITIONS: PartitionId = 3;
/// How many bytes a fetch of a contract test reads at most.
pub const MAX_BYTES: usize = 1 << 20;

/// Calls `$test!(name)` with the name of each function of the contract, except
/// `contract::close_ends_waits_and_fails_later_calls`, which needs to know how to close the log.
#[macro_export]
macro_rules! for_every_log {
    ($test:ident) => {
        $test!(starts_empty);
        $test!(keeps_records_in_order);
        $test!(keeps_partitions_independent);
        $test!(accepts_an_empty_append);
        $test!(keeps_keys);
        $test!(keeps_large_and_empty_values);
        $test!(honours_max_bytes);
        $test!(refuses_offsets_out_of_range);
        $test!(refuses_unknown_partitions);
        $test!(wakes_waiting_readers);
        $test!(survives_dropped_waits);
        $test!(returns_to_concurrent_appenders_their_own_offsets);
        $test!(append_times_follow_the_clock);
        $test!(confirms_its_epoch);
        $test!(end_hint_is_the_end);
    };
}

/// Returns a record with this key and value.
pub fn new_record(key: &str, value: &str) -> NewRecord {
    NewRecord {
        key: key.to_owned().into(),
        value: value.to_owned().into(),
    }
}

/// Returns `count` records with the same key, whose values are `0`, `1`, `2` and so on.
pub fn numbered_records(key: &str, count: usize) -> Vec<NewRecord> {
    (0..count)
        .map(|n| new_record(key, &n.to_string()))
        .collect()
}

/// Fetches all records starting at `offset`, about 10,007 bytes at a time.
pub async fn fetch_all(log: &impl Log, partition: PartitionId, offset: Offset) -> Vec<Record> {
    let mut records = Vec::new();
    let mut next_offset = offset;
    loop {
        let batch = log.fetch(partition, next_offset, 10_007).await.unwrap();
        if batch.records.is_empty() {
            assert_eq!(batch.next_offset, next_offset);
            return records;
        }
        assert_eq!(batch.records[0].offset, next_offset);
        next_offset = batch.next_offset;
        records.extend(batch.records);
    }
}

/// A new log is empty and has the epoch 1.
pub async fn starts_empty(log: impl Log, _clock: ManualClock) {
    assert_eq!(log.partition_count(), PARTITIONS);
    assert_eq!(log.epoch(), 1);
    for partition in 0..PARTITIONS {
        assert_eq!(
            log.bounds(partition).await,
            Ok(OffsetBounds { first: 0, end: 0 })
        );
        let batch = log.fetch(partition, 0, MAX_BYTES).await.unwrap();
        assert_eq!((batch.records, batch.next_offset), (vec![], 0));
    }
}

/// Records are fetched in the order in which they were appended, from any offset.
pub async fn keeps_records_in_order(log: impl Log, clock: ManualClock) {
    let mut expected = Vec::new();
    for size in [1_usize, 2, 100, 5_000, 1] {
        let batch = numbered_records(&format!("{size}"), size);
        let offsets = log.append(1, batch.clone()).await.unwrap();
        assert_eq!(offsets.start, expected.len() as Offset);
        expected.extend(batch);
        assert_eq!(offsets.end, expected.len() as Offset);
        clock.advance_ns(1);
    }
    let found = fetch_all(&log, 1, 0).await;
    assert_eq!(found.len(), expected.len());
    for (offset, (record, new_record)) in (0..).zip(found.iter().zip(&expected)) {
        assert_eq!(record.offset, offset);
        assert_eq!(
            (&record.key, &record.value),
            (&new_record.key, &new_record.value)
        );
    }
    assert_eq!(fetch_all(&log, 1, 50).await, found[50..]);
    assert_eq!(fetch_all(&log, 1, 5_000).await, found[5_000..]);
}

/// Each partition has offsets of its own.
pub async fn keeps_partitions_independent(log: impl Log, _clock: ManualClock) {
    log.append(0, numbered_records("a", 3)).await.unwrap();
    assert_eq!(log.append(2, numbered_records("b", 2)).await, Ok(0..2));
    assert_eq!(log.append(0, numbered_records("a", 1)).await, Ok(3..4));
    assert_eq!(log.bounds(0).await, Ok(OffsetBounds { first: 0, end: 4 }));
    assert_eq!(log.bounds(1).await, Ok(OffsetBounds { first: 0, end: 0 }));
    assert_eq!(log.bounds(2).await, Ok(OffsetBounds { first: 0, end: 2 }));
}

/// An append of no records returns the end and changes nothing.
pub async fn accepts_an_empty_append(log: impl Log, _clock: ManualClock) {
    log.append(0, numbered_records("a", 3)).await.unwrap();
    assert_eq!(log.append(0, Vec::new()).await, Ok(3..3));
    assert_eq!(log.bounds(0).await, Ok(OffsetBounds { first: 0, end: 3 }));
}

/// Every record keeps its key, next to records with equal, empty or other keys.
pub async fn keeps_keys(log: impl Log, _clock: ManualClock) {
    let keys = ["", "", "a", "a", "", "bb", "bb", "bb", "a"];
    let batch: Vec<NewRecord> = keys.iter().map(|key| new_record(key, "v")).collect();
    // In one append, where records may share a blob, and one by one.
    log.append(0, batch.clone()).await.unwrap();
    for record in batch {
        log.append(0, vec![record]).await.unwrap();
    }
    for start in 0..2 * keys.len() {
        let found = fetch_all(&log, 0, start as Offset).await;
        let found: Vec<_> = found.iter().map(|record| &record.key[..]).collect();
        let expected: Vec<_> = keys.iter().chain(&keys).map(|key| key.as_bytes()).collect();
        assert_eq!(found, expected[start..]);
    }
}

/// Values of any size are kept.
pub async fn keeps_large_and_empty_values(log: impl Log, _clock: ManualClock) {
    let sizes = [
        0, 3_000_000, 0, 127, 128, 16_383, 16_384, 262_144, 300_000, 1,
    ];
    let batch: Vec<_> = sizes
        .iter()
        .map(|size| new_record("k", &"x".repeat(*size)))
        .collect();
    log.append(0, batch).await.unwrap();
    let found = fetch_all(&log, 0, 0).await;
    let found: Vec<_> = found.iter().map(|record| record.value.len()).collect();
    assert_eq!(found, sizes);
}

/// A fetch returns about `max_bytes`, and at least one record.
pub async fn honours_max_bytes(log: impl Log, _clock: ManualClock) {
    let batch = (0..100)
        .map(|_| new_record("0123456789", &"x".repeat(90)))
        .collect();
    log.append(0, batch).await.unwrap();
    for (max_bytes, at_least, at_most) in [(0, 1, 1), (50, 1, 1), (1_050, 9, 10), (5_000, 45, 50)] {
        let batch = log.fetch(0, 7, max_bytes).await.unwrap();
        let count = batch.records.len();
        assert!(
            (at_least..=at_most).contains(&count),
            "{count} in {max_bytes}"
        );
        assert_eq!(batch.records[0].offset, 7);
        assert_eq!(batch.next_offset, 7 + count as Offset);
    }
}

/// A fetch beyond the end fails; a fetch at the end does not.
pub async fn refuses_offsets_out_of_range(log: impl Log, _clock: ManualClock) {
    log.append(0, numbered_records("a", 3)).await.unwrap();
    assert_eq!(log.fetch(0, 3, MAX_BYTES).await.unwrap().next_offset, 3);
    let refused = log.fetch(0, 4, MAX_BYTES).await;
    let expected = LogError::OutOfRange {
        partition: 0,
        offset: 4,
        first: 0,
        end: 3,
    };
    assert_eq!(refused, Err(expected));
}

/// Every call for a partition that the topic does not have fails.
pub async fn refuses_unknown_partitions(log: impl Log, _clock: ManualClock) {
    let error = LogError::NoSuchPartition {
        partition: PARTITIONS,
        partitions: PARTITIONS,
    };
    assert_eq!(
        log.append(PARTITIONS, numbered_records("a", 1)).await,
        Err(error.clone())
    );
    assert_eq!(log.fetch(PARTITIONS, 0, 1).await, Err(error.clone()));
    assert_eq!(log.wait_for_record(PARTITIONS, 0).await, Err(error.clone()));
    assert_eq!(log.bounds(PARTITIONS).await, Err(error));
}

/// A wait ends once its record is there, and not before.
pub async fn wakes_waiting_readers(log: impl Log, _clock: ManualClock) {
    let is_awake = Arc::new(AtomicBool::new(false));
    let waiting = tokio::spawn({
        let (log, is_awake) = (log.clone(), is_awake.clone());
        async move {
            log.wait_for_record(0, 2).await.unwrap();
            is_awake.store(true, Ordering::SeqCst);
            log.fetch(0, 2, MAX_BYTES).await.unwrap()
        }
    });
    log.append(1, numbered_records("other", 5)).await.unwrap();
    log.append(0, numbered_records("a", 2)).await.unwrap();
    tokio::task::yield_now().await;
    assert!(
        !is_awake.load(Ordering::SeqCst),
        "the record at offset 2 is not there yet"
    );
    log.append(0, numbered_records("b", 1)).await.unwrap();
    assert_eq!(waiting.await.unwrap().records.len(), 1);
    log.wait_for_record(0, 0).await.unwrap();
}

/// A wait that is dropped loses nothing.
pub async fn survives_dropped_waits(log: impl Log, _clock: ManualClock) {
    for _ in 0..100 {
        let mut waiting = Box::pin(log.wait_for_record(0, 0));
        // Polled once, then dropped.
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(waiting.as_mut().poll(context).is_pending())
        });
        assert!(polled.await);
    }
    log.append(0, numbered_records("a", 1)).await.unwrap();
    log.wait_for_record(0, 0).await.unwrap();
}

/// Each of many concurrent appends gets the offsets of its own records.
pub async fn returns_to_concurrent_appenders_their_own_offsets(log: impl Log, _clock: ManualClock) {
    let appender = |name: usize| {
        let log = log.clone();
        tokio::spawn(async move {
            let mut first_offsets = Vec::new();
            for round in 0..50 {
                let batch = (0..=round % 4)
                    .map(|n| new_record(&format!("{name}"), &format!("{round}.{n}")));
                let appended = log.append(0, batch.collect()).await.unwrap();
                assert_eq!(appended.end - appended.start, round % 4 + 1);
                first_offsets.push(appended.start);
            }
            first_offsets
        })
    };
    let appenders: Vec<_> = (0..16).map(appender).collect();
    let mut count = 0;
    let mut returned = Vec::new();
    for appender in appenders {
        returned.push(appender.await.unwrap());
    }
    let records = fetch_all(&log, 0, 0).await;
    for (name, offsets) in returned.iter().enumerate() {
        assert!(offsets.is_sorted());
        for (round, offset) in offsets.iter().enumerate() {
            for n in 0..=round % 4 {
                let record = &records[usize::try_from(*offset).unwrap() + n];
                assert_eq!(record.key, format!("{name}"));
                assert_eq!(record.value, format!("{round}.{n}"));
                count += 1;
            }
        }
    }
    assert_eq!(records.len(), count);
}

/// Append times follow the clock, whichever clock that is.
pub async fn append_times_follow_the_clock(log: impl Log, clock: ManualClock) {
    for _ in 0..5 {
        log.append(0, numbered_records("a", 3)).await.unwrap();
        clock.advance_ns(7_000_000);
        std::thread::sleep(Duration::from_millis(7));
    }
    let times: Vec<_> = fetch_all(&log, 0, 0)
        .await
        .iter()
        .map(|record| record.append_time_ns)
        .collect();
    assert_eq!(times.len(), 15);
    assert!(times.is_sorted(), "{times:?}");
    // Append times are exact to a millisecond at least.
    assert!(times[14] - times[0] >= 4 * 6_000_000, "{times:?}");
}

/// The epoch is confirmed, for many concurrent checks too.
pub async fn confirms_its_epoch(log: impl Log, _clock: ManualClock) {
    assert_eq!(log.epoch(), 1);
    log.append(0, numbered_records("a", 1)).await.unwrap();
    let checks = (0..20).map(|_| log.check_epoch());
    for outcome in futures_util::future::join_all(checks).await {
        assert_eq!(outcome, Ok(()));
    }
}

/// The end hint of a partition that was just appended to is its end.
pub async fn end_hint_is_the_end(log: impl Log, _clock: ManualClock) {
    log.append(0, numbered_records("a", 7)).await.unwrap();
    assert_eq!(log.end_hint(0), Some(7));
    assert_eq!(log.end_hint(PARTITIONS), None);
}

/// Closing ends waits and fails later calls, and may be repeated.
pub async fn close_ends_waits_and_fails_later_calls<L: Log>(log: L, close: impl Fn(&L)) {
    log.append(0, numbered_records("a", 1)).await.unwrap();
    let waiting = tokio::spawn({
        let log = log.clone();
        async move { log.wait_for_record(0, 1).await }
    });
    tokio::task::yield_now().await;
    close(&log);
    close(&log);
    assert_eq!(waiting.await.unwrap(), Err(LogError::Closed));
    assert_eq!(
        log.append(0, numbered_records("a", 1)).await,
        Err(LogError::Closed)
    );
    assert_eq!(log.fetch(0, 0, 1).await, Err(LogError::Closed));
    assert_eq!(log.wait_for_record(0, 0).await, Err(LogError::Closed));
}
