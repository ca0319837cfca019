//! What cannot be seen from outside: encodings, and a disk that fails.

use clock::ManualClock;
use proptest::prelude::*;

use super::blob::{Blob, Position, Records, encode};
use super::disk::Health;
use super::{EmbeddedLog, EmbeddedOptions, Retention};
use crate::wall_clock::WallClock;
use crate::{Log, LogError, NewRecord, Offset};

fn entry(key: &[u8], value: &[u8]) -> NewRecord {
    NewRecord {
        key: key.to_vec().into(),
        value: value.to_vec().into(),
    }
}

fn encoded(entries: &[NewRecord]) -> Vec<Blob> {
    let position = Position {
        first: 1_000,
        append_time_ns: -5,
        total_bytes: 77,
    };
    let size_bytes = entries
        .iter()
        .map(|one| one.key.len() + one.value.len())
        .sum();
    encode(position, entries.iter(), size_bytes)
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        shapes in prop::collection::vec((0..3_u8, 0..200_usize, 0..3_000_usize), 0..300),
        skip in 0..300_u64,
    ) {
        let entries: Vec<_> = shapes
            .iter()
            .map(|(byte, key, value)| entry(&vec![*byte; key / 50], &vec![*byte; *value]))
            .collect();
        let mut records = Records::default();
        let mut end = 1_000;
        let mut total_bytes = 77;
        for blob in encoded(&entries) {
            prop_assert_eq!(blob.first, end);
            let blob = Blob::parse(blob.last(), blob.bytes).unwrap();
            prop_assert_eq!(blob.first, end);
            total_bytes += blob.bytes.len() as u64;
            prop_assert_eq!(blob.total_bytes, total_bytes);
            end = blob.end;
            prop_assert!(blob.decode(1_000 + skip, Offset::MAX, usize::MAX, &mut records).unwrap());
        }
        prop_assert_eq!(end, 1_000 + entries.len() as Offset);
        let expected = entries.iter().zip(1_000..).skip(usize::try_from(skip).unwrap());
        prop_assert_eq!(records.list.len(), expected.clone().count());
        for (record, (entry, offset)) in records.list.iter().zip(expected) {
            prop_assert_eq!((record.offset, record.append_time_ns), (offset, -5));
            prop_assert_eq!((&record.key, &record.value), (&entry.key, &entry.value));
        }
    }

    #[test]
    fn garbage_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), last: u64) {
        if let Ok(blob) = Blob::parse(last, bytes.into()) {
            let _ = blob.decode(0, Offset::MAX, usize::MAX, &mut Records::default());
        }
    }
}

#[test]
fn a_key_that_repeats_costs_a_byte() {
    let size = |entries: &[NewRecord]| encoded(entries)[0].bytes.len();
    let one = size(&[entry(b"binance:BTCUSDT", b"v")]);
    let two = size(&[
        entry(b"binance:BTCUSDT", b"v"),
        entry(b"binance:BTCUSDT", b"v"),
    ]);
    assert_eq!(two - one, 1 + 2);
}

#[test]
fn blobs_fill_pages() {
    let entries = vec![entry(b"k", &[0; 99]); 4_000];
    let sizes: Vec<_> = encoded(&entries)
        .iter()
        .map(|blob| blob.bytes.len())
        .collect();
    let pages: usize = sizes.iter().map(|size| size.next_power_of_two()).sum();
    let used: usize = sizes.iter().sum();
    assert!(sizes.iter().all(|size| *size <= 256 * 1024), "{sizes:?}");
    assert!(used * 100 > pages * 95, "{sizes:?}");
}

/// A log on a disk that can be made to fail, and the clock of it.
fn log_on(folder: &tempfile::TempDir, health: &Health) -> EmbeddedLog {
    let options = EmbeddedOptions {
        topic: "trades".to_owned(),
        partitions: 1,
        retention: Retention::FOREVER,
        max_pending_bytes: 1 << 20,
    };
    let clock = WallClock::new(ManualClock::stepping(0, 1));
    let path = folder.path().join("log.redb");
    EmbeddedLog::open_on(&path, options, clock, health.clone()).unwrap()
}

async fn append(log: &EmbeddedLog, text: &str) -> Result<Offset, LogError> {
    let appended = log.append(0, vec![entry(b"key", text.as_bytes())]).await;
    appended.map(|offsets| offsets.start)
}

async fn texts(log: &EmbeddedLog) -> Vec<String> {
    let batch = log.fetch(0, 0, usize::MAX).await.unwrap();
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    batch
        .records
        .iter()
        .map(|record| text(&record.value))
        .collect()
}

#[tokio::test]
async fn a_full_disk_fails_appends_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let health = Health::default();
    let log = log_on(&folder, &health);
    append(&log, "before").await.unwrap();
    assert_eq!(log.failing_since_ns(), None);
    health.set_full(true);
    let mut began_ns = None;
    for _ in 0..3 {
        let failed = append(&log, "lost").await;
        assert!(matches!(failed, Err(LogError::Full { .. })), "{failed:?}");
        let (since_ns, reason) = log.failing_since_ns().unwrap();
        assert_eq!(*began_ns.get_or_insert(since_ns), since_ns);
        assert!(reason.contains("log.redb: "), "{reason}");
        assert_eq!(
            texts(&log).await,
            ["before"],
            "what is in memory can still be read"
        );
    }
    health.set_full(false);
    assert_eq!(append(&log, "after").await, Ok(1));
    assert_eq!(log.failing_since_ns(), None);
    assert_eq!(log.failed_for_good(), None);
    assert_eq!(texts(&log).await, ["before", "after"]);
    drop(log);
    assert_eq!(
        texts(&log_on(&folder, &Health::default())).await,
        ["before", "after"]
    );
}

#[tokio::test]
async fn a_failed_sync_is_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let health = Health::default();
    let log = log_on(&folder, &health);
    append(&log, "before").await.unwrap();
    health.fail_syncs();
    for _ in 0..3 {
        let failed = append(&log, "unknown").await;
        assert!(
            matches!(failed, Err(LogError::Storage { .. })),
            "{failed:?}"
        );
    }
    assert_eq!(texts(&log).await, ["before"]);
    assert!(log.failing_since_ns().is_some());
    let reason = log.failed_for_good().unwrap().to_string();
    assert!(reason.contains("an earlier sync failed"), "{reason}");
    drop(log);
    // Of what was not acknowledged there is all or nothing.
    let found = texts(&log_on(&folder, &Health::default())).await;
    assert!(
        found == ["before"] || found == ["before", "unknown"],
        "{found:?}"
    );
}
