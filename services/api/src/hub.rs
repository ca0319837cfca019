//! What a pod knows of the live bars, and what each client has to be told.
//!
//! The hub is a pure state machine fed with the records of `bar-updates`. For each channel it
//! keeps the newest bars, each with the sequence number at which it last changed, so one rule
//! answers a subscriber that follows, one that was slow, and one that comes back: it is told
//! what changed since the message it holds.

mod channel;
mod follow;
mod message;
mod subscription;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
use market::{BarRow, Instrument, Interval, Position};
use tokio::sync::Notify;

pub use channel::{ChannelName, ChannelNameError};
pub use follow::{FollowError, Follower};
pub use message::{Encoding, Message};
pub use subscription::Subscription;

use channel::Channel;

/// What a pod knows of the live bars. A handle is cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    state: Arc<Mutex<State>>,
}

/// What a hub keeps for clients that come back, beside what may not be in the store yet.
#[derive(Debug, Clone, Copy)]
pub struct HubLimits {
    /// Closed bars of a channel.
    pub bars: usize,
    /// How often the store is asked what it holds before a channel without subscribers and
    /// without news is dropped.
    pub asks: u32,
}

impl Default for HubLimits {
    /// Eight bars, and a minute.
    fn default() -> Self {
        Self { bars: 8, asks: 60 }
    }
}

#[derive(Debug)]
struct State {
    kept: HubLimits,
    /// The epoch of `bar-updates`.
    epoch: u64,
    partitions: Vec<Partition>,
    channels: HashMap<ChannelName, Channel>,
}

/// How much of a partition of `bar-updates` the pod knows.
#[derive(Debug, Clone, Copy)]
struct Partition {
    /// Every update from here on.
    floor: u64,
    /// Up to here.
    next: u64,
    /// Of a channel that was dropped, nothing is known up to this message.
    dropped: i64,
    /// What was caused by records of `trades` before this is in the store.
    durable: Position,
    ready: bool,
}

/// The channels of one connection that have something new.
#[derive(Debug, Default)]
pub struct Mailbox {
    changed: Mutex<Vec<ChannelName>>,
    arrived: Notify,
}

