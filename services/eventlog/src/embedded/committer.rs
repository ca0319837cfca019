//! The one thread that writes.

use std::collections::BTreeMap;

use tracing::{error, warn};

use super::Topic;
use super::blob::{self, Blob};
use super::queue::Append;
use super::retention::{self, Sweep};
use crate::{LogError, Offset, PartitionId};

/// Retention looks at most this often, unless it has left something.
const SWEEP_INTERVAL_NS: i64 = 1_000_000_000;

/// Takes appends in groups, makes each group durable with one sync, then shows it to readers.
pub(super) struct Committer<'a> {
    topic: &'a Topic,
    crowd: usize,
    wants_sweep: bool,
    swept_ns: Option<i64>,
    needs_reopen: bool,
}

/// Some appends to one partition.
#[derive(Default)]
struct Group {
    appends: Vec<Append>,
    size_bytes: usize,
    first: Offset,
    blobs: Vec<Blob>,
}

impl<'a> Committer<'a> {
    /// The committer of a topic; there must be no other.
    pub(super) fn new(topic: &'a Topic) -> Self {
        Self {
            topic,
            crowd: 0,
            wants_sweep: false,
            swept_ns: None,
            needs_reopen: false,
        }
    }

    /// Works until the queue is closed and empty, then lets go of the file.
    pub(super) fn run(mut self) {
        loop {
            let work = self.topic.queue.take(self.crowd);
            self.crowd = work.appends.len();
            self.wants_sweep |= work.passed;
            if !work.appends.is_empty() {
                self.commit(work.appends, work.cost_bytes);
            }
            if self.wants_sweep {
                self.sweep();
            }
            if work.closed {
                break;
            }
        }
        self.topic.file.close();
        for partition in &self.topic.partitions {
            partition.progress().close();
        }
    }

    fn commit(&mut self, appends: Vec<Append>, cost_bytes: usize) {
        let started_ns = self.topic.clock.now_ns();
        let is_open = self.reopen_if_needed();
        // After that, which may have moved the ends.
        let mut groups = self.group(appends, started_ns);
        let result = is_open.and_then(|()| self.write(&groups));
        self.topic.queue.finish(cost_bytes);
        match result {
            Ok(()) => {
                self.topic.trouble.end();
                self.observe(&groups, started_ns);
                for (partition, group) in &mut groups {
                    self.publish(*partition, std::mem::take(group));
                }
            }
            Err(error) => {
                error!(topic = self.topic.name, %error, "appends failed");
                self.topic.trouble.go_on(started_ns, &error);
                let appends = groups.into_values().flat_map(|group| group.appends);
                for append in appends {
                    let _ = append.answer.send(Err(error.clone()));
                }
                self.needs_reopen = true;
                // At once, so that readers are not kept waiting for the next append.
                let _ = self.reopen_if_needed();
            }
        }
    }

    /// Divides appends by partition and encodes each one's records together.
    fn group(&self, appends: Vec<Append>, now_ns: i64) -> BTreeMap<PartitionId, Group> {
        let mut groups = BTreeMap::<PartitionId, Group>::new();
        for append in appends {
            let group = groups.entry(append.partition).or_default();
            group.size_bytes += append.size_bytes;
            group.appends.push(append);
        }
        for (partition, group) in &mut groups {
            let position = self.topic.partitions[*partition as usize].position(now_ns);
            let entries = group.appends.iter().flat_map(|append| &append.entries);
            group.first = position.first;
            group.blobs = blob::encode(position, entries, group.size_bytes);
        }
        groups
    }

    fn write(&self, groups: &BTreeMap<PartitionId, Group>) -> Result<(), LogError> {
        let blobs = groups
            .iter()
            .flat_map(|(partition, group)| group.blobs.iter().map(|blob| (*partition, blob)));
        self.topic.file.write(blobs)
    }

    /// Shows the records to readers, then tells their senders.
    fn publish(&self, partition: PartitionId, group: Group) {
        self.topic.partitions[partition as usize].publish(group.blobs, self.topic.max_recent_bytes);
        let mut offset = group.first;
        for append in group.appends {
            let count = append.entries.len() as u64;
            // Nobody may be there any more to hear it.
            let _ = append.answer.send(Ok(offset));
            offset += count;
        }
    }

    fn observe(&self, groups: &BTreeMap<PartitionId, Group>, started_ns: i64) {
        let metrics = &self.topic.metrics;
        let appends = || groups.values().flat_map(|group| &group.appends);
        let records: u64 = appends().map(|append| append.entries.len() as u64).sum();
        let size_bytes: u64 = appends().map(|append| append.size_bytes as u64).sum();
        metrics.appended_records.increment(records);
        metrics.appended_bytes.increment(size_bytes);
        let elapsed_ns = self.topic.clock.now_ns().saturating_sub(started_ns).max(0);
        #[expect(clippy::cast_precision_loss, reason = "a histogram is of floats")]
        metrics.commit_seconds.record(elapsed_ns as f64 / 1e9);
    }

    fn sweep(&mut self) {
        let now_ns = self.topic.clock.now_ns();
        let is_due = self.swept_ns.is_none_or(|swept_ns| {
            // A clock that went back must not put it off.
            now_ns < swept_ns || now_ns - swept_ns >= SWEEP_INTERVAL_NS
        });
        if !is_due || self.needs_reopen {
            return;
        }
        match retention::sweep(self.topic, now_ns) {
            Ok(Sweep::More) => self.topic.queue.passed(),
            Ok(Sweep::Done) => {
                self.wants_sweep = false;
                self.swept_ns = Some(now_ns);
            }
            Err(error) => {
                error!(topic = self.topic.name, %error, "retention failed");
                self.swept_ns = Some(now_ns);
                self.needs_reopen = true;
                let _ = self.reopen_if_needed();
            }
        }
    }

    /// Opens the file anew after a failure. What was acknowledged is there; of the commit that
    /// failed there is all or nothing, and what there is readers may now see.
    fn reopen_if_needed(&mut self) -> Result<(), LogError> {
        if !self.needs_reopen {
            return Ok(());
        }
        let extents = self.topic.file.reopen()?;
        for (partition, extent) in self.topic.partitions.iter().zip(extents) {
            partition.recover(extent);
        }
        self.needs_reopen = false;
        warn!(
            topic = self.topic.name,
            "opened the log anew after a failure"
        );
        Ok(())
    }
}
