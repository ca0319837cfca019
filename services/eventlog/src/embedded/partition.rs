//! What is known of a partition without reading the file.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::blob::RecordBlob;
use super::blob_encoder::BlobStart;
use crate::error::LogError;
use crate::log::OffsetBounds;
use crate::partition_end::PartitionEnd;
use crate::record::{Offset, PartitionId};

/// The oldest blob of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OldestRecordBlob {
    /// The offset of its first record.
    pub(super) first: Offset,
    /// The offset of its last record, which is its key in the file.
    pub(super) last: Offset,
    /// When its records were appended, in UTC nanoseconds.
    pub(super) append_time_ns: i64,
    /// The bytes of the blobs that were dropped before it.
    pub(super) dropped_bytes: u64,
}

impl From<&RecordBlob> for OldestRecordBlob {
    fn from(blob: &RecordBlob) -> Self {
        Self {
            first: blob.first,
            last: blob.last_offset(),
            append_time_ns: blob.append_time_ns,
            dropped_bytes: blob.total_bytes.saturating_sub(blob.bytes.len() as u64),
        }
    }
}

/// What the file holds of a partition.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PartitionExtent {
    /// The oldest blob, if there is one.
    pub(super) oldest: Option<OldestRecordBlob>,
    /// One past the offset of the last record.
    pub(super) end: Offset,
    /// The append time of the last record, in UTC nanoseconds.
    pub(super) last_append_ns: Option<i64>,
    /// The bytes of all blobs that the partition ever had.
    pub(super) total_bytes: u64,
}

impl PartitionExtent {
    /// Returns the offset of the oldest record that is kept.
    pub(super) fn first(&self) -> Offset {
        self.oldest.map_or(self.end, |oldest| oldest.first)
    }

    /// Returns how many encoded bytes are kept.
    pub(super) fn kept_bytes(&self) -> u64 {
        let dropped_bytes = self
            .oldest
            .map_or(self.total_bytes, |oldest| oldest.dropped_bytes);
        self.total_bytes.saturating_sub(dropped_bytes)
    }
}

/// One partition in memory: its extent, its newest blobs, and the end that readers see.
pub(super) struct EmbeddedPartition {
    number: PartitionId,
    state: RwLock<ExtentAndRecentBlobs>,
    visible_end: PartitionEnd,
    droppable_before: AtomicU64,
}

/// The extent of a partition, and its newest blobs.
struct ExtentAndRecentBlobs {
    extent: PartitionExtent,
    recent: VecDeque<RecordBlob>,
    recent_bytes: usize,
}

/// Where the blobs of a fetch are.
pub(super) enum BlobSource {
    /// In memory: these blobs, or none at the end of the partition.
    Memory(Vec<RecordBlob>),
    /// In the file.
    File,
}

impl EmbeddedPartition {
    /// Returns the partition `number`, of which the file holds `extent`.
    pub(super) fn new(number: PartitionId, extent: PartitionExtent) -> Self {
        Self {
            number,
            state: RwLock::new(ExtentAndRecentBlobs {
                extent,
                recent: VecDeque::new(),
                recent_bytes: 0,
            }),
            visible_end: PartitionEnd::new(extent.end),
            droppable_before: AtomicU64::new(0),
        }
    }

