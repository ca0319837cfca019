//! What the tests share.

use std::path::PathBuf;

use clock::ManualClock;
use eventlog::{
    EmbeddedLog, EmbeddedOptions, Log, MemoryLog, NewRecord, Offset, PartitionId, Record, Retention,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Closing is not of the trait: the roles are handed logs that someone else closes.
pub(crate) trait Close {
    fn close(&self);
}

impl Close for EmbeddedLog {
    fn close(&self) {
        EmbeddedLog::close(self);
    }
}

impl Close for MemoryLog {
    fn close(&self) {
        MemoryLog::close(self);
    }
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap()
}

pub(crate) fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("trades.redb")
}

pub(crate) fn options(partitions: PartitionId) -> EmbeddedOptions {
    EmbeddedOptions {
        topic: "trades".to_owned(),
        partitions,
        retention: Retention::FOREVER,
        max_pending_bytes: 64 << 20,
    }
}

pub(crate) fn open(folder: &TempDir, partitions: PartitionId, clock: &ManualClock) -> EmbeddedLog {
    EmbeddedLog::open(path(folder), options(partitions), clock.clone()).unwrap()
}

pub(crate) fn entry(key: &str, value: &str) -> NewRecord {
    NewRecord {
        key: key.to_owned().into(),
        value: value.to_owned().into(),
    }
}

/// `count` entries of one key, each with its number.
pub(crate) fn entries(key: &str, count: usize) -> Vec<NewRecord> {
    (0..count).map(|n| entry(key, &n.to_string())).collect()
}

/// All records from `offset` on, read in pieces of odd size.
pub(crate) async fn fetch_all(
    log: &impl Log,
    partition: PartitionId,
    offset: Offset,
) -> Vec<Record> {
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
