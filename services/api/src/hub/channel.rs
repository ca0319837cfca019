//! One channel: the bars of one instrument and interval.

use std::collections::BTreeMap;
use std::sync::Arc;

use market::{BarRow, Position};
use store::EpochEnds;

use super::changed_channels::ConnectionChangedChannels;
use super::channel_name::ChannelName;
use super::limits::HubLimits;
use super::message::{EncodedMessage, OutgoingBarChange, StreamEncoding};
use super::sequence::{BEFORE_FIRST_MESSAGE, sequence_number};
use super::subscription::Subscription;

/// The hub no longer knows what changed since the message that a client holds. The client needs a
/// snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what changed since the message held is not known any more")]
pub struct ChangesUnknown;

#[derive(Debug)]
struct HeldBar {
    row: BarRow,
    /// The sequence number of the message with which the bar last changed.
    changed_seq: i64,
}

/// Whether a channel is still needed after bars were evicted from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChannelAfterEviction {
    KeepChannel,
    RemoveChannel,
}

/// The newest bars of one instrument and interval, and the connections that subscribe to them.
#[derive(Debug)]
pub(super) struct HubChannel {
    partition: u32,
    /// The bars by the start of their window. They are boxed because most channels hold one bar,
    /// and a node of the map has room for eleven.
    bars: BTreeMap<i64, Box<HeldBar>>,
    /// The sequence number of the newest message.
    last_seq: Option<i64>,
    /// The sequence number of the message before the newest.
    previous_seq: Option<i64>,
    /// What the newest message changed: the starts of bars with their states before.
    changes: Vec<(i64, Option<Box<HeldBar>>)>,
    /// The newest message by encoding, encoded once for all clients that hold the message before.
    shared_messages: [Option<EncodedMessage>; StreamEncoding::ALL.len()],
    /// No evicted bar changed after this sequence number.
    evicted_seq: i64,
    subscribers: Vec<Arc<ConnectionChangedChannels>>,
    /// How often [`HubChannel::evict_stored_bars`] was called since the newest message.
    idle_checks: u32,
}

impl HubChannel {
    /// Returns a channel without bars, whose changes up to `evicted_seq` are unknown.
    pub(super) const fn new(partition: u32, evicted_seq: i64) -> Self {
        Self {
            partition,
            bars: BTreeMap::new(),
            last_seq: None,
            previous_seq: None,
            changes: Vec::new(),
            shared_messages: [None, None],
            evicted_seq,
            subscribers: Vec::new(),
            idle_checks: 0,
        }
    }

    pub(super) const fn partition(&self) -> u32 {
        self.partition
    }

    /// Applies the bars of the update `seq`. Returns whether any of them is newer than the held
    /// state.
    pub(super) fn apply_newer_bars(
        &mut self,
        seq: i64,
        rows: Vec<BarRow>,
        durable: Position,
        limits: HubLimits,
    ) -> bool {
        let mut changes = Vec::new();
        for row in rows {
            let start_ns = row.window.start_ns;
            let before = self.bars.get(&start_ns).map(|held| &held.row);
            if before.is_some_and(|before| before.through >= row.through) {
                continue;
            }
            let held = Box::new(HeldBar {
                row,
                changed_seq: seq,
            });
            let before = self.bars.insert(start_ns, held);
            changes.push((start_ns, before));
        }
        if changes.is_empty() {
            return false;
        }
        self.previous_seq = self.last_seq.replace(seq);
        self.changes = changes;
        self.shared_messages = [None, None];
        self.idle_checks = 0;
        self.evict_old_bars(durable, limits.closed_bars);
        true
    }

    /// Evicts bars that need not be kept any more. Returns whether the channel itself must be
    /// kept.
    pub(super) fn evict_stored_bars(
        &mut self,
        durable: Position,
        limits: HubLimits,
    ) -> ChannelAfterEviction {
        self.idle_checks = self.idle_checks.saturating_add(1);
        let is_idle = self.subscribers.is_empty() && self.idle_checks > limits.idle_checks;
        let is_stored = |held: &HeldBar| held.row.through < durable;
        if is_idle && self.bars.values().all(|held| is_stored(held)) {
            return ChannelAfterEviction::RemoveChannel;
        }
        self.evict_old_bars(durable, limits.closed_bars);
        ChannelAfterEviction::KeepChannel
    }

    /// Evicts closed bars that are in the store, except the newest `kept_bars`.
    fn evict_old_bars(&mut self, durable: Position, kept_bars: usize) {
        if self.bars.len() <= kept_bars {
            return;
        }
        let newest_evictable = self.bars.keys().rev().nth(kept_bars).copied();
        let evicted_seq = &mut self.evicted_seq;
        let last_seq = self.last_seq;
        self.bars.retain(|start_ns, held| {
            let is_kept = newest_evictable.is_none_or(|newest| *start_ns > newest)
                || !held.row.closed
                || held.row.through >= durable
                || Some(held.changed_seq) == last_seq;
            if !is_kept {
                *evicted_seq = (*evicted_seq).max(held.changed_seq);
            }
            is_kept
        });
    }

    /// Removes the bars whose states lie beyond the end of their epochs.
    pub(super) fn remove_bars_beyond(&mut self, ends: &EpochEnds) {
        self.bars
            .retain(|_, held| !ends.is_at_or_beyond_end(held.row.through));
        // What the newest message changed may be one of those states.
        self.changes.clear();
        self.previous_seq = None;
        self.shared_messages = [None, None];
    }