    fn lock_state_for_reading(&self) -> RwLockReadGuard<'_, ExtentAndRecentBlobs> {
        self.state.read().expect("no writer of the state panics")
    }

    fn lock_state_for_writing(&self) -> RwLockWriteGuard<'_, ExtentAndRecentBlobs> {
        self.state.write().expect("no writer of the state panics")
    }

    /// Returns the end that readers see and wait for.
    pub(super) fn visible_end(&self) -> &PartitionEnd {
        &self.visible_end
    }

    /// Returns what is durable.
    pub(super) fn extent(&self) -> PartitionExtent {
        self.lock_state_for_reading().extent
    }

    /// Returns the offsets that readers may fetch.
    pub(super) fn bounds(&self) -> OffsetBounds {
        let extent = self.extent();
        OffsetBounds {
            first: extent.first(),
            end: extent.end,
        }
    }

    /// Returns where the next blob begins. Its append time is `now_ns`, or that of the last record
    /// if the clock went back.
    pub(super) fn next_blob_start(&self, now_ns: i64) -> BlobStart {
        let extent = self.extent();
        BlobStart {
            partition: self.number,
            first: extent.end,
            append_time_ns: extent
                .last_append_ns
                .map_or(now_ns, |last| last.max(now_ns)),
            total_bytes: extent.total_bytes,
        }
    }

    /// Finds blobs of about `max_bytes` starting at `offset`.
    pub(super) fn find_blobs(
        &self,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<BlobSource, LogError> {
        let state = self.lock_state_for_reading();
        let (first, end) = (state.extent.first(), state.extent.end);
        if !(first..=end).contains(&offset) {
            return Err(LogError::OutOfRange {
                partition: self.number,
                offset,
                first,
                end,
            });
        }
        if offset == end {
            return Ok(BlobSource::Memory(Vec::new()));
        }
        if state.recent.front().is_none_or(|blob| offset < blob.first) {
            return Ok(BlobSource::File);
        }
        let start = state.recent.partition_point(|blob| blob.end <= offset);
        let mut found_bytes = 0_usize;
        let is_wanted = |blob: &&RecordBlob| {
            let is_wanted = found_bytes < max_bytes.max(1);
            // The first blob may hold records below the offset, so it does not count.
            if blob.first > offset {
                found_bytes += blob.bytes.len();
            }
            is_wanted
        };
        let found = state.recent.range(start..).take_while(is_wanted);
        Ok(BlobSource::Memory(found.cloned().collect()))
    }

    /// Shows durable blobs to readers, and keeps the newest ones in memory.
    pub(super) fn publish(&self, blobs: Vec<RecordBlob>, max_recent_bytes: usize) {
        let mut state = self.lock_state_for_writing();
        for blob in blobs {
            state
                .extent
                .oldest
                .get_or_insert(OldestRecordBlob::from(&blob));
            state.extent.end = blob.end;
            state.extent.last_append_ns = Some(blob.append_time_ns);
            state.extent.total_bytes = blob.total_bytes;
            state.recent_bytes += blob.bytes.len();
            state.recent.push_back(blob);
        }
        while state.recent_bytes > max_recent_bytes {
            let Some(blob) = state.recent.pop_front() else {
                break;
            };
            state.recent_bytes -= blob.bytes.len();
        }
        let end = state.extent.end;
        drop(state);
        self.visible_end.advance(end);
    }

    /// Replaces the extent by `extent`, which was read from the reopened file and may contain more
    /// than was published.
    pub(super) fn adopt_reopened(&self, extent: PartitionExtent) {
        let mut state = self.lock_state_for_writing();
        if extent.end != state.extent.end {
            state.recent.clear();
            state.recent_bytes = 0;
        }
        state.extent = extent;
        drop(state);
        self.visible_end.advance(extent.end);
    }

    /// Makes `oldest` the oldest blob, because the blobs before it were dropped from the file.
    pub(super) fn set_oldest_after_drop(&self, oldest: OldestRecordBlob) {
        let mut state = self.lock_state_for_writing();
        state.extent.oldest = Some(oldest);
        while state
            .recent
            .front()
            .is_some_and(|blob| blob.end <= oldest.first)
        {
            let blob = state.recent.pop_front().expect("front returned it");
            state.recent_bytes -= blob.bytes.len();
        }
    }

    /// Allows retention to drop the records before `offset`.
    pub(super) fn allow_drop_before(&self, offset: Offset) {
        self.droppable_before.fetch_max(offset, Ordering::Relaxed);
    }

    /// Returns the offset before which retention may drop records; 0 until the process allows some.
    pub(super) fn droppable_before(&self) -> Offset {
        self.droppable_before.load(Ordering::Relaxed)
    }
}
