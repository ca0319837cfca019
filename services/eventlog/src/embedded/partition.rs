//! What is known of a partition without reading its file.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::blob::{Blob, Position};
use crate::progress::Progress;
use crate::{Bounds, LogError, Offset, PartitionId};

/// The oldest blob of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Oldest {
    /// The offset of its first record.
    pub(super) first: Offset,
    /// The offset of its last record, which is its key.
    pub(super) last: Offset,
    /// When its records were appended, in UTC nanoseconds.
    pub(super) append_time_ns: i64,
    /// The bytes of the blobs dropped before it.
    pub(super) dropped_bytes: u64,
}

impl From<&Blob> for Oldest {
    fn from(blob: &Blob) -> Self {
        Self {
            first: blob.first,
            last: blob.last(),
            append_time_ns: blob.append_time_ns,
            dropped_bytes: blob.total_bytes.saturating_sub(blob.bytes.len() as u64),
        }
    }
}

/// What a partition's file holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extent {
    /// The oldest blob, unless there is none.
    pub(super) oldest: Option<Oldest>,
    /// One past the last record.
    pub(super) end: Offset,
    /// The append time of the last record.
    pub(super) last_append_ns: Option<i64>,
    /// The bytes of all blobs there ever were.
    pub(super) total_bytes: u64,
}

impl Extent {
    /// The oldest record kept.
    pub(super) fn first(&self) -> Offset {
        self.oldest.map_or(self.end, |oldest| oldest.first)
    }

    /// The encoded bytes kept.
    pub(super) fn kept_bytes(&self) -> u64 {
        let dropped_bytes = self
            .oldest
            .map_or(self.total_bytes, |oldest| oldest.dropped_bytes);
        self.total_bytes.saturating_sub(dropped_bytes)
    }
}

/// One partition in memory: its extent, its newest blobs, and who waits for more.
pub(super) struct Partition {
    number: PartitionId,
    state: RwLock<State>,
    progress: Progress,
    passed: AtomicU64,
}

struct State {
    extent: Extent,
    recent: VecDeque<Blob>,
    recent_bytes: usize,
}

/// Where the records of a fetch are.
pub(super) enum Place {
    /// In these blobs; in none at the end of the partition.
    Memory(Vec<Blob>),
    /// In the file.
    File,
}

impl Partition {
    /// A partition as its file has it.
    pub(super) fn new(number: PartitionId, extent: Extent) -> Self {
        Self {
            number,
            state: RwLock::new(State {
                extent,
                recent: VecDeque::new(),
                recent_bytes: 0,
            }),
            progress: Progress::new(extent.end),
            passed: AtomicU64::new(0),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().expect("no writer of the state panics")
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().expect("no writer of the state panics")
    }

    /// The waiting side.
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// What is durable.
    pub(super) fn extent(&self) -> Extent {
        self.read().extent
    }

    /// What readers may see.
    pub(super) fn bounds(&self) -> Bounds {
        let extent = self.extent();
        Bounds {
            first: extent.first(),
            end: extent.end,
        }
    }

    /// The next blob's place, appended at `now_ns` or, if the clock went back, when the last was.
    pub(super) fn position(&self, now_ns: i64) -> Position {
        let extent = self.extent();
        Position {
            first: extent.end,
            append_time_ns: extent
                .last_append_ns
                .map_or(now_ns, |last| last.max(now_ns)),
            total_bytes: extent.total_bytes,
        }
    }

    /// Finds blobs of about `max_bytes` from `offset` on.
    pub(super) fn locate(&self, offset: Offset, max_bytes: usize) -> Result<Place, LogError> {
        let state = self.read();
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
            return Ok(Place::Memory(Vec::new()));
        }
        if state.recent.front().is_none_or(|blob| offset < blob.first) {
            return Ok(Place::File);
        }
        let start = state.recent.partition_point(|blob| blob.end <= offset);
        let mut found_bytes = 0_usize;
        let more = |blob: &&Blob| {
            let is_wanted = found_bytes < max_bytes.max(1);
            // Of the first one some may be below the offset: it does not count.
            if blob.first > offset {
                found_bytes += blob.bytes.len();
            }
            is_wanted
        };
        let found = state.recent.range(start..).take_while(more);
        Ok(Place::Memory(found.cloned().collect()))
    }

    /// Shows readers what has become durable, and keeps the newest of it at hand.
    pub(super) fn publish(&self, blobs: Vec<Blob>, max_recent_bytes: usize) {
        let mut state = self.write();
        for blob in blobs {
            state.extent.oldest.get_or_insert(Oldest::from(&blob));
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
        self.progress.advance(end);
    }

    /// Takes over what the file holds, which may be more than was published.
    pub(super) fn recover(&self, extent: Extent) {
        let mut state = self.write();
        if extent.end != state.extent.end {
            state.recent.clear();
            state.recent_bytes = 0;
        }
        state.extent = extent;
        drop(state);
        self.progress.advance(extent.end);
    }

    /// Moves the first record kept.
    pub(super) fn drop_before(&self, oldest: Oldest) {
        let mut state = self.write();
        state.extent.oldest = Some(oldest);
        while state
            .recent
            .front()
            .is_some_and(|blob| blob.end <= oldest.first)
        {
            let blob = state.recent.pop_front().expect("just seen");
            state.recent_bytes -= blob.bytes.len();
        }
    }

    /// Records that the consumers have passed everything before `passed`.
    pub(super) fn pass(&self, passed: Offset) {
        self.passed.fetch_max(passed, Ordering::Relaxed);
    }

    /// What the consumers have passed since this process started.
    pub(super) fn passed(&self) -> Offset {
        self.passed.load(Ordering::Relaxed)
    }
}
