//! What a client holds of one channel, and the rules by which messages change it.

use std::collections::BTreeMap;

use market::Position;
use serde_json::Value;

use super::{Bar, StreamError};

/// The last message that a client holds of a channel, from which it can resume on any pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPosition {
    /// The generation of `bar-updates`.
    pub epoch: u64,
    /// The sequence number; -1 before the first message.
    pub seq: i64,
}

/// What a client holds of one channel.
#[derive(Debug, Clone, Default)]
pub struct ChannelState {
    position: Option<StreamPosition>,
    /// The state of each bar that the stream sent last, by start. Deltas change these.
    stream_bars: BTreeMap<String, Bar>,
    /// The state of each bar with the greatest `through` that either the stream or REST sent. Kept
    /// apart from `stream_bars`: a delta applied to a newer state from REST would mix two states.
    newest_bars: BTreeMap<String, Bar>,
    /// The number of snapshots after which the bars have to be read over REST.
    history_requests: u64,
    /// `history_requests` when the bars were last read.
    history_served: u64,
}

/// A request to read all bars of a channel over REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryRequest {
    number: u64,
}

/// A message that was applied.
#[derive(Debug, Clone, Default)]
pub struct AppliedMessage {
    /// `recovered` of a snapshot; `None` for other messages and for a first subscription.
    pub recovered: Option<bool>,
    /// The bars that the message changed, in its order.
    pub changes: Vec<BarChange>,
}

/// A bar that a message changed.
#[derive(Debug, Clone)]
pub struct BarChange {
    /// How the message sent the bar.
    pub kind: ChangeKind,
    /// The whole bar after the change.
    pub bar: Bar,
    /// `through` of the state that the stream sent before; `None` if it sent none.
    pub previous_through: Option<Position>,
}

/// How a message sends a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Whole, in a snapshot.
    Snapshot,
    /// A forming bar, whole.
    Bar,
    /// The changed fields of a forming bar.
    Delta,
    /// A bar whose window closed, whole.
    Close,
    /// A closed bar that changed, whole.
    Correction,
}

impl ChannelState {
    /// Returns the position to resume from; `None` before the first snapshot.
    #[must_use]
    pub const fn position(&self) -> Option<StreamPosition> {
        self.position
    }

    /// Returns the newest state of each bar, in the order of their starts, including bars that
    /// cancels have emptied.
    pub fn newest_bars(&self) -> impl Iterator<Item = &Bar> {
        self.newest_bars.values()
    }

    /// Returns a request if the bars have to be read over REST, until the response is passed to
    /// [`ChannelState::apply_history`].
    #[must_use]
    pub fn history_request(&self) -> Option<HistoryRequest> {
        let number = self.history_requests;
        (number > self.history_served).then_some(HistoryRequest { number })
    }

    /// Applies the bars that REST returned after the caller was given `request`.
    ///
    /// If a snapshot has made another request necessary meanwhile, that one stays open: its bars
    /// have to be read after its snapshot, so that no change is missed.
    ///
    /// # Errors
    /// [`StreamError::Malformed`]; the bars before the malformed one have been applied.
    pub fn apply_history(
        &mut self,
        request: HistoryRequest,
        bars: Vec<Value>,
    ) -> Result<(), StreamError> {
        for bar in bars {
            self.keep_newest(Bar::from_json(bar)?);
        }
        self.history_served = self.history_served.max(request.number);
        Ok(())
    }

