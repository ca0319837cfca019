//! The newest bars that a pod knows, and what each client of the live stream must be sent.
//!
//! The hub is a pure state machine fed with the records of `bar-updates`. For each channel it
//! keeps the newest bars, each with the sequence number at which it last changed. So one rule
//! serves a subscriber that keeps up, one that was slow, and one that reconnects: it is sent what
//! changed since the message it holds.

mod changed_channels;
mod channel;
mod channel_name;
mod limits;
mod message;
mod partition;
mod sequence;
mod subscription;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
use market::{BarRow, Instrument, Interval, Position};
use store::EpochEnds;

pub use self::changed_channels::ConnectionChangedChannels;
pub use self::channel::ChangesUnknown;
pub use self::channel_name::{ChannelName, ChannelNameError};
pub use self::limits::HubLimits;
pub use self::message::{EncodedMessage, StreamEncoding};
pub use self::subscription::Subscription;

use self::channel::{ChannelAfterEviction, HubChannel};
use self::partition::HubPartitionState;
use self::sequence::{BEFORE_FIRST_MESSAGE, sequence_number};

/// The newest bars that a pod knows, and the subscribers of the live stream. A handle is cheap to
/// clone.
#[derive(Debug, Clone)]
pub struct Hub {
    state: Arc<Mutex<HubState>>,
}

#[derive(Debug)]
struct HubState {
    limits: HubLimits,
    /// The generation of `bar-updates`.
    epoch: u64,
    partitions: Vec<HubPartitionState>,
    /// Where the earlier epochs of each partition ended, as of an epoch of `trades`.
    epoch_ends: Vec<(Option<u64>, EpochEnds)>,
    channels: HashMap<ChannelName, HubChannel>,
}

