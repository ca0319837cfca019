//! What one client holds of one channel.

use market::{BarRow, Position};

use super::ChannelName;

/// How many of the newest bars are remembered as sent: more than ever form at once.
const REMEMBERED: usize = 4;

/// What one client holds of one channel.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub(super) name: ChannelName,
    pub(super) partition: u32,
    /// The last message that it was sent; -1 before the first.
    pub(super) seq: i64,
    /// The newest bars that it was sent, as `(start, through)`.
    sent: Vec<(i64, Position)>,
}

impl Subscription {
    /// A client of a channel of a partition that holds nothing yet.
    #[must_use]
    pub const fn new(name: ChannelName, partition: u32) -> Self {
        Self {
            name,
            partition,
            seq: -1,
            sent: Vec::new(),
        }
    }

    /// Which channel.
    #[must_use]
    pub const fn name(&self) -> &ChannelName {
        &self.name
    }

    /// The last message that it was sent; -1 before the first.
    #[must_use]
    pub const fn seq(&self) -> i64 {
        self.seq
    }

    pub(super) fn reset(&mut self, seq: i64, rows: &[BarRow]) {
        self.sent.clear();
        self.tell(seq, rows);
    }

    pub(super) fn tell(&mut self, seq: i64, rows: &[BarRow]) {
        self.seq = seq;
        for row in rows {
            let start_ns = row.window.start_ns;
            match self.sent.iter_mut().find(|(known, _)| *known == start_ns) {
                Some((_, through)) => *through = row.through,
                None => self.sent.push((start_ns, row.through)),
            }
        }
        if self.sent.len() > REMEMBERED {
            self.sent.sort_unstable();
            self.sent.drain(..self.sent.len() - REMEMBERED);
        }
    }

    /// Whether the client was sent that state of a bar.
    pub(super) fn holds(&self, start_ns: i64, through: Position) -> bool {
        self.sent.contains(&(start_ns, through))
    }
}
