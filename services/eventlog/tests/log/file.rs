//! The file of the embedded log: reopening, refused files, and retention.

use std::fs;
use std::time::Duration;

use clock::ManualClock;
use eventlog::contract::{fetch_all, new_record, numbered_records};
use eventlog::{EmbeddedLog, Log, LogError, Offset, OffsetBounds, PartitionId, RetentionLimits};
use redb::{Database, TableDefinition};

use crate::support::{log_path, open, options, runtime};

#[test]
fn everything_is_kept_over_a_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(10);
    let log = open(&folder, 2, &clock);
    let id = log.id();
    assert_eq!(id.len(), 32);
    runtime().block_on(async {
        log.append(0, numbered_records("a", 1_000)).await.unwrap();
        log.append(1, vec![new_record("b", "x")]).await.unwrap();
        let before = fetch_all(&log, 0, 0).await;
        drop(log);

        clock.set_now_ns(5);
        let log = open(&folder, 2, &clock);
        assert_eq!((log.id(), log.epoch()), (id, 1));
        assert_eq!(
            log.bounds(0).await,
            Ok(OffsetBounds {
                first: 0,
                end: 1_000
            })
        );
        assert_eq!(fetch_all(&log, 0, 0).await, before);
        assert_eq!(
            log.append(0, numbered_records("a", 1)).await,
            Ok(1_000..1_001)
        );
        // The clock is behind the file; the append time is not.
        assert_eq!(fetch_all(&log, 0, 1_000).await[0].append_time_ns, 10);
    });
}

#[test]
fn two_files_have_two_ids() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let clock = ManualClock::new(0);
    assert_ne!(open(&one, 1, &clock).id(), open(&other, 1, &clock).id());
}

#[test]
fn a_second_open_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    let log = open(&folder, 1, &clock);
    let second = EmbeddedLog::open(log_path(&folder), options(1), clock.clone());
    assert!(matches!(second, Err(LogError::Locked { .. })));
    // The file stays locked until the last handle is dropped.
    let other = log.clone();
    drop(log);
    let second = EmbeddedLog::open(log_path(&folder), options(1), clock.clone());
    assert!(matches!(second, Err(LogError::Locked { .. })));
    drop(other);
    open(&folder, 1, &clock);
}

#[test]
fn another_number_of_partitions_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    open(&folder, 4, &clock).close();
    let Err(LogError::Partitions { found, wanted, .. }) =
        EmbeddedLog::open(log_path(&folder), options(8), clock)
    else {
        panic!("the file was opened");
    };
    assert_eq!((found, wanted), (4, 8));
}

#[test]
fn another_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    open(&folder, 1, &clock).close();
    let open_with_format = |format: u128| {
        let database = Database::open(log_path(&folder)).unwrap();
        let transaction = database.begin_write().unwrap();
        let meta = TableDefinition::<&str, u128>::new("meta");
        transaction
            .open_table(meta)
            .unwrap()
            .insert("format", format)
            .unwrap();
        transaction.commit().unwrap();
        drop(database);
        EmbeddedLog::open(log_path(&folder), options(1), clock.clone()).map(drop)
    };
    let newer = open_with_format(3);
    assert!(
        matches!(
            newer,
            Err(LogError::Newer {
                found: 3,
                known: 2,
                ..
            })
        ),
        "{newer:?}"
    );
    let older = open_with_format(1).unwrap_err();
    assert!(
        matches!(
            older,
            LogError::Older {
                found: 1,
                known: 2,
                ..
            }
        ),
        "{older:?}"
    );
    let text = older.to_string();
    assert!(text.contains("delete the data folder"), "{text}");
    assert_eq!(open_with_format(2), Ok(()));
}

