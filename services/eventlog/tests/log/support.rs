//! What the tests of the log share.

use std::path::PathBuf;

use clock::ManualClock;
use eventlog::{EmbeddedLog, EmbeddedOptions, PartitionId, RetentionLimits};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap()
}

pub(crate) fn log_path(folder: &TempDir) -> PathBuf {
    folder.path().join("trades.redb")
}

pub(crate) fn options(partitions: PartitionId) -> EmbeddedOptions {
    EmbeddedOptions {
        topic: "trades".to_owned(),
        partitions,
        retention: RetentionLimits::FOREVER,
        max_pending_bytes: 64 << 20,
    }
}

pub(crate) fn open(folder: &TempDir, partitions: PartitionId, clock: &ManualClock) -> EmbeddedLog {
    EmbeddedLog::open(log_path(folder), options(partitions), clock.clone()).unwrap()
}
