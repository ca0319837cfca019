//! What a client holds of one channel, and the rules by which messages change it.

use std::collections::BTreeMap;

use schemas::api::{BarChangeJson, BarChangeKind, BarJson, PositionJson, StreamMessage};

use super::error::StreamProtocolError;
use super::position::StreamPosition;

/// What a client holds of one channel.
#[derive(Debug, Clone, Default)]
pub struct ChannelState {
    position: Option<StreamPosition>,
    /// The generation of the venue in the last snapshot, which outlives a position that cannot be
    /// trusted.
    generation: Option<u16>,
    /// The state of each bar that the stream sent last, by start. Deltas change these.
    stream_bars: BTreeMap<String, BarJson>,
    /// The state of each bar with the greatest `through` that either the stream or REST sent. Kept
    /// apart from `stream_bars`: a delta applied to a newer state from REST would mix two states.
    newest_state_of_each_bar: BTreeMap<String, BarJson>,
    /// Where earlier epochs of `trades` ended. States at or beyond an end were never stored.
    epoch_ends: Vec<PositionJson>,
    /// The number of snapshots after which the bars have to be read over REST.
    history_requests: u64,
    /// `history_requests` when the bars were last read.
    history_served: u64,
}

/// A request to read all bars of a channel over REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryRequest {
    number: u64,
    /// The generation of the channel's venue whose bars are to be read. The name alone may mean
    /// another one to the pod that is asked.
    pub generation: u16,
}

/// A message that was applied.
#[derive(Debug, Clone, Default)]
pub struct AppliedMessage {
    /// `recovered` of a snapshot; `None` for other messages and for a first subscription.
    pub recovered: Option<bool>,
    /// The bars that the message changed, in its order.
    pub changes: Vec<AppliedBarChange>,
}

/// A bar that a message changed.
#[derive(Debug, Clone)]
pub struct AppliedBarChange {
    /// How the message changed the bar; `None` in a snapshot.
    pub kind: Option<BarChangeKind>,
    /// The whole bar after the change.
    pub bar: BarJson,
    /// `through` of the state that the stream sent before; `None` if it sent none.
    pub previous_through: Option<PositionJson>,
}

impl ChannelState {
    /// Returns the position to resume from; `None` before the first snapshot.
    #[must_use]
    pub const fn position(&self) -> Option<StreamPosition> {
        self.position
    }

    /// Returns the newest state of each bar, in the order of their starts, including bars that
    /// cancels have emptied.
    pub fn newest_state_of_each_bar(&self) -> impl Iterator<Item = &BarJson> {
        self.newest_state_of_each_bar.values()
    }

    /// Returns a request if the bars have to be read over REST, until the response is passed to
    /// [`ChannelState::apply_history`].
    #[must_use]
    pub fn history_request(&self) -> Option<HistoryRequest> {
        let number = self.history_requests;
        let generation = self.generation.unwrap_or(1);
        (number > self.history_served).then_some(HistoryRequest { number, generation })
    }

    /// Applies the bars that REST returned after the caller was given `request`.
    ///
    /// If a snapshot has made another request necessary meanwhile, that one stays open: its bars
    /// have to be read after its snapshot, so that no change is missed. The request itself stays
    /// open if the pod has returned a state beyond the end of an epoch: it does not know the end
    /// yet, and has put that state in the place of the one that counts. It will within about a
    /// second.
    ///
    /// Bars of another generation of the venue than the one that the last snapshot named are
    /// dropped.
    pub fn apply_history(&mut self, request: HistoryRequest, bars: Vec<BarJson>) {
        if self.generation != Some(request.generation) {
            return;
        }
        let is_outdated = bars.iter().any(|bar| self.is_beyond_epoch_end(bar));
        for bar in bars {
            self.keep_if_newest(bar);
        }
        if is_outdated {
            return;
        }
        self.history_served = self.history_served.max(request.number);
    }

    /// Applies a message of the stream.
    ///
    /// # Errors
    /// [`StreamProtocolError`], if the message breaks a rule of the stream. The client then
    /// subscribes again from [`ChannelState::position`], which is `None` if what it holds cannot be
    /// trusted.
    pub fn apply_message(
        &mut self,
        message: StreamMessage,
    ) -> Result<AppliedMessage, StreamProtocolError> {
        match message {
            StreamMessage::Snapshot {
                epoch,
                seq,
                generation,
                recovered,
                epoch_ends,
                bars,
                ..
            } => {
                let sent = StreamPosition {
                    epoch,
                    generation,
                    seq,
                };
                self.apply_snapshot(sent, recovered, &epoch_ends, bars)
            }
            StreamMessage::Bars {
                seq, prev, bars, ..
            } => self.apply_changes(seq, prev, bars),
            StreamMessage::Error { code, detail, .. } => {
                Err(StreamProtocolError::Refused { code, detail })
            }
        }
    }

