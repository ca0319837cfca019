//! The durable log's file: reopening, refusing, retention.

use std::fs;
use std::time::Duration;

use clock::ManualClock;
use eventlog::{Bounds, EmbeddedLog, Log, LogError, Offset, PartitionId, Retention};
use redb::{Database, TableDefinition};

use crate::support::{entries, entry, fetch_all, open, options, path, runtime};

#[test]
fn keeps_everything_over_a_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(10);
    let log = open(&folder, 2, &clock);
    let id = log.id();
    assert_eq!(id.len(), 32);
    runtime().block_on(async {
        log.append(0, entries("a", 1_000)).await.unwrap();
        log.append(1, vec![entry("b", "x")]).await.unwrap();
        let before = fetch_all(&log, 0, 0).await;
        drop(log);

        clock.set_now_ns(5);
        let log = open(&folder, 2, &clock);
        assert_eq!((log.id(), log.epoch()), (id, 1));
        assert_eq!(
            log.bounds(0).await,
            Ok(Bounds {
                first: 0,
                end: 1_000
            })
        );
        assert_eq!(fetch_all(&log, 0, 0).await, before);
        assert_eq!(log.append(0, entries("a", 1)).await, Ok(1_000..1_001));
        // The clock is behind the file; append time is not.
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
    let second = EmbeddedLog::open(path(&folder), options(1), clock.clone());
    assert!(matches!(second, Err(LogError::Locked { .. })));
    // Every handle is gone only with the last one.
    let other = log.clone();
    drop(log);
    let second = EmbeddedLog::open(path(&folder), options(1), clock.clone());
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
        EmbeddedLog::open(path(&folder), options(8), clock.clone())
    else {
        panic!("it was opened");
    };
    assert_eq!((found, wanted), (4, 8));
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    open(&folder, 1, &clock).close();
    let database = Database::open(path(&folder)).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = TableDefinition::<&str, u128>::new("meta");
    transaction
        .open_table(meta)
        .unwrap()
        .insert("format", 2)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let newer = EmbeddedLog::open(path(&folder), options(1), clock.clone());
    assert!(matches!(
        newer,
        Err(LogError::Newer {
            found: 2,
            known: 1,
            ..
        })
    ));
}

#[test]
fn a_file_that_is_no_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    let refused = |what: &str| {
        let result = EmbeddedLog::open(path(&folder), options(1), clock.clone());
        assert!(matches!(result, Err(LogError::Storage { .. })), "{what}");
    };
    for size_bytes in [0, 1, 100, 4_096, 1 << 20] {
        fs::write(path(&folder), vec![0x5a; size_bytes]).unwrap();
        refused("garbage");
    }
    fs::remove_file(path(&folder)).unwrap();
    drop(Database::create(path(&folder)).unwrap());
    refused("an empty database");
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
            log.append(0, entries(&n.to_string(), 500)).await.unwrap();
        }
    });
    drop(log);
    let whole = fs::read(path(&folder)).unwrap();
    let try_open = |bytes: &[u8]| {
        fs::write(path(&folder), bytes).unwrap();
        // Some damage is to free space only: then it opens, and reads without a panic.
        if let Ok(log) = EmbeddedLog::open(path(&folder), options(1), clock.clone()) {
            runtime().block_on(async {
                let mut offset = 0;
                while let Ok(batch) = log.fetch(0, offset, 1 << 16).await {
                    if batch.records.is_empty() {
                        break;
                    }
                    offset = batch.next_offset;
                }
                let _ = log.append(0, entries("after", 1)).await;
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

#[test]
fn a_full_queue_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(1);
    options.max_pending_bytes = 20_000;
    let log = EmbeddedLog::open(path(&folder), options, ManualClock::new(0)).unwrap();
    runtime().block_on(async {
        // Larger than the queue: taken when nothing else waits.
        log.append(0, entries("a", 1_000)).await.unwrap();
        let append = |_| {
            let log = log.clone();
            tokio::spawn(async move { log.append(0, entries("a", 100)).await })
        };
        let appends: Vec<_> = (0..50).map(append).collect();
        let (mut taken, mut busy) = (0, 0);
        for append in appends {
            match append.await.unwrap() {
                Ok(_) => taken += 1,
                Err(error) => {
                    assert!(error.is_transient());
                    busy += 1;
                }
            }
        }
        assert!(taken > 0 && busy > 0, "{taken} taken, {busy} busy");
        assert_eq!(log.bounds(0).await.unwrap().end, 1_000 + 100 * taken);
    });
}

/// Waits until the committer has done what it was told.
async fn until_first(log: &EmbeddedLog, partition: PartitionId, first: Offset) {
    for _ in 0..10_000 {
        if log.bounds(partition).await.unwrap().first == first {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("{:?}, wanted first {first}", log.bounds(partition).await);
}

#[test]
fn drops_what_is_old_and_passed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    let mut options = options(2);
    options.retention.max_age_ns = 100;
    let log = EmbeddedLog::open(path(&folder), options.clone(), clock.clone()).unwrap();
    runtime().block_on(async {
        for now_ns in [0, 50, 100, 150] {
            clock.set_now_ns(now_ns);
            log.append(0, entries("a", 10)).await.unwrap();
        }
        clock.set_now_ns(10_000_000_000);
        // Nobody has passed anything of partition 1.
        log.append(1, entries("b", 10)).await.unwrap();
        // All are old; whole blobs below 25 are the first two.
        log.retain(0, 25).unwrap();
        until_first(&log, 0, 20).await;
        let below = log.fetch(0, 19, 1).await;
        assert!(matches!(below, Err(LogError::OutOfRange { first: 20, .. })));
        assert_eq!(fetch_all(&log, 0, 20).await.len(), 20);
        // All passed: the newest blob stays, to say where the partition ends.
        clock.advance_ns(10_000_000_000);
        log.retain(0, 40).unwrap();
        until_first(&log, 0, 30).await;
        assert_eq!(log.bounds(1).await.unwrap().first, 0);
        drop(log);
        let log = EmbeddedLog::open(path(&folder), options, clock.clone()).unwrap();
        assert_eq!(log.bounds(0).await, Ok(Bounds { first: 30, end: 40 }));
        assert_eq!(log.append(0, entries("a", 1)).await, Ok(40..41));
    });
}

#[test]
fn drops_the_oldest_beyond_its_size_once_passed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    let mut options = options(1);
    options.retention = Retention {
        max_age_ns: i64::MAX,
        max_bytes: 100_000,
    };
    let log = EmbeddedLog::open(path(&folder), options, clock.clone()).unwrap();
    runtime().block_on(async {
        for _ in 0..600 {
            log.append(0, vec![entry("a", &"x".repeat(1_000))])
                .await
                .unwrap();
        }
        log.retain(0, 400).unwrap();
        // More than one transaction's worth, and not all that the size asks for.
        until_first(&log, 0, 400).await;
        clock.advance_ns(10_000_000_000);
        log.retain(0, 600).unwrap();
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
fn reads_old_records_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    let log = open(&folder, 1, &clock);
    runtime().block_on(async {
        // More than is kept in memory.
        let value = "x".repeat(10_000);
        for _ in 0..50 {
            let batch = (0..100).map(|_| entry("k", &value)).collect();
            log.append(0, batch).await.unwrap();
        }
        assert_eq!(fetch_all(&log, 0, 0).await.len(), 5_000);
        assert_eq!(
            log.fetch(0, 123, 1 << 20).await.unwrap().records[0].offset,
            123
        );
    });
}
