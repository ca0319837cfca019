//! What the tests share.

mod broker;
mod lines;
mod secure;

use candlewick_kafka::KafkaLog;
use eventlog::{Log, NewRecord, Offset, PartitionId, Record};
use tokio::runtime::{Builder, Runtime};

pub(crate) use self::broker::Broker;
pub(crate) use self::lines::log_lines;
pub(crate) use self::secure::Secure;

/// Closing is not of the trait: the roles are handed logs that someone else closes.
pub(crate) trait Close {
    fn close(&self);
}

impl Close for KafkaLog {
    fn close(&self) {
        KafkaLog::close(self);
    }
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap()
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

/// What `look` finds within half a minute.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3_000 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("not within half a minute: {what}");
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
