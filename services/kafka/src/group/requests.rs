//! What a membership requests from its thread.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use eventlog::{Offset, PartitionId};

/// The offset to commit for each partition.
pub(super) type PartitionOffsets = BTreeMap<PartitionId, Offset>;

/// What a membership requests from its thread.
#[derive(Default)]
pub(super) struct MemberRequests {
    is_leaving: AtomicBool,
    offsets: Mutex<PartitionOffsets>,
}

impl MemberRequests {
    pub(super) fn request_leave(&self) {
        self.is_leaving.store(true, Ordering::Release);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Acquire)
    }

    /// Requests that an offset is committed, in place of an earlier one of the partition.
    pub(super) fn request_commit(&self, partition: PartitionId, next_offset: Offset) {
        self.lock_offsets().insert(partition, next_offset);
    }

    /// Takes the offsets that are to be committed.
    pub(super) fn take_offsets(&self) -> PartitionOffsets {
        mem::take(&mut *self.lock_offsets())
    }

    fn lock_offsets(&self) -> MutexGuard<'_, PartitionOffsets> {
        self.offsets
            .lock()
            .expect("no holder of the offsets panics")
    }
}
