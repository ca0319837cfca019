//! Tests of what the public interface does not show: the encoding, and a disk that fails.

use clock::ManualClock;
use proptest::prelude::*;

use super::blob::{DamagedBlob, FetchedRecords, RecordBlob};
use super::blob_encoder::{BlobStart, encode_blobs};
use super::disk::SyncFailureState;
use super::{EmbeddedLog, EmbeddedOptions, RetentionLimits};
use crate::error::LogError;
use crate::log::Log;
use crate::record::{NewRecord, Offset};
use crate::wall_clock::WallClock;

/// The partition of the encoded records.
const PARTITION: u32 = 3;

fn new_record(key: &[u8], value: &[u8]) -> NewRecord {
    NewRecord {
        key: key.to_vec().into(),
        value: value.to_vec().into(),
    }
}

fn encode(records: &[NewRecord]) -> Vec<RecordBlob> {
    let start = BlobStart {
        partition: PARTITION,
        first: 1_000,
        append_time_ns: -5,
        total_bytes: 77,
    };
    let size_bytes = records
        .iter()
        .map(|one| one.key.len() + one.value.len())
        .sum();
    encode_blobs(start, records.iter(), size_bytes)
}

proptest! {
    #[test]
    fn encoded_records_are_decoded_unchanged(
        shapes in prop::collection::vec((0..3_u8, 0..200_usize, 0..3_000_usize), 0..300),
        skip in 0..300_u64,
    ) {
        let appended: Vec<_> = shapes
            .iter()
            .map(|(byte, key, value)| new_record(&vec![*byte; key / 50], &vec![*byte; *value]))
            .collect();
        let mut fetched = FetchedRecords::default();
        let mut end = 1_000;
        let mut total_bytes = 77;
        for blob in encode(&appended) {
            prop_assert_eq!(blob.first, end);
            let blob = RecordBlob::parse(PARTITION, blob.last_offset(), blob.bytes).unwrap();
            prop_assert_eq!(blob.first, end);
            total_bytes += blob.bytes.len() as u64;
            prop_assert_eq!(blob.total_bytes, total_bytes);
            end = blob.end;
            prop_assert!(blob.decode_range_and_tell_if_all_fit(1_000 + skip, Offset::MAX, usize::MAX, &mut fetched).unwrap());
        }
        prop_assert_eq!(end, 1_000 + appended.len() as Offset);
        let expected = appended.iter().zip(1_000..).skip(usize::try_from(skip).unwrap());
        prop_assert_eq!(fetched.records.len(), expected.clone().count());
        for (record, (new_record, offset)) in fetched.records.iter().zip(expected) {
            prop_assert_eq!((record.offset, record.append_time_ns), (offset, -5));
            prop_assert_eq!((&record.key, &record.value), (&new_record.key, &new_record.value));
        }
    }

    #[test]
    fn garbage_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), last: u64) {
        if let Ok(blob) = RecordBlob::parse(PARTITION, last, with_checksum(last, bytes)) {
            let _ = blob.decode_range_and_tell_if_all_fit(0, Offset::MAX, usize::MAX, &mut FetchedRecords::default());
        }
    }
}

/// Returns the bytes of a blob with a checksum that matches, so that the rest of it is decoded.
fn with_checksum(last: Offset, contents: Vec<u8>) -> bytes::Bytes {
    let checksum = super::blob::blob_checksum(PARTITION, last, &contents);
    let mut blob = checksum.to_le_bytes().to_vec();
    blob.extend(contents);
    blob.into()
}

#[test]
fn a_changed_bit_of_a_blob_or_of_its_key_is_noticed() {
    let blob = &encode(&[
        new_record(b"binance:BTCUSDT", b"first"),
        new_record(b"binance:BTCUSDT", b"second"),
    ])[0];
    let last = blob.last_offset();
    let parse = |partition, last, bytes: Vec<u8>| RecordBlob::parse(partition, last, bytes.into());
    assert!(parse(PARTITION, last, blob.bytes.to_vec()).is_ok());
    for bit in 0..8 * blob.bytes.len() {
        let mut bytes = blob.bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let damaged = parse(PARTITION, last, bytes).unwrap_err();
        let expected = DamagedBlob::Checksum {
            partition: PARTITION,
            last,
        };
        assert_eq!(damaged, expected, "bit {bit}");
    }
    for bit in 0..32 {
        assert!(parse(PARTITION ^ (1 << bit), last, blob.bytes.to_vec()).is_err());
    }
    for bit in 0..64 {
        assert!(parse(PARTITION, last ^ (1 << bit), blob.bytes.to_vec()).is_err());
    }
    for size_bytes in 0..blob.bytes.len() {
        assert!(parse(PARTITION, last, blob.bytes[..size_bytes].to_vec()).is_err());
    }
}