    fn apply_snapshot(
        &mut self,
        sent: StreamPosition,
        recovered: Option<bool>,
        epoch_ends: &[PositionJson],
        bars: Vec<BarJson>,
    ) -> Result<AppliedMessage, StreamProtocolError> {
        if self.generation.is_some_and(|held| held != sent.generation) {
            self.newest_state_of_each_bar.clear();
            self.position = None;
        }
        self.generation = Some(sent.generation);
        if recovered == Some(true) {
            let held = self.position;
            let continues = |held: StreamPosition| held.epoch == sent.epoch && held.seq <= sent.seq;
            if !held.is_some_and(continues) {
                return Err(StreamProtocolError::RecoveredElsewhere { sent, held });
            }
        } else {
            self.stream_bars.clear();
            self.history_requests += 1;
        }
        self.position = Some(sent);
        self.drop_states_beyond(epoch_ends);
        let bars = bars.into_iter();
        let changes = bars.map(|bar| self.replace_bar(None, bar)).collect();
        Ok(AppliedMessage { recovered, changes })
    }

    fn apply_changes(
        &mut self,
        seq: i64,
        prev: i64,
        bars: Vec<BarChangeJson>,
    ) -> Result<AppliedMessage, StreamProtocolError> {
        let position = self.position.ok_or(StreamProtocolError::BeforeSnapshot)?;
        let held = position.seq;
        if prev != held {
            return Err(StreamProtocolError::PrevIsNotHeld { prev, held });
        }
        if seq <= held {
            return Err(StreamProtocolError::SeqDoesNotAdvance { seq, held });
        }
        // If a bar cannot be applied, only a new snapshot makes up for the rest of the message.
        self.position = None;
        let bars = bars.into_iter();
        let changes = bars.map(|bar| self.apply_bar(bar));
        let changes = changes.collect::<Result<_, _>>()?;
        self.position = Some(StreamPosition { seq, ..position });
        Ok(AppliedMessage {
            recovered: None,
            changes,
        })
    }

    fn apply_bar(
        &mut self,
        change: BarChangeJson,
    ) -> Result<AppliedBarChange, StreamProtocolError> {
        let (kind, start) = (change.kind, change.start.clone());
        let held = self.stream_bars.get(&start);
        if kind == BarChangeKind::Delta && held.is_none() {
            return Err(StreamProtocolError::DeltaOfUnknownBar(start));
        }
        match change.apply_to(held) {
            Some(bar) => Ok(self.replace_bar(Some(kind), bar)),
            None => Err(StreamProtocolError::IncompleteBar(start)),
        }
    }

    fn replace_bar(&mut self, kind: Option<BarChangeKind>, bar: BarJson) -> AppliedBarChange {
        let previous = self.stream_bars.insert(bar.start.clone(), bar.clone());
        self.keep_if_newest(bar.clone());
        AppliedBarChange {
            kind,
            bar,
            previous_through: previous.and_then(|previous| previous.through),
        }
    }

    /// Drops the states beyond the ends of epochs. If there were any, the bars have to be read over
    /// REST: each such state had replaced one that counts.
    fn drop_states_beyond(&mut self, epoch_ends: &[PositionJson]) {
        for end in epoch_ends {
            if !self.epoch_ends.contains(end) {
                self.epoch_ends.push(*end);
            }
        }
        let ends = &self.epoch_ends;
        let counts = |bar: &BarJson| !is_beyond(ends, bar);
        let held = self.newest_state_of_each_bar.len();
        self.newest_state_of_each_bar.retain(|_, bar| counts(bar));
        self.stream_bars.retain(|_, bar| counts(bar));
        if self.newest_state_of_each_bar.len() < held {
            self.history_requests += 1;
        }
    }

    fn is_beyond_epoch_end(&self, bar: &BarJson) -> bool {
        is_beyond(&self.epoch_ends, bar)
    }

    fn keep_if_newest(&mut self, bar: BarJson) {
        if self.is_beyond_epoch_end(&bar) {
            return;
        }
        let known = self.newest_state_of_each_bar.get(&bar.start);
        if known.is_none_or(|known| known.through < bar.through) {
            self.newest_state_of_each_bar.insert(bar.start.clone(), bar);
        }
    }
}

/// Returns whether `through` of a bar is at or beyond the end of its epoch.
fn is_beyond(ends: &[PositionJson], bar: &BarJson) -> bool {
    let through = bar.through.as_ref();
    through.is_some_and(|through| {
        let mut ends = ends.iter();
        ends.any(|end| end.epoch == through.epoch && end.offset <= through.offset)
    })
}

#[cfg(test)]
mod tests;