#[test]
fn a_file_that_is_not_a_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    let assert_refused = |what: &str| {
        let result = EmbeddedLog::open(log_path(&folder), options(1), clock.clone());
        let Err(error @ LogError::Damaged { .. }) = result else {
            panic!("{what}: {:?}", result.map(drop));
        };
        let text = error.to_string();
        assert!(text.contains(log_path(&folder).to_str().unwrap()), "{text}");
        assert!(text.contains("restore it from a backup"), "{text}");
        text
    };
    fs::write(log_path(&folder), "").unwrap();
    let text = assert_refused("an empty file");
    assert!(text.contains("the file is empty (0 bytes)"), "{text}");
    for size_bytes in [1, 100, 4_096, 1 << 20] {
        fs::write(log_path(&folder), vec![0x5a; size_bytes]).unwrap();
        assert_refused("garbage");
    }
    fs::remove_file(log_path(&folder)).unwrap();
    drop(Database::create(log_path(&folder)).unwrap());
    assert_refused("an empty database");
    let missing = folder.path().join("missing").join("trades.redb");
    let result = EmbeddedLog::open(missing, options(1), clock.clone());
    assert!(matches!(result, Err(LogError::Storage { .. })));
}

#[test]
fn a_damaged_file_is_an_error_and_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    let log = open(&folder, 1, &clock);
    runtime().block_on(async {
        for n in 0..50 {
            log.append(0, numbered_records(&n.to_string(), 500))
                .await
                .unwrap();
        }
    });
    drop(log);
    let whole = fs::read(log_path(&folder)).unwrap();
    let try_open = |bytes: &[u8]| {
        fs::write(log_path(&folder), bytes).unwrap();
        // Damage to free space only does not matter: the log opens, and reads without a panic.
        if let Ok(log) = EmbeddedLog::open(log_path(&folder), options(1), clock.clone()) {
            runtime().block_on(async {
                let mut offset = 0;
                while let Ok(batch) = log.fetch(0, offset, 1 << 16).await {
                    if batch.records.is_empty() {
                        break;
                    }
                    offset = batch.next_offset;
                }
                let _ = log.append(0, numbered_records("after", 1)).await;
            });
        }
    };
    for eighth in 0..8 {
        try_open(&whole[..whole.len() * eighth / 8]);
    }
    for start in (0..whole.len()).step_by(whole.len() / 40) {
        let mut damaged = whole.clone();
        let end = (start + 64).min(damaged.len());
        damaged[start..end].fill(0xa5);
        try_open(&damaged);
    }
}

/// Flips one bit of the file at a time, in many places, and reads the whole log each time: it is
/// an error, or every record is the one that was written.
#[test]
fn a_flipped_bit_of_the_file_never_gives_other_records() {
    const PARTITIONS: u32 = 2;
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    let log = open(&folder, PARTITIONS, &clock);
    let expected: Vec<_> = runtime().block_on(async {
        for n in 0..60 {
            let records = numbered_records(&n.to_string(), 200);
            log.append(n % PARTITIONS, records).await.unwrap();
        }
        let mut all = Vec::new();
        for partition in 0..PARTITIONS {
            all.push(fetch_all(&log, partition, 0).await);
        }
        all
    });
    drop(log);
    let whole = fs::read(log_path(&folder)).unwrap();
    let mut named = 0;
    for (round, position) in (0..whole.len()).step_by(whole.len() / 600).enumerate() {
        let mut damaged = whole.clone();
        damaged[position] ^= 1 << (round % 8);
        fs::write(log_path(&folder), damaged).unwrap();
        let Ok(log) = EmbeddedLog::open(log_path(&folder), options(PARTITIONS), clock.clone())
        else {
            continue;
        };
        runtime().block_on(async {
            for partition in 0..PARTITIONS {
                let expected = &expected[partition as usize];
                let mut read = 0;
                while read < expected.len() {
                    match log.fetch(partition, read as Offset, 1 << 14).await {
                        Ok(batch) => {
                            let count = batch.records.len();
                            assert!(count > 0, "records are missing: byte {position}");
                            assert_eq!(batch.records, expected[read..read + count]);
                            read += count;
                        }
                        Err(error) => {
                            let text = error.to_string();
                            assert!(matches!(error, LogError::Damaged { .. }), "{text}");
                            let place = format!("of partition {partition} ");
                            named += usize::from(text.contains(&place));
                            break;
                        }
                    }
                }
            }
        });
    }
    assert!(named > 20, "{named} errors name the partition");
}

