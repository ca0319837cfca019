//! One channel: the bars of one instrument and interval.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use market::{BarRow, Instrument, Interval, Position};

use super::message::{Encoding, Entry, Message};
use super::{Gap, HubLimits, Mailbox, Subscription, signed};

/// The name of a channel: `bars:{venue}:{symbol}:{interval}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChannelName {
    /// Which instrument.
    pub instrument: Instrument,
    /// Which interval.
    pub interval: Interval,
}

/// A text that names no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a channel; bars:venue:symbol:interval is expected, such as bars:synthetic:BTCUSDT:1m"
)]
pub struct ChannelNameError {
    text: String,
}

impl FromStr for ChannelName {
    type Err = ChannelNameError;

    fn from_str(text: &str) -> Result<Self, ChannelNameError> {
        let parts = || {
            let (key, interval) = text.strip_prefix("bars:")?.rsplit_once(':')?;
            Some(Self {
                instrument: key.parse().ok()?,
                interval: interval.parse().ok()?,
            })
        };
        parts().ok_or_else(|| ChannelNameError {
            text: text.chars().take(128).collect(),
        })
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "bars:{}:{}", self.instrument, self.interval)
    }
}

#[derive(Debug)]
struct Held {
    row: BarRow,
    /// The message that it last changed with.
    changed: i64,
}

#[derive(Debug)]
pub(super) struct Channel {
    partition: u32,
    bars: BTreeMap<i64, Held>,
    /// The newest message, and the one before it.
    last: Option<i64>,
    prev: Option<i64>,
    /// What the newest message changed: starts, with the bars as they were before.
    changes: Vec<(i64, Option<BarRow>)>,
    /// The newest message, encoded once for all that hold the one before it.
    shared: [Option<Message>; Encoding::ALL.len()],
    /// No bar that changed after this message was let go.
    let_go: i64,
    subscribers: Vec<Arc<Mailbox>>,
    /// How often the store was asked since the newest message.
    quiet_asks: u32,
}

impl Channel {
    pub(super) const fn new(partition: u32, let_go: i64) -> Self {
        Self {
            partition,
            bars: BTreeMap::new(),
            last: None,
            prev: None,
            changes: Vec::new(),
            shared: [None, None],
            let_go,
            subscribers: Vec::new(),
            quiet_asks: 0,
        }
    }

    pub(super) const fn partition(&self) -> u32 {
        self.partition
    }

    /// Takes the bars of one update, and answers whether any is newer than what is held.
    pub(super) fn apply(
        &mut self,
        seq: i64,
        rows: Vec<BarRow>,
        durable: Position,
        kept: HubLimits,
    ) -> bool {
        let mut changes = Vec::new();
        for row in rows {
            let start_ns = row.window.start_ns;
            let before = self.bars.get(&start_ns).map(|held| &held.row);
            if before.is_some_and(|before| before.through >= row.through) {
                continue;
            }
            let held = Held { row, changed: seq };
            let before = self.bars.insert(start_ns, held);
            changes.push((start_ns, before.map(|held| held.row)));
        }
        if changes.is_empty() {
            return false;
        }
        self.prev = self.last.replace(seq);
        self.changes = changes;
        self.shared = [None, None];
        self.quiet_asks = 0;
        self.let_go_of_old(durable, kept.bars);
        true
    }

    /// Lets go of what need not be held any more; false where that is everything.
    pub(super) fn sweep(&mut self, durable: Position, kept: HubLimits) -> bool {
        self.quiet_asks = self.quiet_asks.saturating_add(1);
        let unwatched = self.subscribers.is_empty() && self.quiet_asks > kept.asks;
        let stored = |held: &Held| held.row.through < durable;
        if unwatched && self.bars.values().all(stored) {
            return false;
        }
        self.let_go_of_old(durable, kept.bars);
        true
    }

