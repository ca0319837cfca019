//! What every log must do, checked over each of them.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clock::ManualClock;

use crate::support::{self, entries, entry, fetch_all};
use eventlog::{Bounds, Log, LogError, NewRecord, Offset, PartitionId};

pub(crate) const PARTITIONS: PartitionId = 3;
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// Calls `$test!(name)` with each function of the contract that every log must fulfil.
macro_rules! for_every_log {
    ($test:ident) => {
        $test!(starts_empty);
        $test!(keeps_records_in_order);
        $test!(appends_to_partitions_apart);
        $test!(takes_an_empty_append);
        $test!(keeps_keys);
        $test!(keeps_large_and_empty_values);
        $test!(honours_max_bytes);
        $test!(refuses_offsets_out_of_range);
        $test!(refuses_unknown_partitions);
        $test!(wakes_those_who_wait);
        $test!(survives_dropped_waits);
        $test!(answers_concurrent_appenders_their_own_offsets);
        $test!(gives_append_times_that_grow);
        $test!(knows_its_epoch);
        $test!(hints_at_the_end);
        $test!(closes);
    };
}
pub(crate) use for_every_log;

pub(crate) async fn starts_empty(log: impl Log, _clock: ManualClock) {
    assert_eq!(log.partitions(), PARTITIONS);
    assert_eq!(log.epoch(), 1);
    for partition in 0..PARTITIONS {
        assert_eq!(log.bounds(partition).await, Ok(Bounds { first: 0, end: 0 }));
        let batch = log.fetch(partition, 0, MAX_BYTES).await.unwrap();
        assert_eq!((batch.records, batch.next_offset), (vec![], 0));
    }
}

pub(crate) async fn keeps_records_in_order(log: impl Log, clock: ManualClock) {
    let mut expected = Vec::new();
    for size in [1_usize, 2, 100, 5_000, 1] {
        let batch = entries(&format!("{size}"), size);
        let offsets = log.append(1, batch.clone()).await.unwrap();
        assert_eq!(offsets.start, expected.len() as Offset);
        expected.extend(batch);
        assert_eq!(offsets.end, expected.len() as Offset);
        clock.advance_ns(1);
    }
    let found = fetch_all(&log, 1, 0).await;
    assert_eq!(found.len(), expected.len());
    for (offset, (record, entry)) in (0..).zip(found.iter().zip(&expected)) {
        assert_eq!(record.offset, offset);
        assert_eq!((&record.key, &record.value), (&entry.key, &entry.value));
    }
    assert_eq!(fetch_all(&log, 1, 50).await, found[50..]);
    assert_eq!(fetch_all(&log, 1, 5_000).await, found[5_000..]);
}

pub(crate) async fn appends_to_partitions_apart(log: impl Log, _clock: ManualClock) {
    log.append(0, entries("a", 3)).await.unwrap();
    assert_eq!(log.append(2, entries("b", 2)).await, Ok(0..2));
    assert_eq!(log.append(0, entries("a", 1)).await, Ok(3..4));
    assert_eq!(log.bounds(0).await, Ok(Bounds { first: 0, end: 4 }));
    assert_eq!(log.bounds(1).await, Ok(Bounds { first: 0, end: 0 }));
    assert_eq!(log.bounds(2).await, Ok(Bounds { first: 0, end: 2 }));
}

pub(crate) async fn takes_an_empty_append(log: impl Log, _clock: ManualClock) {
    log.append(0, entries("a", 3)).await.unwrap();
    assert_eq!(log.append(0, Vec::new()).await, Ok(3..3));
    assert_eq!(log.bounds(0).await, Ok(Bounds { first: 0, end: 3 }));
}

pub(crate) async fn keeps_keys(log: impl Log, _clock: ManualClock) {
    let keys = ["", "", "a", "a", "", "bb", "bb", "bb", "a"];
    let batch: Vec<NewRecord> = keys.iter().map(|key| entry(key, "v")).collect();
    // In one append, and one by one, where they may or may not share a blob.
    log.append(0, batch.clone()).await.unwrap();
    for entry in batch {
        log.append(0, vec![entry]).await.unwrap();
    }
    for start in 0..2 * keys.len() {
        let found = fetch_all(&log, 0, start as Offset).await;
        let found: Vec<_> = found.iter().map(|record| &record.key[..]).collect();
        let expected: Vec<_> = keys.iter().chain(&keys).map(|key| key.as_bytes()).collect();
        assert_eq!(found, expected[start..]);
    }
}

pub(crate) async fn keeps_large_and_empty_values(log: impl Log, _clock: ManualClock) {
    let sizes = [
        0, 3_000_000, 0, 127, 128, 16_383, 16_384, 262_144, 300_000, 1,
    ];
    let batch: Vec<_> = sizes
        .iter()
        .map(|size| entry("k", &"x".repeat(*size)))
        .collect();
    log.append(0, batch).await.unwrap();
    let found = fetch_all(&log, 0, 0).await;
    let found: Vec<_> = found.iter().map(|record| record.value.len()).collect();
    assert_eq!(found, sizes);
}