#[test]
fn an_append_to_a_full_queue_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(1);
    options.max_pending_bytes = 20_000;
    let log = EmbeddedLog::open(log_path(&folder), options, ManualClock::new(0)).unwrap();
    runtime().block_on(async {
        // Larger than the bound: accepted because nothing else waits.
        log.append(0, numbered_records("a", 1_000)).await.unwrap();
        let append = |_| {
            let log = log.clone();
            tokio::spawn(async move { log.append(0, numbered_records("a", 100)).await })
        };
        let appends: Vec<_> = (0..50).map(append).collect();
        let (mut accepted, mut busy) = (0, 0);
        for append in appends {
            match append.await.unwrap() {
                Ok(_) => accepted += 1,
                Err(error) => {
                    assert!(error.is_transient());
                    busy += 1;
                }
            }
        }
        assert!(accepted > 0 && busy > 0, "{accepted} accepted, {busy} busy");
        assert_eq!(log.bounds(0).await.unwrap().end, 1_000 + 100 * accepted);
    });
}

/// Waits until the committer has dropped the records before `first`.
async fn wait_for_first_offset(log: &EmbeddedLog, partition: PartitionId, first: Offset) {
    for _ in 0..10_000 {
        if log.bounds(partition).await.unwrap().first == first {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("{:?}, wanted first {first}", log.bounds(partition).await);
}

#[test]
fn old_records_are_dropped_once_they_are_released() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    let mut options = options(2);
    options.retention.max_age_ns = 100;
    let log = EmbeddedLog::open(log_path(&folder), options.clone(), clock.clone()).unwrap();
    runtime().block_on(async {
        for now_ns in [0, 50, 100, 150] {
            clock.set_now_ns(now_ns);
            log.append(0, numbered_records("a", 10)).await.unwrap();
        }
        clock.set_now_ns(10_000_000_000);
        // No record of partition 1 is released.
        log.append(1, numbered_records("b", 10)).await.unwrap();
        // All records are old. The first two blobs are the ones that end before 25.
        log.allow_drop_before(0, 25).unwrap();
        wait_for_first_offset(&log, 0, 20).await;
        let below = log.fetch(0, 19, 1).await;
        assert!(matches!(below, Err(LogError::OutOfRange { first: 20, .. })));
        assert_eq!(fetch_all(&log, 0, 20).await.len(), 20);
        // All are released. The newest blob stays, because it holds the end of the partition.
        clock.advance_ns(10_000_000_000);
        log.allow_drop_before(0, 40).unwrap();
        wait_for_first_offset(&log, 0, 30).await;
        assert_eq!(log.bounds(1).await.unwrap().first, 0);
        drop(log);
        let log = EmbeddedLog::open(log_path(&folder), options, clock.clone()).unwrap();
        assert_eq!(log.bounds(0).await, Ok(OffsetBounds { first: 30, end: 40 }));
        assert_eq!(log.append(0, numbered_records("a", 1)).await, Ok(40..41));
    });
}

#[test]
fn the_oldest_records_beyond_the_size_are_dropped_once_they_are_released() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    let mut options = options(1);
    options.retention = RetentionLimits {
        max_age_ns: i64::MAX,
        max_bytes: 100_000,
    };
    let log = EmbeddedLog::open(log_path(&folder), options, clock.clone()).unwrap();
    runtime().block_on(async {
        for _ in 0..600 {
            log.append(0, vec![new_record("a", &"x".repeat(1_000))])
                .await
                .unwrap();
        }
        log.allow_drop_before(0, 400).unwrap();
        // This takes more than one transaction, and is less than the size requires.
        wait_for_first_offset(&log, 0, 400).await;
        clock.advance_ns(10_000_000_000);
        log.allow_drop_before(0, 600).unwrap();
        for _ in 0..10_000 {
            if log.bounds(0).await.unwrap().first > 400 {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let first = log.bounds(0).await.unwrap().first;
        assert!((501..=510).contains(&first), "{first}");
        assert_eq!(fetch_all(&log, 0, first).await.len() as Offset, 600 - first);
    });
}

#[test]
fn old_records_are_read_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    let log = open(&folder, 1, &clock);
    runtime().block_on(async {
        // More than is kept in memory.
        let value = "x".repeat(10_000);
        for _ in 0..50 {
            let batch = (0..100).map(|_| new_record("k", &value)).collect();
            log.append(0, batch).await.unwrap();
        }
        assert_eq!(fetch_all(&log, 0, 0).await.len(), 5_000);
        assert_eq!(
            log.fetch(0, 123, 1 << 20).await.unwrap().records[0].offset,
            123
        );
    });
}
