//! How much of one partition of `bar-updates` the hub knows.

use market::Position;

use super::sequence::{BEFORE_FIRST_MESSAGE, sequence_number};

/// How much of one partition of `bar-updates` the hub knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct HubPartitionState {
    /// The hub has read every update starting at this offset, up to `next_offset`.
    first_known_offset: u64,
    /// The first offset that the hub has not read yet.
    next_offset: u64,
    /// The changes of a dropped channel are unknown up to this sequence number.
    last_dropped_channel_seq: i64,
    /// The store holds the effects of all records of `trades` before this position.
    durable: Position,
    is_ready: bool,
}

impl HubPartitionState {
    /// Returns a partition of which nothing is known.
    pub(super) fn new() -> Self {
        Self {
            first_known_offset: 0,
            next_offset: 0,
            last_dropped_channel_seq: BEFORE_FIRST_MESSAGE,
            durable: Position::default(),
            is_ready: false,
        }
    }

    pub(super) const fn first_known_offset(&self) -> u64 {
        self.first_known_offset
    }

    pub(super) const fn next_offset(&self) -> u64 {
        self.next_offset
    }

    pub(super) const fn last_dropped_channel_seq(&self) -> i64 {
        self.last_dropped_channel_seq
    }

    pub(super) const fn durable_position(&self) -> Position {
        self.durable
    }

    pub(super) const fn is_ready(&self) -> bool {
        self.is_ready
    }

    pub(super) const fn mark_ready(&mut self) {
        self.is_ready = true;
    }

    pub(super) const fn set_durable_position(&mut self, durable: Position) {
        self.durable = durable;
    }

    /// Starts again at `offset`: the updates before it are unknown. So are still the messages that
    /// were unknown before: their clients may not have been sent a snapshot yet.
    pub(super) fn restart_at(&mut self, offset: u64) {
        self.first_known_offset = self.first_known_offset.max(offset);
        self.next_offset = offset;
        self.is_ready = false;
    }

    /// Makes every message before the next update unknown.
    pub(super) const fn mark_all_messages_unknown(&mut self) {
        self.first_known_offset = self.next_offset + 1;
    }

    /// Records that the update at `offset` was read.
    pub(super) const fn record_update_read(&mut self, offset: u64) {
        self.next_offset = offset + 1;
    }

    /// Records that a channel was dropped, with everything up to the newest update.
    pub(super) fn record_dropped_channel(&mut self) {
        self.last_dropped_channel_seq = sequence_number(self.next_offset) - 1;
    }
}