pub(crate) async fn honours_max_bytes(log: impl Log, _clock: ManualClock) {
    let batch = (0..100)
        .map(|_| entry("0123456789", &"x".repeat(90)))
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

pub(crate) async fn refuses_offsets_out_of_range(log: impl Log, _clock: ManualClock) {
    log.append(0, entries("a", 3)).await.unwrap();
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

pub(crate) async fn refuses_unknown_partitions(log: impl Log, _clock: ManualClock) {
    let error = LogError::NoSuchPartition {
        partition: PARTITIONS,
        partitions: PARTITIONS,
    };
    assert_eq!(
        log.append(PARTITIONS, entries("a", 1)).await,
        Err(error.clone())
    );
    assert_eq!(log.fetch(PARTITIONS, 0, 1).await, Err(error.clone()));
    assert_eq!(log.wait(PARTITIONS, 0).await, Err(error.clone()));
    assert_eq!(log.bounds(PARTITIONS).await, Err(error));
}

pub(crate) async fn wakes_those_who_wait(log: impl Log, _clock: ManualClock) {
    let is_awake = Arc::new(AtomicBool::new(false));
    let waiting = tokio::spawn({
        let (log, is_awake) = (log.clone(), is_awake.clone());
        async move {
            log.wait(0, 2).await.unwrap();
            is_awake.store(true, Ordering::SeqCst);
            log.fetch(0, 2, MAX_BYTES).await.unwrap()
        }
    });
    log.append(1, entries("other", 5)).await.unwrap();
    log.append(0, entries("a", 2)).await.unwrap();
    tokio::task::yield_now().await;
    assert!(
        !is_awake.load(Ordering::SeqCst),
        "the record at 2 is not there yet"
    );
    log.append(0, entries("b", 1)).await.unwrap();
    assert_eq!(waiting.await.unwrap().records.len(), 1);
    log.wait(0, 0).await.unwrap();
}

pub(crate) async fn survives_dropped_waits(log: impl Log, _clock: ManualClock) {
    for _ in 0..100 {
        let mut waiting = Box::pin(log.wait(0, 0));
        // Polled once, then dropped.
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(waiting.as_mut().poll(context).is_pending())
        });
        assert!(polled.await);
    }
    log.append(0, entries("a", 1)).await.unwrap();
    log.wait(0, 0).await.unwrap();
}

pub(crate) async fn answers_concurrent_appenders_their_own_offsets(
    log: impl Log,
    _clock: ManualClock,
) {
    let appender = |name: usize| {
        let log = log.clone();
        tokio::spawn(async move {
            let mut offsets = Vec::new();
            for round in 0..50 {
                let batch =
                    (0..=round % 4).map(|n| entry(&format!("{name}"), &format!("{round}.{n}")));
                let answered = log.append(0, batch.collect()).await.unwrap();
                assert_eq!(answered.end - answered.start, round % 4 + 1);
                offsets.push(answered.start);
            }
            offsets
        })
    };
    let appenders: Vec<_> = (0..16).map(appender).collect();
    let mut count = 0;
    let mut answered = Vec::new();
    for appender in appenders {
        answered.push(appender.await.unwrap());
    }
    let records = fetch_all(&log, 0, 0).await;
    for (name, offsets) in answered.iter().enumerate() {
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

/// By whichever clock it is.
pub(crate) async fn gives_append_times_that_grow(log: impl Log, clock: ManualClock) {
    for _ in 0..5 {
        log.append(0, entries("a", 3)).await.unwrap();
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
    // A stamp is of a millisecond, at least.
    assert!(times[14] - times[0] >= 4 * 6_000_000, "{times:?}");
}

pub(crate) async fn knows_its_epoch(log: impl Log, _clock: ManualClock) {
    assert_eq!(log.epoch(), 1);
    log.append(0, entries("a", 1)).await.unwrap();
    let asked = (0..20).map(|_| log.check_epoch());
    for outcome in futures_util::future::join_all(asked).await {
        assert_eq!(outcome, Ok(()));
    }
}

pub(crate) async fn hints_at_the_end(log: impl Log, _clock: ManualClock) {
    log.append(0, entries("a", 7)).await.unwrap();
    assert_eq!(log.end_hint(0), Some(7));
    assert_eq!(log.end_hint(PARTITIONS), None);
}

pub(crate) async fn closes(log: impl Log + support::Close, _clock: ManualClock) {
    log.append(0, entries("a", 1)).await.unwrap();
    let waiting = tokio::spawn({
        let log = log.clone();
        async move { log.wait(0, 1).await }
    });
    tokio::task::yield_now().await;
    log.close();
    log.close();
    assert_eq!(waiting.await.unwrap(), Err(LogError::Closed));
    assert_eq!(log.append(0, entries("a", 1)).await, Err(LogError::Closed));
    assert_eq!(log.fetch(0, 0, 1).await, Err(LogError::Closed));
    assert_eq!(log.wait(0, 0).await, Err(LogError::Closed));
}
