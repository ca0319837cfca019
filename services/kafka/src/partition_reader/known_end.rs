//! What is known of the end of a partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eventlog::{Offset, PartitionId};
use tokio::sync::Notify;

use crate::native::{ReaderClient, TopicHandle};

/// The greatest end of a partition that has become known, in any way.
pub(super) struct KnownPartitionEnd {
    partition: PartitionId,
    topic: Arc<TopicHandle<ReaderClient>>,
    /// The partition holds at least the offsets before this.
    end: AtomicU64,
    /// Notified when the partition may have something new.
    wake: Arc<Notify>,
}

impl KnownPartitionEnd {
    pub(super) fn new(partition: PartitionId, topic: Arc<TopicHandle<ReaderClient>>) -> Self {
        Self {
            partition,
            topic,
            end: AtomicU64::new(0),
            wake: Arc::new(Notify::new()),
        }
    }

    pub(super) fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Returns the number of the partition in librdkafka's type.
    pub(super) fn native_partition(&self) -> i32 {
        i32::try_from(self.partition).expect("the brokers gave the number")
    }

    pub(super) fn topic(&self) -> &Arc<TopicHandle<ReaderClient>> {
        &self.topic
    }

    pub(super) fn topic_name(&self) -> &str {
        self.topic.name()
    }

    pub(super) fn wake(&self) -> &Arc<Notify> {
        &self.wake
    }

    /// Returns an offset before which the partition holds all offsets. It may hold more.
    pub(super) fn get(&self) -> Offset {
        let cached = self.topic.cached_end(self.native_partition()).unwrap_or(0);
        self.end.load(Ordering::Acquire).max(cached)
    }

    /// Records that the partition holds all offsets before `end`, and wakes waiting readers if that
    /// is new.
    pub(super) fn raise(&self, end: Offset) {
        if self.end.fetch_max(end, Ordering::AcqRel) < end {
            self.wake.notify_waiters();
        }
    }
}
