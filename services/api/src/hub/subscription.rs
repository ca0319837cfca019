//! What one client holds of one channel.

use market::{BarRow, Position};

use super::channel_name::ChannelName;
use super::sequence::BEFORE_FIRST_MESSAGE;

/// How many of the newest bars are remembered as sent: more than ever form at once.
const REMEMBERED_BARS: usize = 4;

/// What one client holds of one channel.
#[derive(Debug, Clone)]
pub struct Subscription {
    name: ChannelName,
    /// The name by which the client knows the channel.
    public_name: String,
    partition: u32,
    /// The sequence number of the last message that was sent.
    seq: i64,
    /// The newest bars that were sent, as `(start, through)`.
    sent: Vec<(i64, Position)>,
}

impl Subscription {
    /// Returns the subscription of a client that holds nothing yet of a channel in `partition`.
    #[must_use]
    pub fn new(name: ChannelName, partition: u32) -> Self {
        Self {
            public_name: name.to_string(),
            name,
            partition,
            seq: BEFORE_FIRST_MESSAGE,
            sent: Vec::new(),
        }
    }

    /// Sets the name by which the client knows the channel, which may mean another generation of
    /// the venue later.
    #[must_use]
    pub fn with_public_name(self, public_name: String) -> Self {
        Self {
            public_name,
            ..self
        }
    }

    /// Returns the name by which the client knows the channel.
    #[must_use]
    pub fn public_name(&self) -> &str {
        &self.public_name
    }

    /// Returns the generation of the channel's venue.
    #[must_use]
    pub fn generation(&self) -> u16 {
        self.name.instrument.to_venue().generation()
    }

    /// Returns the name of the channel.
    #[must_use]
    pub const fn name(&self) -> &ChannelName {
        &self.name
    }

    /// Returns the partition of `bar-updates` that the channel belongs to.
    #[must_use]
    pub const fn partition(&self) -> u32 {
        self.partition
    }

    /// Returns the sequence number of the last message that was sent; -1 before the first.
    #[must_use]
    pub const fn seq(&self) -> i64 {
        self.seq
    }

    /// Records that a snapshot was sent, which replaces what the client held.
    pub(super) fn record_snapshot(&mut self, seq: i64, rows: &[BarRow]) {
        self.sent.clear();
        self.record_message(seq, rows);
    }

    /// Records that a message with these bars was sent.
    pub(super) fn record_message(&mut self, seq: i64, rows: &[BarRow]) {
        self.seq = seq;
        for row in rows {
            let start_ns = row.window.start_ns;
            match self.sent.iter_mut().find(|(known, _)| *known == start_ns) {
                Some((_, through)) => *through = row.through,
                None => self.sent.push((start_ns, row.through)),
            }
        }
        if self.sent.len() > REMEMBERED_BARS {
            self.sent.sort_unstable();
            self.sent.drain(..self.sent.len() - REMEMBERED_BARS);
        }
    }

    /// Returns whether the newest state of a bar that was sent is the one of `through`.
    pub(super) fn holds_state(&self, start_ns: i64, through: Position) -> bool {
        self.sent.contains(&(start_ns, through))
    }
}