    /// Applies a message of the stream.
    ///
    /// # Errors
    /// [`StreamError`], if the message breaks a rule of the stream. The client then subscribes
    /// again from [`ChannelState::position`], which is `None` if what it holds cannot be trusted.
    pub fn apply_message(&mut self, message: &Value) -> Result<AppliedMessage, StreamError> {
        let seq = message["seq"].as_i64();
        let seq = seq.ok_or(StreamError::Malformed("a message without seq"))?;
        let is_snapshot = message["type"] == "snapshot";
        let position = match is_snapshot {
            true => self.check_snapshot(message, seq)?,
            false => self.check_successor(message, seq)?,
        };
        let recovered = message["recovered"].as_bool();
        if is_snapshot && recovered != Some(true) {
            self.stream_bars.clear();
            self.history_requests += 1;
        }
        self.position = Some(position);
        let changes = self.apply_bars(message);
        if changes.is_err() {
            // Part of the message may be applied: only a new snapshot makes up for the rest.
            self.position = None;
        }
        Ok(AppliedMessage {
            recovered: recovered.filter(|_| is_snapshot),
            changes: changes?,
        })
    }

    fn check_snapshot(&self, message: &Value, seq: i64) -> Result<StreamPosition, StreamError> {
        let epoch = message["epoch"].as_u64();
        let epoch = epoch.ok_or(StreamError::Malformed("a snapshot without epoch"))?;
        let continues = |held: StreamPosition| held.epoch == epoch && held.seq <= seq;
        if message["recovered"] == true && !self.position.is_some_and(continues) {
            let held = self.position.map(|held| (held.epoch, held.seq));
            return Err(StreamError::RecoveredElsewhere { epoch, seq, held });
        }
        Ok(StreamPosition { epoch, seq })
    }

    fn check_successor(&self, message: &Value, seq: i64) -> Result<StreamPosition, StreamError> {
        let held = self.position.ok_or(StreamError::BeforeSnapshot)?;
        let prev = message["prev"].as_i64();
        if prev != Some(held.seq) {
            let held = held.seq;
            return Err(StreamError::PrevIsNotHeld { prev, held });
        }
        if seq <= held.seq {
            let held = held.seq;
            return Err(StreamError::SeqDoesNotAdvance { seq, held });
        }
        Ok(StreamPosition { seq, ..held })
    }

    fn apply_bars(&mut self, message: &Value) -> Result<Vec<BarChange>, StreamError> {
        let bars = message["bars"].as_array();
        let bars = bars.ok_or(StreamError::Malformed("a message without bars"))?;
        let changes = bars.iter().map(|bar| self.apply_bar(bar.clone()));
        changes.collect()
    }

    fn apply_bar(&mut self, json: Value) -> Result<BarChange, StreamError> {
        let mut bar = Bar::from_json(json)?;
        let kind = ChangeKind::from_json(bar.remove_field("kind").as_ref())?;
        let held = self.stream_bars.get(bar.start());
        let previous_through = held.map(Bar::through);
        if kind == ChangeKind::Delta {
            let Some(held) = held else {
                return Err(StreamError::DeltaOfUnknownBar(bar.start().to_owned()));
            };
            let mut whole = held.clone();
            whole.apply_delta(bar);
            bar = whole;
        }
        self.stream_bars.insert(bar.start().to_owned(), bar.clone());
        self.keep_newest(bar.clone());
        Ok(BarChange {
            kind,
            bar,
            previous_through,
        })
    }

    fn keep_newest(&mut self, bar: Bar) {
        let known = self.newest_bars.get(bar.start());
        if known.is_none_or(|known| known.through() < bar.through()) {
            self.newest_bars.insert(bar.start().to_owned(), bar);
        }
    }
}

impl ChangeKind {
    fn from_json(kind: Option<&Value>) -> Result<Self, StreamError> {
        let Some(kind) = kind else {
            return Ok(Self::Snapshot);
        };
        match kind.as_str() {
            Some("bar") => Ok(Self::Bar),
            Some("delta") => Ok(Self::Delta),
            Some("close") => Ok(Self::Close),
            Some("correction") => Ok(Self::Correction),
            _ => Err(StreamError::Malformed("a bar of an unknown kind")),
        }
    }

    /// Returns the name that the protocol gives it; `snapshot` for bars of a snapshot.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Bar => "bar",
            Self::Delta => "delta",
            Self::Close => "close",
            Self::Correction => "correction",
        }
    }
}

#[cfg(test)]
mod tests;
