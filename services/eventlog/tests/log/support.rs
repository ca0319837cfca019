//! What the tests share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use eventlog::{
    EmbeddedLog, EmbeddedOptions, Log, MemoryLog, NewRecord, Now, Offset, PartitionId, Record,
    Retention,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// A clock that is set by hand.
#[derive(Clone)]
pub(crate) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub(crate) fn at(now_ns: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now_ns)))
    }

    pub(crate) fn set(&self, now_ns: i64) {
        self.0.store(now_ns, Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, by_ns: i64) {
        self.0.fetch_add(by_ns, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> Now {
        let now_ns = self.0.clone();
        Arc::new(move || now_ns.load(Ordering::SeqCst))
    }
}

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

pub(crate) fn options(partitions: PartitionId, clock: &Clock) -> EmbeddedOptions {
    EmbeddedOptions {
        topic: "trades".to_owned(),
        partitions,
        retention: Retention::FOREVER,
        max_pending_bytes: 64 << 20,
        now: clock.now(),
    }
}

pub(crate) fn open(folder: &TempDir, partitions: PartitionId, clock: &Clock) -> EmbeddedLog {
    EmbeddedLog::open(path(folder), options(partitions, clock)).unwrap()
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