impl Hub {
    /// Returns a hub for a generation of `bar-updates` that knows no bars yet.
    #[must_use]
    pub fn new(epoch: u64, partitions: u32, limits: HubLimits) -> Self {
        let state = HubState {
            limits,
            epoch,
            partitions: vec![HubPartitionState::new(); partitions as usize],
            epoch_ends: vec![(None, EpochEnds::default()); partitions as usize],
            channels: HashMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HubState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of partitions of `bar-updates`, which is that of `trades`.
    #[must_use]
    pub fn partition_count(&self) -> u32 {
        let count = self.lock().partitions.len();
        u32::try_from(count).expect("partitions are counted in 32 bits")
    }

    /// Returns whether the forming bars of every partition are known.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock()
            .partitions
            .iter()
            .all(HubPartitionState::is_ready)
    }

    /// Records that every update of a partition that existed at the start was applied.
    pub fn mark_partition_ready(&self, partition: u32) {
        self.lock().partitions[partition as usize].mark_ready();
    }

    /// Forgets the bars of a partition: its updates before `offset` are unknown. The follower
    /// calls this at its start, and if the topic no longer keeps the updates that it has not read.
    pub fn clear_partition_and_restart_at(&self, partition: u32, offset: u64) {
        let mut state = self.lock();
        state.partitions[partition as usize].restart_at(offset);
        for (name, channel) in &mut state.channels {
            if channel.partition() == partition {
                channel.clear_bars();
                channel.notify_subscribers(name);
            }
        }
    }

    /// Makes every subscriber of a partition read a snapshot: updates were missed, and are in the
    /// store by now.
    pub fn require_snapshots(&self, partition: u32) {
        let mut state = self.lock();
        state.partitions[partition as usize].mark_all_messages_unknown();
        for (name, channel) in &state.channels {
            if channel.partition() == partition {
                channel.notify_subscribers(name);
            }
        }
    }

    /// Returns the epoch of `trades` as of which the hub knows where the earlier epochs of a
    /// partition ended; `None` before [`Hub::set_epoch_ends`].
    #[must_use]
    pub fn epoch_of_known_ends(&self, partition: u32) -> Option<u64> {
        self.lock().epoch_ends[partition as usize].0
    }

    /// Sets where the epochs of a partition before `epoch` ended. The states beyond an end were
    /// announced and never stored: the hub drops those that it holds, takes no others, and makes
    /// every subscriber read a snapshot, which names the ends. Must be called before
    /// [`Hub::set_durable_position`] is given a position of `epoch`.
    pub fn set_epoch_ends(&self, partition: u32, epoch: u64, ends: &EpochEnds) {
        let mut state = self.lock();
        let known = &mut state.epoch_ends[partition as usize];
        known.0 = Some(epoch);
        if known.1 == *ends {
            return;
        }
        known.1 = ends.clone();
        state.partitions[partition as usize].mark_all_messages_unknown();
        for (name, channel) in &mut state.channels {
            if channel.partition() == partition {
                channel.remove_bars_beyond(ends);
                channel.notify_subscribers(name);
            }
        }
    }

    /// Returns whether a position of `trades` is at or beyond the end of its epoch, as far as the
    /// hub knows: what was announced of it does not count.
    #[must_use]
    pub fn is_beyond_epoch_end(&self, partition: u32, position: Position) -> bool {
        let state = self.lock();
        state.epoch_ends[partition as usize]
            .1
            .is_at_or_beyond_end(position)
    }

    /// Sets the position of `trades` before which the store holds all effects, and evicts what
    /// need not be kept any more.
    pub fn set_durable_position(&self, partition: u32, durable: Position) {
        let mut state = self.lock();
        let state = &mut *state;
        let limits = state.limits;
        let known = &mut state.partitions[partition as usize];
        known.set_durable_position(durable);
        state.channels.retain(|_, channel| {
            let is_kept = channel.partition() != partition
                || channel.evict_stored_bars(durable, limits) == ChannelAfterEviction::KeepChannel;
            if !is_kept {
                known.record_dropped_channel();
            }
            is_kept
        });
    }

    /// Applies one update: the record of `bar-updates` at `offset`.
    pub fn apply_update(
        &self,
        partition: u32,
        offset: u64,
        instrument: &Instrument,
        rows: Vec<BarRow>,
    ) {
        let mut state = self.lock();
        let state = &mut *state;
        let limits = state.limits;
        let known = &mut state.partitions[partition as usize];
        known.record_update_read(offset);
        let ends = &state.epoch_ends[partition as usize].1;
        let (durable, last_dropped_channel_seq) =
            (known.durable_position(), known.last_dropped_channel_seq());
        let rows = rows
            .into_iter()
            .filter(|row| !ends.is_at_or_beyond_end(row.through));
        let mut rows = rows.peekable();
        while let Some(first) = rows.next() {
            let interval = first.window.interval;
            let mut of_interval = vec![first];
            while let Some(row) = rows.next_if(|row| row.window.interval == interval) {
                of_interval.push(row);
            }
            let name = ChannelName {
                instrument: instrument.clone(),
                interval,
            };
            let channel = state
                .channels
                .entry_ref(&name)
                .or_insert_with(|| HubChannel::new(partition, last_dropped_channel_seq));
            if channel.apply_newer_bars(sequence_number(offset), of_interval, durable, limits) {
                channel.notify_subscribers(&name);
            }
        }
    }

    /// Returns the held bars of a channel, which include those that may not be in the store yet.
    #[must_use]
    pub fn held_bars(&self, instrument: &Instrument, interval: Interval) -> Vec<BarRow> {
        let name = ChannelName {
            instrument: instrument.clone(),
            interval,
        };
        let state = self.lock();
        let channel = state.channels.get(&name);
        channel.map_or_else(Vec::new, HubChannel::held_bars)
    }

    /// Adds a subscriber to a channel of a partition: `changed_channels` is told of every
    /// message after this call.
    pub fn subscribe(
        &self,
        name: &ChannelName,
        partition: u32,
        changed_channels: &Arc<ConnectionChangedChannels>,
    ) {
        let mut state = self.lock();
        let last_dropped_channel_seq =
            state.partitions[partition as usize].last_dropped_channel_seq();
        let channel = state
            .channels
            .entry_ref(name)
            .or_insert_with(|| HubChannel::new(partition, last_dropped_channel_seq));
        channel.add_subscriber(changed_channels);
    }

    /// Removes a subscriber from a channel. An empty channel is removed with its last subscriber.
    pub fn unsubscribe(
        &self,
        name: &ChannelName,
        changed_channels: &Arc<ConnectionChangedChannels>,
    ) {
        let mut state = self.lock();
        if let Some(channel) = state.channels.get_mut(name) {
            channel.remove_subscriber(changed_channels);
            if channel.has_no_subscribers_or_messages() {
                state.channels.remove(name);
            }
        }
    }

    /// Returns the number of subscriptions of all connections.
    #[must_use]
    pub fn subscription_count(&self) -> usize {
        let state = self.lock();
        state
            .channels
            .values()
            .map(HubChannel::subscriber_count)
            .sum()
    }

    /// Returns the message with the bars of a channel: those that the hub holds, and those of
    /// `stored`, which the caller has read from [`Hub::held_bars`] and then from the store, in this
    /// order. `recovered` is `Some(false)` in the response to a client that wanted to continue
    /// from an earlier message and cannot.
    ///
    /// The epoch of the message is 0 while the hub does not know every bar. No pod continues from
    /// such a message, because an update before it may be neither in it nor in the store.
    pub fn snapshot_message(
        &self,
        subscription: &mut Subscription,
        stored: Vec<BarRow>,
        recovered: Option<bool>,
        encoding: StreamEncoding,
    ) -> EncodedMessage {
        let mut state = self.lock();
        let state = &mut *state;
        let partition = subscription.partition();
        let known = state.partitions[partition as usize];
        let channel = state
            .channels
            .entry_ref(subscription.name())
            .or_insert_with(|| HubChannel::new(partition, known.last_dropped_channel_seq()));
        let seq = channel.current_seq(known.next_offset());
        let ends = &state.epoch_ends[partition as usize].1;
        // The caller may have read the held bars before the hub knew an end.
        let stored = stored.into_iter();
        let stored = stored
            .filter(|row| !ends.is_at_or_beyond_end(row.through))
            .collect();
        let rows = channel.bars_merged_with(stored);
        subscription.record_snapshot(seq, &rows);
        let epoch = if known.is_ready() { state.epoch } else { 0 };
        EncodedMessage::snapshot(subscription, epoch, recovered, ends, &rows, encoding)
    }

    /// Returns a message for a client that resumes a channel after the message `seq` of `epoch`: it
    /// holds every bar that changed since then, whole. Returns `None` if this pod does not know
    /// what changed since then, for instance because it has not read that message yet.
    pub fn resume_message(
        &self,
        subscription: &mut Subscription,
        epoch: u64,
        seq: i64,
        encoding: StreamEncoding,
    ) -> Option<EncodedMessage> {
        let state = self.lock();
        let known = state.partitions[subscription.partition() as usize];
        let channel = state.channels.get(subscription.name())?;
        let next_seq = sequence_number(known.next_offset());
        let was_read = (BEFORE_FIRST_MESSAGE..next_seq).contains(&seq);
        if epoch != state.epoch
            || !was_read
            || !channel.knows_changes_since(seq, known.first_known_offset())
        {
            return None;
        }
        let rows = channel.bars_changed_since(seq);
        let current_seq = channel.current_seq(known.next_offset()).max(seq);
        subscription.record_snapshot(current_seq, &rows);
        let ends = &state.epoch_ends[subscription.partition() as usize].1;
        let message =
            EncodedMessage::snapshot(subscription, epoch, Some(true), ends, &rows, encoding);
        Some(message)
    }

    /// Returns the next message for a subscriber that holds all messages before; `None` if nothing
    /// changed.
    ///
    /// # Errors
    /// [`ChangesUnknown`] if the subscriber needs a snapshot.
    pub fn next_message(
        &self,
        subscription: &mut Subscription,
        encoding: StreamEncoding,
    ) -> Result<Option<EncodedMessage>, ChangesUnknown> {
        let mut state = self.lock();
        let first_known_offset =
            state.partitions[subscription.partition() as usize].first_known_offset();
        let channel = state.channels.get_mut(subscription.name());
        let channel = channel.ok_or(ChangesUnknown)?;
        channel.next_message(subscription, first_known_offset, encoding)
    }
}

#[cfg(test)]
mod tests;
