//! Dropping what retention no longer keeps.

use bytes::Bytes;
use redb::ReadableTable;

use super::blob::RecordBlob;
use super::database::DatabaseFailure;
use super::options::RetentionLimits;
use super::partition::{EmbeddedPartition, OldestRecordBlob, PartitionExtent};
use super::topic::EmbeddedTopic;
use crate::error::LogError;
use crate::record::{Offset, PartitionId};

/// How many blobs one transaction drops at most, so that appends do not wait long.
const MAX_DROPS: usize = 256;

/// Whether a sweep has dropped everything that it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SweepOutcome {
    /// Nothing is left to drop.
    Done,
    /// Another sweep can drop more.
    MoreToDrop,
}

/// A partition during a sweep.
#[derive(Debug, Clone, Copy)]
struct SweptPartition {
    number: PartitionId,
    extent: PartitionExtent,
    droppable_before: Offset,
    has_drops: bool,
}

impl SweptPartition {
    fn new((number, partition): (PartitionId, &EmbeddedPartition)) -> Self {
        Self {
            number,
            extent: partition.extent(),
            droppable_before: partition.droppable_before(),
            has_drops: false,
        }
    }

    /// Returns the oldest blob if consumers have processed all of it. The newest blob of a
    /// partition is never dropped, because it holds the end of the partition.
    fn droppable_blob(&self) -> Option<OldestRecordBlob> {
        let is_droppable = |oldest: &OldestRecordBlob| {
            oldest.last < self.droppable_before && oldest.last + 1 < self.extent.end
        };
        self.extent.oldest.filter(is_droppable)
    }
}

/// Drops up to [`MAX_DROPS`] blobs that retention does not keep, in one transaction, and publishes
/// the new first offsets.
pub(super) fn drop_blobs_beyond_retention(
    topic: &EmbeddedTopic,
    now_ns: i64,
) -> Result<SweepOutcome, LogError> {
    let mut swept: Vec<_> = topic
        .numbered_partitions()
        .map(SweptPartition::new)
        .collect();
    if next_partition_to_drop_from(&swept, topic.retention, now_ns).is_none() {
        return Ok(SweepOutcome::Done);
    }
    topic.file.write_transaction(|table| {
        for _ in 0..MAX_DROPS {
            let Some(index) = next_partition_to_drop_from(&swept, topic.retention, now_ns) else {
                break;
            };
            let partition = &mut swept[index];
            let number = partition.number;
            let last = partition.extent.oldest.map_or(0, |oldest| oldest.last);
            table.remove((number, last))?;
            let mut rest = table.range((number, last)..=(number, Offset::MAX))?;
            let next = rest.next().transpose()?;
            partition.extent.oldest = match next {
                Some((key, value)) => Some(parse_oldest_blob(key.value(), value.value())?),
                None => None,
            };
            partition.has_drops = true;
        }
        Ok::<(), DatabaseFailure>(())
    })?;
    for partition in swept.iter().filter(|partition| partition.has_drops) {
        let oldest = partition
            .extent
            .oldest
            .expect("the newest blob is never dropped");
        topic.partitions[partition.number as usize].set_oldest_after_drop(oldest);
        topic
            .metrics
            .set_first_offset(partition.number, oldest.first);
    }
    Ok(
        match next_partition_to_drop_from(&swept, topic.retention, now_ns) {
            Some(_) => SweepOutcome::MoreToDrop,
            None => SweepOutcome::Done,
        },
    )
}

fn parse_oldest_blob(
    (partition, last_offset): (PartitionId, Offset),
    value: &[u8],
) -> Result<OldestRecordBlob, DatabaseFailure> {
    let blob = RecordBlob::parse(partition, last_offset, Bytes::copy_from_slice(value))?;
    Ok(OldestRecordBlob::from(&blob))
}

/// Returns the index of the partition whose oldest blob is dropped next, or `None` if nothing has
/// to be dropped. That blob is the oldest of all that may be dropped; it is dropped if it is too
/// old or the topic is too large.
fn next_partition_to_drop_from(
    swept: &[SweptPartition],
    retention: RetentionLimits,
    now_ns: i64,
) -> Option<usize> {
    let kept_bytes: u64 = swept.iter().map(|one| one.extent.kept_bytes()).sum();
    let droppable = swept
        .iter()
        .enumerate()
        .filter_map(|(index, one)| Some((one.droppable_blob()?.append_time_ns, index)));
    let (append_time_ns, index) = droppable.min()?;
    let is_too_old = now_ns.saturating_sub(append_time_ns) > retention.max_age_ns;
    (is_too_old || kept_bytes > retention.max_bytes).then_some(index)
}
