//! The one thread that writes.

use std::collections::BTreeMap;

use tracing::{error, warn};

use super::append_queue::QueuedAppend;
use super::blob::RecordBlob;
use super::blob_encoder::encode_blobs;
use super::retention::{self, SweepOutcome};
use super::topic::EmbeddedTopic;
use crate::error::LogError;
use crate::record::{Offset, PartitionId};

/// How long after a sweep that left nothing to drop the next one is made at the earliest.
const SWEEP_INTERVAL_NS: i64 = 1_000_000_000;

/// Takes appends in groups, makes each group durable with one sync, then shows it to readers.
pub(super) struct AppendCommitter<'a> {
    topic: &'a EmbeddedTopic,
    /// How many appends the last commit had.
    last_commit_append_count: usize,
    wants_sweep: bool,
    last_sweep_ns: Option<i64>,
    needs_reopen: bool,
}

/// Appends to one partition that are committed together.
#[derive(Default)]
struct PartitionAppendGroup {
    appends: Vec<QueuedAppend>,
    size_bytes: usize,
    /// The offset of the first record.
    first: Offset,
    blobs: Vec<RecordBlob>,
}

impl<'a> AppendCommitter<'a> {
    /// Returns the committer of a topic. A topic must have only one.
    pub(super) fn new(topic: &'a EmbeddedTopic) -> Self {
        Self {
            topic,
            last_commit_append_count: 0,
            wants_sweep: false,
            last_sweep_ns: None,
            needs_reopen: false,
        }
    }

    /// Commits appends until the queue is closed and empty, then closes the file and the
    /// partitions.
    pub(super) fn run(mut self) {
        loop {
            let work = self
                .topic
                .queue
                .wait_and_take_work(self.last_commit_append_count);
            self.last_commit_append_count = work.appends.len();
            self.wants_sweep |= work.sweep_requested;
            if !work.appends.is_empty() {
                self.commit(work.appends, work.cost_bytes);
            }
            if self.wants_sweep {
                self.sweep_if_due();
            }
            if work.is_last {
                break;
            }
        }
        self.topic.file.close();
        for partition in &self.topic.partitions {
            partition.visible_end().close();
        }
    }

    /// Writes `appends`, shows them to readers, and replies to their senders.
    fn commit(&mut self, appends: Vec<QueuedAppend>, cost_bytes: usize) {
        let started_ns = self.topic.clock.now_ns();
        let reopened = self.reopen_if_needed();
        // Only now, because reopening may have moved the ends.
        let mut groups = self.group_by_partition_and_encode(appends, started_ns);
        let result = reopened.and_then(|()| self.write_groups(&groups));
        self.topic.queue.free_pending_bytes(cost_bytes);
        match result {
            Ok(()) => {
                self.topic.commit_failure_streak.record_success();
                self.record_metrics(&groups, started_ns);
                for (partition, group) in &mut groups {
                    self.publish(*partition, std::mem::take(group));
                }
            }
            Err(error) => {
                error!(topic = self.topic.name, %error, "appends failed");
                self.topic
                    .commit_failure_streak
                    .record_failure(started_ns, &error);
                let appends = groups.into_values().flat_map(|group| group.appends);
                for append in appends {
                    let _ = append.reply.send(Err(error.clone()));
                }
                self.needs_reopen = true;
                // At once, so that readers need not wait for the next append.
                let _ = self.reopen_if_needed();
            }
        }
    }

    /// Divides appends by partition, and encodes the records of each partition together.
    fn group_by_partition_and_encode(
        &self,
        appends: Vec<QueuedAppend>,
        now_ns: i64,
    ) -> BTreeMap<PartitionId, PartitionAppendGroup> {
        let mut groups = BTreeMap::<PartitionId, PartitionAppendGroup>::new();
        for append in appends {
            let group = groups.entry(append.partition).or_default();
            group.size_bytes += append.size_bytes;
            group.appends.push(append);
        }
        for (partition, group) in &mut groups {
            let start = self.topic.partitions[*partition as usize].next_blob_start(now_ns);
            let records = group.appends.iter().flat_map(|append| &append.records);
            group.first = start.first;
            group.blobs = encode_blobs(start, records, group.size_bytes);
        }
        groups
    }

    fn write_groups(
        &self,
        groups: &BTreeMap<PartitionId, PartitionAppendGroup>,
    ) -> Result<(), LogError> {
        let blobs = groups
            .iter()
            .flat_map(|(partition, group)| group.blobs.iter().map(|blob| (*partition, blob)));
        self.topic.file.write(blobs)
    }

    /// Shows the records to readers, then replies to the senders.
    fn publish(&self, partition: PartitionId, group: PartitionAppendGroup) {
        self.topic.partitions[partition as usize].publish(group.blobs, self.topic.max_recent_bytes);
        let mut offset = group.first;
        for append in group.appends {
            let count = append.records.len() as u64;
            // The sender may no longer wait for the reply.
            let _ = append.reply.send(Ok(offset));
            offset += count;
        }
    }

    fn record_metrics(
        &self,
        groups: &BTreeMap<PartitionId, PartitionAppendGroup>,
        started_ns: i64,
    ) {
        let metrics = &self.topic.metrics;
        let appends = || groups.values().flat_map(|group| &group.appends);
        let records = appends().map(|append| append.records.len()).sum();
        let size_bytes = appends().map(|append| append.size_bytes).sum();
        metrics.add_appended(records, size_bytes);
        let elapsed_ns = self.topic.clock.now_ns().saturating_sub(started_ns).max(0);
        metrics.record_commit(elapsed_ns);
    }

    /// Drops the blobs that retention does not keep, unless the last sweep was made recently.
    fn sweep_if_due(&mut self) {
        let now_ns = self.topic.clock.now_ns();
        let is_due = self.last_sweep_ns.is_none_or(|last_sweep_ns| {
            // A clock that went back must not postpone the sweep.
            now_ns < last_sweep_ns || now_ns - last_sweep_ns >= SWEEP_INTERVAL_NS
        });
        if !is_due || self.needs_reopen {
            return;
        }
        match retention::drop_blobs_beyond_retention(self.topic, now_ns) {
            Ok(SweepOutcome::MoreToDrop) => self.topic.queue.request_retention_sweep(),
            Ok(SweepOutcome::Done) => {
                self.wants_sweep = false;
                self.last_sweep_ns = Some(now_ns);
            }
            Err(error) => {
                error!(topic = self.topic.name, %error, "retention failed");
                self.last_sweep_ns = Some(now_ns);
                self.needs_reopen = true;
                let _ = self.reopen_if_needed();
            }
        }
    }

    /// Reopens the file after a failure. Acknowledged records are in it. The failed commit is in it
    /// completely or not at all; if it is, readers can see its records.
    fn reopen_if_needed(&mut self) -> Result<(), LogError> {
        if !self.needs_reopen {
            return Ok(());
        }
        let extents = self.topic.file.reopen()?;
        for (partition, extent) in self.topic.partitions.iter().zip(extents) {
            partition.adopt_reopened(extent);
        }
        self.needs_reopen = false;
        warn!(topic = self.topic.name, "reopened the log after a failure");
        Ok(())
    }
}