impl Hub {
    /// A hub of a topic's generation that knows nothing yet.
    #[must_use]
    pub fn new(epoch: u64, partitions: u32, kept: HubLimits) -> Self {
        let unknown = Partition {
            floor: 0,
            next: 0,
            dropped: -1,
            durable: Position::default(),
            ready: false,
        };
        let state = State {
            kept,
            epoch,
            partitions: vec![unknown; partitions as usize],
            channels: HashMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The topic's generation.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    /// Whether the pod knows the forming bars of every partition.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().partitions.iter().all(|known| known.ready)
    }

    /// Notes that every update of a partition that existed at the start is known.
    pub fn set_ready(&self, partition: u32) {
        self.lock().partitions[partition as usize].ready = true;
    }

    /// Notes that the updates before an offset are not known: reading starts there, at the
    /// start or after the pod fell behind what the topic keeps.
    pub fn restart(&self, partition: u32, floor: u64) {
        let mut state = self.lock();
        let known = &mut state.partitions[partition as usize];
        known.floor = floor;
        known.next = floor;
        known.ready = false;
        for (name, channel) in &mut state.channels {
            if channel.partition() == partition {
                channel.forget();
                channel.notify(name);
            }
        }
    }

    /// Notes that updates which were missed are in the store by now: whoever holds an earlier
    /// message needs a snapshot.
    pub fn distrust(&self, partition: u32) {
        let mut state = self.lock();
        let known = &mut state.partitions[partition as usize];
        known.floor = known.next + 1;
        for (name, channel) in &state.channels {
            if channel.partition() == partition {
                channel.notify(name);
            }
        }
    }

    /// Notes what is in the store, and lets go of what need not be held any more.
    pub fn set_durable(&self, partition: u32, durable: Position) {
        let mut state = self.lock();
        let state = &mut *state;
        let known = &mut state.partitions[partition as usize];
        known.durable = durable;
        let (kept, next) = (state.kept, known.next);
        state.channels.retain(|_, channel| {
            let stays = channel.partition() != partition || channel.sweep(durable, kept);
            if !stays {
                known.dropped = signed(next) - 1;
            }
            stays
        });
    }

    /// Takes one update: the record of `bar-updates` at an offset.
    pub fn apply(&self, partition: u32, seq: u64, instrument: &Instrument, rows: Vec<BarRow>) {
        let mut state = self.lock();
        let known = &mut state.partitions[partition as usize];
        known.next = seq + 1;
        let (durable, dropped) = (known.durable, known.dropped);
        let kept = state.kept;
        let mut rows = rows.into_iter().peekable();
        while let Some(first) = rows.next() {
            let interval = first.window.interval;
            let mut same = vec![first];
            while let Some(row) = rows.next_if(|row| row.window.interval == interval) {
                same.push(row);
            }
            let name = ChannelName {
                instrument: instrument.clone(),
                interval,
            };
            let channel = state
                .channels
                .entry_ref(&name)
                .or_insert_with(|| Channel::new(partition, dropped));
            if channel.apply(signed(seq), same, durable, kept) {
                channel.notify(&name);
            }
        }
    }

    /// The bars of a channel that the hub holds: those that may not be in the store yet among
    /// them.
    #[must_use]
    pub fn rows(&self, instrument: &Instrument, interval: Interval) -> Vec<BarRow> {
        let name = ChannelName {
            instrument: instrument.clone(),
            interval,
        };
        let state = self.lock();
        let channel = state.channels.get(&name);
        channel.map_or_else(Vec::new, Channel::rows)
    }

    /// Adds a subscriber to a channel of a partition: its mailbox hears of every message from
    /// here on.
    pub fn subscribe(&self, name: &ChannelName, partition: u32, mailbox: &Arc<Mailbox>) {
        let mut state = self.lock();
        let dropped = state.partitions[partition as usize].dropped;
        let channel = state
            .channels
            .entry_ref(name)
            .or_insert_with(|| Channel::new(partition, dropped));
        channel.add_subscriber(mailbox);
    }

    /// Removes a subscriber from a channel; one that holds nothing goes with its last.
    pub fn unsubscribe(&self, name: &ChannelName, mailbox: &Arc<Mailbox>) {
        let mut state = self.lock();
        if let Some(channel) = state.channels.get_mut(name) {
            channel.remove_subscriber(mailbox);
            if channel.is_empty() {
                state.channels.remove(name);
            }
        }
    }

    /// The bars of a channel, with the sequence number to go on from: those that the hub holds,
    /// and of the others those given, which are [`Hub::rows`] and then what the store had, read
    /// in this order. `recovered` is false where that answers a client that wanted to go on
    /// from an earlier message, and cannot.
    ///
    /// Its epoch is 0 while the pod does not know every bar: no pod goes on from such a message,
    /// since updates before it may neither be in it nor in the store.
    pub fn snapshot(
        &self,
        subscription: &mut Subscription,
        stored: Vec<BarRow>,
        recovered: Option<bool>,
        encoding: Encoding,
    ) -> Message {
        let mut state = self.lock();
        let state = &mut *state;
        let partition = subscription.partition;
        let known = state.partitions[partition as usize];
        let channel = state
            .channels
            .entry_ref(&subscription.name)
            .or_insert_with(|| Channel::new(partition, known.dropped));
        let seq = channel.seq(known.next);
        let rows = channel.rows_and(stored);
        subscription.reset(seq, &rows);
        let epoch = if known.ready { state.epoch } else { 0 };
        Message::snapshot(subscription, epoch, recovered, &rows, encoding)
    }

    /// What changed in a channel for a client that holds the message `seq` of `epoch`: the bars
    /// that changed since, whole; none where that is not known, as with a message that this pod
    /// has not read yet.
    pub fn resume(
        &self,
        subscription: &mut Subscription,
        epoch: u64,
        seq: i64,
        encoding: Encoding,
    ) -> Option<Message> {
        let state = self.lock();
        let known = state.partitions[subscription.partition as usize];
        let channel = state.channels.get(&subscription.name)?;
        let possible = (-1..signed(known.next)).contains(&seq);
        if epoch != state.epoch || !possible || !channel.knows_since(seq, known.floor) {
            return None;
        }
        let rows = channel.changed_since(seq);
        subscription.reset(channel.seq(known.next).max(seq), &rows);
        let message = Message::snapshot(subscription, epoch, Some(true), &rows, encoding);
        Some(message)
    }

    /// What a subscriber has to be told, which holds all it was told before; nothing where
    /// nothing changed.
    ///
    /// # Errors
    /// [`Gap`], where that is not known any more: it needs a snapshot.
    pub fn news(
        &self,
        subscription: &mut Subscription,
        encoding: Encoding,
    ) -> Result<Option<Message>, Gap> {
        let mut state = self.lock();
        let floor = state.partitions[subscription.partition as usize].floor;
        let channel = state.channels.get_mut(&subscription.name).ok_or(Gap)?;
        channel.news(subscription, floor, encoding)
    }
}

fn signed(offset: u64) -> i64 {
    i64::try_from(offset).expect("offsets stay below 2^63")
}

/// What a subscriber missed is not known any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what changed since the message held is not known any more")]
pub struct Gap;

impl Mailbox {
    /// Waits until a channel has something new.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// The channels that have something new.
    pub fn take(&self) -> Vec<ChannelName> {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *changed)
    }

    fn put(&self, name: &ChannelName) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        if !changed.contains(name) {
            changed.push(name.clone());
        }
        drop(changed);
        self.arrived.notify_one();
    }
}