    /// Lets closed bars go that are in the store, but for the newest.
    fn let_go_of_old(&mut self, durable: Position, kept_bars: usize) {
        if self.bars.len() <= kept_bars {
            return;
        }
        let newest = self.bars.keys().rev().nth(kept_bars).copied();
        let let_go = &mut self.let_go;
        let last = self.last;
        self.bars.retain(|start_ns, held| {
            let kept = newest.is_none_or(|newest| *start_ns > newest)
                || !held.row.closed
                || held.row.through >= durable
                || Some(held.changed) == last;
            if !kept {
                *let_go = (*let_go).max(held.changed);
            }
            kept
        });
    }

    /// Everything may have changed unseen.
    pub(super) fn forget(&mut self) {
        self.bars.clear();
        self.last = None;
        self.prev = None;
        self.changes.clear();
        self.shared = [None, None];
        self.let_go = -1;
    }

    pub(super) fn rows(&self) -> Vec<BarRow> {
        self.bars.values().map(|held| held.row.clone()).collect()
    }

    /// The newest states of the bars that are held and of those given.
    pub(super) fn rows_and(&self, others: Vec<BarRow>) -> Vec<BarRow> {
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

    /// The sequence number to go on from; `next` is that of the partition's next update.
    pub(super) fn seq(&self, next: u64) -> i64 {
        self.last.unwrap_or_else(|| signed(next) - 1)
    }

    /// Whether all that changed after a message is held; `floor` is the partition's first
    /// update that is known.
    pub(super) fn knows_since(&self, seq: i64, floor: u64) -> bool {
        seq >= signed(floor) - 1 && seq >= self.let_go
    }

    pub(super) fn changed_since(&self, seq: i64) -> Vec<BarRow> {
        let held = self.bars.values().filter(|held| held.changed > seq);
        held.map(|held| held.row.clone()).collect()
    }

    pub(super) fn news(
        &mut self,
        subscription: &mut Subscription,
        floor: u64,
        encoding: Encoding,
    ) -> Result<Option<Message>, Gap> {
        let held = subscription.seq;
        if !self.knows_since(held, floor) {
            return Err(Gap);
        }
        let Some(last) = self.last.filter(|last| *last > held) else {
            return Ok(None);
        };
        let shares = self.prev == Some(held)
            && self.changes.iter().all(|(start_ns, before)| {
                let before = before.as_ref();
                before.is_none_or(|row| subscription.holds(*start_ns, row.through))
            });
        let rows = self.changed_since(held);
        let message = if shares {
            self.shared(subscription, last, encoding)
        } else {
            let partition = subscription.partition;
            let whole = |row| Entry::change(row, None, partition);
            let entries: Vec<Entry> = rows.iter().map(whole).collect();
            Message::bars(subscription, last, entries, encoding)
        };
        subscription.tell(last, &rows);
        Ok(Some(message))
    }

    /// The newest message for all that hold the one before it.
    fn shared(&mut self, subscription: &Subscription, seq: i64, encoding: Encoding) -> Message {
        if let Some(message) = &self.shared[encoding as usize] {
            return message.clone();
        }
        let entry = |(start_ns, before): &(i64, Option<BarRow>)| {
            let row = &self.bars.get(start_ns)?.row;
            Some(Entry::change(row, before.as_ref(), self.partition))
        };
        let entries: Vec<Entry> = self.changes.iter().filter_map(entry).collect();
        let message = Message::bars(subscription, seq, entries, encoding);
        self.shared[encoding as usize] = Some(message.clone());
        message
    }

    pub(super) fn add_subscriber(&mut self, mailbox: &Arc<Mailbox>) {
        if !self
            .subscribers
            .iter()
            .any(|known| Arc::ptr_eq(known, mailbox))
        {
            self.subscribers.push(Arc::clone(mailbox));
        }
    }

    /// Whether it has had no message, has let nothing go, and nobody follows it.
    pub(super) fn is_empty(&self) -> bool {
        self.subscribers.is_empty() && self.bars.is_empty() && self.last.is_none()
    }

    pub(super) fn remove_subscriber(&mut self, mailbox: &Arc<Mailbox>) {
        self.subscribers
            .retain(|known| !Arc::ptr_eq(known, mailbox));
    }

    pub(super) fn notify(&self, name: &ChannelName) {
        for mailbox in &self.subscribers {
            mailbox.put(name);
        }
    }
}
