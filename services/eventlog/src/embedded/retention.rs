//! What may be dropped.

use super::Topic;
use super::blob::Blob;
use super::file::Failure;
use super::partition::{Extent, Oldest};
use crate::{LogError, Offset, PartitionId, Retention};
use bytes::Bytes;
use redb::ReadableTable;

/// One transaction drops at most so many blobs, so that appends do not wait long.
const MAX_DROPS: usize = 256;

/// What a sweep has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sweep {
    /// Nothing is left to drop.
    Done,
    /// There is more to drop.
    More,
}

/// A partition as the sweep sees it.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    partition: PartitionId,
    extent: Extent,
    passed: Offset,
    is_changed: bool,
}

impl Candidate {
    /// The oldest blob, if consumers have passed all of it. The newest blob of a partition is
    /// never dropped: it says where the partition ends.
    fn droppable(&self) -> Option<Oldest> {
        let is_droppable =
            |oldest: &Oldest| oldest.last < self.passed && oldest.last + 1 < self.extent.end;
        self.extent.oldest.filter(is_droppable)
    }
}

/// Drops what the retention allows, in one transaction.
pub(super) fn sweep(topic: &Topic, now_ns: i64) -> Result<Sweep, LogError> {
    let mut candidates: Vec<_> = topic.numbered().map(candidate).collect();
    if victim(&candidates, topic.retention, now_ns).is_none() {
        return Ok(Sweep::Done);
    }
    topic.file.transact(|table| {
        for _ in 0..MAX_DROPS {
            let Some(index) = victim(&candidates, topic.retention, now_ns) else {
                break;
            };
            let candidate = &mut candidates[index];
            let partition = candidate.partition;
            let last = candidate.extent.oldest.map_or(0, |oldest| oldest.last);
            table.remove((partition, last))?;
            let mut rest = table.range((partition, last)..=(partition, Offset::MAX))?;
            let next = rest.next().transpose()?;
            candidate.extent.oldest = match next {
                Some((key, value)) => Some(parse(key.value().1, value.value())?),
                None => None,
            };
            candidate.is_changed = true;
        }
        Ok::<(), Failure>(())
    })?;
    for changed in candidates.iter().filter(|candidate| candidate.is_changed) {
        let oldest = changed
            .extent
            .oldest
            .expect("the newest blob is never dropped");
        topic.partitions[changed.partition as usize].drop_before(oldest);
        topic.metrics.first_offset(changed.partition, oldest.first);
    }
    Ok(match victim(&candidates, topic.retention, now_ns) {
        Some(_) => Sweep::More,
        None => Sweep::Done,
    })
}

fn candidate((number, partition): (PartitionId, &super::partition::Partition)) -> Candidate {
    Candidate {
        partition: number,
        extent: partition.extent(),
        passed: partition.passed(),
        is_changed: false,
    }
}

fn parse(last: Offset, value: &[u8]) -> Result<Oldest, Failure> {
    let blob = Blob::parse(last, Bytes::copy_from_slice(value))?;
    Ok(Oldest::from(&blob))
}

/// The candidate whose oldest blob goes next: the oldest of those that may, if it is too old or
/// the topic too large.
fn victim(candidates: &[Candidate], retention: Retention, now_ns: i64) -> Option<usize> {
    let kept_bytes: u64 = candidates.iter().map(|one| one.extent.kept_bytes()).sum();
    let droppable = candidates
        .iter()
        .enumerate()
        .filter_map(|(index, one)| Some((one.droppable()?.append_time_ns, index)));
    let (append_time_ns, index) = droppable.min()?;
    let is_old = now_ns.saturating_sub(append_time_ns) > retention.max_age_ns;
    (is_old || kept_bytes > retention.max_bytes).then_some(index)
}
