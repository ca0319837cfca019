//! The records that were read and are not written yet.

use std::time::Duration;

use clock::Clock;
use eventlog::Record;
use store::TickBlock;

use super::policy::BlockPolicy;
use crate::blocks::BlockBuilder;

/// The records of one partition that were read and are not written yet.
///
/// `stored_offset <= next_offset` always: offsets below the first are written, and the records
/// from the first to below the second are in `blocks`, as far as they are ticks.
#[derive(Debug)]
pub(super) struct PendingRecords {
    blocks: BlockBuilder,
    stored_offset: u64,
    next_offset: u64,
    /// When the oldest of the records was read, on the monotonic clock.
    oldest_ns: u64,
}

/// What one write to the store contains.
#[derive(Debug)]
pub(super) struct PendingWrite {
    pub(super) blocks: Vec<TickBlock>,
    /// The number of ticks in `blocks`.
    pub(super) ticks: u64,
    /// The offset below which everything is written once this is.
    pub(super) next_offset: u64,
    /// The greatest append time of the records below `next_offset`, in UTC nanoseconds.
    pub(super) append_time_ns: i64,
}

impl PendingRecords {
    /// Returns no records, for a partition whose ticks below `offset` are written.
    pub(super) const fn new(blocks: BlockBuilder, offset: u64) -> Self {
        Self {
            blocks,
            stored_offset: offset,
            next_offset: offset,
            oldest_ns: 0,
        }
    }

    /// Returns the first offset that was not read.
    pub(super) const fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Returns whether every record that was read is written.
    pub(super) const fn is_empty(&self) -> bool {
        self.next_offset == self.stored_offset
    }

    /// Returns whether there are records that have waited for [`BlockPolicy::max_delay`].
    pub(super) fn is_max_delay_over(&self, clock: &impl Clock, policy: &BlockPolicy) -> bool {
        !self.is_empty() && self.time_until_max_delay_over(clock, policy).is_zero()
    }

    /// Returns the time until the oldest record has waited for [`BlockPolicy::max_delay`].
    /// Meaningless if there are none.
    pub(super) fn time_until_max_delay_over(
        &self,
        clock: &impl Clock,
        policy: &BlockPolicy,
    ) -> Duration {
        let age_ns = clock.monotonic_ns().saturating_sub(self.oldest_ns);
        let age = Duration::from_nanos(age_ns);
        policy.max_delay.saturating_sub(age)
    }

    /// Begins to measure how long records wait, unless some wait already.
    pub(super) fn start_delay_timer_if_empty(&mut self, clock: &impl Clock) {
        if self.is_empty() {
            self.oldest_ns = clock.monotonic_ns();
        }
    }

    /// Adds the next record. Returns whether a block ends with it.
    pub(super) fn push_and_is_block_end(&mut self, record: &Record, policy: &BlockPolicy) -> bool {
        self.blocks.push_if_valid_tick(record);
        self.next_offset = record.offset + 1;
        self.next_offset.is_multiple_of(policy.offsets_per_block)
    }

    /// Removes the ticks to write them. [`PendingRecords::mark_stored`] has to follow before more
    /// records are added.
    pub(super) fn take_pending_write(&mut self) -> PendingWrite {
        PendingWrite {
            ticks: self.blocks.tick_count(),
            blocks: self.blocks.take_blocks(),
            next_offset: self.next_offset,
            append_time_ns: self.blocks.greatest_append_time_ns(),
        }
    }

    /// Records that everything that was read is written.
    pub(super) const fn mark_stored(&mut self) {
        self.stored_offset = self.next_offset;
    }
}