#[test]
fn a_repeated_key_takes_one_byte() {
    let size = |records: &[NewRecord]| encode(records)[0].bytes.len();
    let one = size(&[new_record(b"binance:BTCUSDT", b"v")]);
    let two = size(&[
        new_record(b"binance:BTCUSDT", b"v"),
        new_record(b"binance:BTCUSDT", b"v"),
    ]);
    assert_eq!(two - one, 1 + 2);
}

#[test]
fn blobs_fill_pages() {
    let records = vec![new_record(b"k", &[0; 99]); 4_000];
    let sizes: Vec<_> = encode(&records)
        .iter()
        .map(|blob| blob.bytes.len())
        .collect();
    let pages: usize = sizes.iter().map(|size| size.next_power_of_two()).sum();
    let used: usize = sizes.iter().sum();
    assert!(sizes.iter().all(|size| *size <= 256 * 1024), "{sizes:?}");
    assert!(used * 100 > pages * 95, "{sizes:?}");
}

/// Opens a log on a disk that the test can make fail.
fn open_log(folder: &tempfile::TempDir, disk: &SyncFailureState) -> EmbeddedLog {
    let options = EmbeddedOptions {
        topic: "trades".to_owned(),
        partitions: 1,
        retention: RetentionLimits::FOREVER,
        max_pending_bytes: 1 << 20,
    };
    let clock = WallClock::new(ManualClock::with_step(0, 1));
    let path = folder.path().join("log.redb");
    EmbeddedLog::open_with_disk(&path, options, clock, disk.clone()).unwrap()
}

async fn append(log: &EmbeddedLog, text: &str) -> Result<Offset, LogError> {
    let appended = log
        .append(0, vec![new_record(b"key", text.as_bytes())])
        .await;
    appended.map(|offsets| offsets.start)
}

async fn read_texts(log: &EmbeddedLog) -> Vec<String> {
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
    let disk = SyncFailureState::default();
    let log = open_log(&folder, &disk);
    append(&log, "before").await.unwrap();
    assert_eq!(log.ongoing_commit_failure(), None);
    disk.inject_full_disk(true);
    let mut first_since_ns = None;
    for _ in 0..3 {
        let failed = append(&log, "lost").await;
        assert!(matches!(failed, Err(LogError::Full { .. })), "{failed:?}");
        let failure = log.ongoing_commit_failure().unwrap();
        let (since_ns, reason) = (failure.since_ns, failure.last_error);
        assert_eq!(*first_since_ns.get_or_insert(since_ns), since_ns);
        assert!(reason.contains("log.redb: "), "{reason}");
        assert_eq!(
            read_texts(&log).await,
            ["before"],
            "records in memory can still be read"
        );
    }
    disk.inject_full_disk(false);
    assert_eq!(append(&log, "after").await, Ok(1));
    assert_eq!(log.ongoing_commit_failure(), None);
    assert_eq!(log.permanent_failure(), None);
    assert_eq!(read_texts(&log).await, ["before", "after"]);
    drop(log);
    assert_eq!(
        read_texts(&open_log(&folder, &SyncFailureState::default())).await,
        ["before", "after"]
    );
}

#[tokio::test]
async fn a_failed_sync_is_permanent() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SyncFailureState::default();
    let log = open_log(&folder, &disk);
    append(&log, "before").await.unwrap();
    disk.inject_sync_errors();
    for _ in 0..3 {
        let failed = append(&log, "unknown").await;
        assert!(
            matches!(failed, Err(LogError::Storage { .. })),
            "{failed:?}"
        );
    }
    assert_eq!(read_texts(&log).await, ["before"]);
    assert!(log.ongoing_commit_failure().is_some());
    let reason = log.permanent_failure().unwrap().to_string();
    assert!(reason.contains("an earlier sync failed"), "{reason}");
    drop(log);
    // The unacknowledged append is there completely or not at all.
    let found = read_texts(&open_log(&folder, &SyncFailureState::default())).await;
    assert!(
        found == ["before"] || found == ["before", "unknown"],
        "{found:?}"
    );
}