    /// Removes all bars: any of them may have changed unnoticed.
    pub(super) fn clear_bars(&mut self) {
        self.bars.clear();
        self.last_seq = None;
        self.previous_seq = None;
        self.changes.clear();
        self.shared_messages = [None, None];
        self.evicted_seq = BEFORE_FIRST_MESSAGE;
    }

    /// Returns the held bars in order of their starts.
    pub(super) fn held_bars(&self) -> Vec<BarRow> {
        self.bars.values().map(|held| held.row.clone()).collect()
    }

    /// Returns the newest states of the held bars and of `others`.
    pub(super) fn bars_merged_with(&self, others: Vec<BarRow>) -> Vec<BarRow> {
        let mut rows: BTreeMap<i64, BarRow> = BTreeMap::new();
        let held = self.bars.values().map(|held| held.row.clone());
        for row in others.into_iter().chain(held) {
            let start_ns = row.window.start_ns;
            let known = rows.get(&start_ns);
            if known.is_none_or(|known| known.through < row.through) {
                rows.insert(start_ns, row);
            }
        }
        rows.into_values().collect()
    }

    /// Returns the sequence number of the channel's current state; `next_offset` is the offset of
    /// the partition's next update.
    pub(super) fn current_seq(&self, next_offset: u64) -> i64 {
        self.last_seq
            .unwrap_or_else(|| sequence_number(next_offset) - 1)
    }

    /// Returns whether all bars that changed after the message `seq` are held; `first_known_offset`
    /// is the offset of the partition's first known update.
    pub(super) fn knows_changes_since(&self, seq: i64, first_known_offset: u64) -> bool {
        seq >= sequence_number(first_known_offset) - 1 && seq >= self.evicted_seq
    }

    /// Returns the bars that changed after the message `seq`.
    pub(super) fn bars_changed_since(&self, seq: i64) -> Vec<BarRow> {
        let changed = self.bars.values().filter(|held| held.changed_seq > seq);
        changed.map(|held| held.row.clone()).collect()
    }

    /// Returns the message that takes a subscriber to the current state; `None` if it holds that
    /// state.
    pub(super) fn next_message(
        &mut self,
        subscription: &mut Subscription,
        first_known_offset: u64,
        encoding: StreamEncoding,
    ) -> Result<Option<EncodedMessage>, ChangesUnknown> {
        let held_seq = subscription.seq();
        if !self.knows_changes_since(held_seq, first_known_offset) {
            return Err(ChangesUnknown);
        }
        let Some(last_seq) = self.last_seq.filter(|last_seq| *last_seq > held_seq) else {
            return Ok(None);
        };
        let holds_states_before = self.previous_seq == Some(held_seq)
            && self.changes.iter().all(|(start_ns, before)| {
                let before = before.as_ref();
                before.is_none_or(|held| subscription.holds_state(*start_ns, held.row.through))
            });
        let rows = self.bars_changed_since(held_seq);
        let message = if holds_states_before {
            self.newest_shared_message(subscription, last_seq, encoding)
        } else {
            let partition = subscription.partition();
            let whole_bar = |row| OutgoingBarChange::new(row, None, partition);
            let changes = rows.iter().map(whole_bar).collect();
            EncodedMessage::bars(subscription, last_seq, changes, encoding)
        };
        subscription.record_message(last_seq, &rows);
        Ok(Some(message))
    }

    /// Returns the newest message for clients that hold the message before it.
    fn newest_shared_message(
        &mut self,
        subscription: &Subscription,
        seq: i64,
        encoding: StreamEncoding,
    ) -> EncodedMessage {
        if let Some(message) = &self.shared_messages[encoding as usize] {
            return message.clone();
        }
        let change = |(start_ns, before): &(i64, Option<Box<HeldBar>>)| {
            let row = &self.bars.get(start_ns)?.row;
            let before = before.as_ref().map(|held| &held.row);
            Some(OutgoingBarChange::new(row, before, self.partition))
        };
        let changes = self.changes.iter().filter_map(change).collect();
        let message = EncodedMessage::bars(subscription, seq, changes, encoding);
        self.shared_messages[encoding as usize] = Some(message.clone());
        message
    }

    pub(super) fn add_subscriber(&mut self, changed_channels: &Arc<ConnectionChangedChannels>) {
        if !self
            .subscribers
            .iter()
            .any(|known| Arc::ptr_eq(known, changed_channels))
        {
            self.subscribers.push(Arc::clone(changed_channels));
        }
    }

    pub(super) fn remove_subscriber(&mut self, changed_channels: &Arc<ConnectionChangedChannels>) {
        self.subscribers
            .retain(|known| !Arc::ptr_eq(known, changed_channels));
    }

    /// Returns the number of connections that are told of messages.
    pub(super) const fn subscriber_count(&self) -> usize {
        self.subscribers.len()
    }

    /// Returns whether the channel has no subscribers and had no messages.
    pub(super) fn has_no_subscribers_or_messages(&self) -> bool {
        self.subscribers.is_empty() && self.bars.is_empty() && self.last_seq.is_none()
    }

    /// Tells every subscriber that the channel has changed.
    pub(super) fn notify_subscribers(&self, name: &ChannelName) {
        for changed_channels in &self.subscribers {
            changed_channels.add_changed(name);
        }
    }
}
