//! The messages to clients, in MessagePack or JSON.

use bytes::Bytes;
use market::BarRow;
use schemas::api::{BarJson, PositionJson, StreamMessage};
use serde::ser::{Serialize, SerializeMap, Serializer};
use store::EpochEnds;

use super::subscription::Subscription;

/// The encoding of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEncoding {
    /// MessagePack, with maps keyed by field names.
    MessagePack,
    /// JSON.
    Json,
}

impl StreamEncoding {
    /// Both encodings.
    pub const ALL: [Self; 2] = [Self::MessagePack, Self::Json];

    /// Returns the bytes of a value.
    pub fn encode(self, value: &impl Serialize) -> Bytes {
        match self {
            Self::MessagePack => rmp_serde::to_vec_named(value).expect("in memory").into(),
            Self::Json => serde_json::to_vec(value).expect("in memory").into(),
        }
    }
}

/// An encoded message. A clone shares its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedMessage {
    /// The sequence number that a client holds after the message.
    pub seq: i64,
    /// The encoded message.
    pub bytes: Bytes,
}

impl EncodedMessage {
    /// Returns the message with the state of a channel, or with what changed in it while a client
    /// was away.
    pub(super) fn snapshot(
        subscription: &Subscription,
        epoch: u64,
        recovered: Option<bool>,
        ends: &EpochEnds,
        rows: &[BarRow],
        encoding: StreamEncoding,
    ) -> Self {
        let partition = subscription.partition();
        let bars = rows.iter().map(|row| BarJson::from_row(row, partition));
        let message: StreamMessage<OutgoingBarChange> = StreamMessage::Snapshot {
            channel: subscription.public_name().to_owned(),
            epoch,
            seq: subscription.seq(),
            generation: subscription.generation(),
            recovered,
            epoch_ends: ends.iter().map(PositionJson::from).collect(),
            bars: bars.collect(),
        };
        Self {
            seq: subscription.seq(),
            bytes: encoding.encode(&message),
        }
    }

    /// Returns the message with what changed in a channel since the message that the subscriber
    /// holds.
    pub(super) fn bars(
        subscription: &Subscription,
        seq: i64,
        changes: Vec<OutgoingBarChange>,
        encoding: StreamEncoding,
    ) -> Self {
        let message = StreamMessage::Bars {
            channel: subscription.public_name().to_owned(),
            seq,
            prev: subscription.seq(),
            bars: changes,
        };
        Self {
            seq,
            bytes: encoding.encode(&message),
        }
    }
}

/// A changed bar in a message: the whole bar, or the members that differ from an earlier state.
///
/// It is serialized by hand, because a delta is the most frequent message; clients read it as
/// [`schemas::api::BarChangeJson`].
#[derive(Debug)]
pub(super) struct OutgoingBarChange {
    kind: &'static str,
    bar: BarJson,
    /// The state to which a delta applies; `None` if the bar is whole.
    before: Option<BarJson>,
}

impl OutgoingBarChange {
    /// Returns the fields of a bar that differ from `before`, which the clients hold. Without a
    /// `before`, and for closes and corrections, it returns all fields.
    pub(super) fn new(row: &BarRow, before: Option<&BarRow>, partition: u32) -> Self {
        let kind = match (before, row.closed) {
            (Some(_), false) => "delta",
            (None, false) => "bar",
            (Some(before), true) if before.closed => "correction",
            (None, true) if row.revision > 0 => "correction",
            (_, true) => "close",
        };
        let before = before.filter(|_| kind == "delta");
        Self {
            kind,
            bar: BarJson::from_row(row, partition),
            before: before.map(|before| BarJson::from_row(before, partition)),
        }
    }
}

impl Serialize for OutgoingBarChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Writes the members that differ.
        macro_rules! write_changed {
            ($map:ident, $($field:ident),+) => {$(
                if self.before.as_ref().is_none_or(|before| before.$field != self.bar.$field) {
                    $map.serialize_entry(stringify!($field), &self.bar.$field)?;
                }
            )+};
        }
        /// Counts the members that differ.
        macro_rules! count_changed {
            ($($field:ident),+) => {
                0 $(+ usize::from(
                    self.before.as_ref().is_none_or(|before| before.$field != self.bar.$field)
                ))+
            };
        }
        macro_rules! for_each_field {
            ($apply:ident $(, $map:ident)?) => {
                $apply!(
                    $($map,)? end, open, high, low, close, volume, buy_volume, sell_volume,
                    notional, vwap, trades, first_trade_id, last_trade_id, revision, closed,
                    through
                )
            };
        }
        // A bar that is provable needs no word of it, unless the clients hold another state.
        let was_provable = self.before.as_ref().is_none_or(|before| before.provable);
        let writes_provable = was_provable != self.bar.provable;
        let members = 2 + for_each_field!(count_changed) + usize::from(writes_provable);
        let mut map = serializer.serialize_map(Some(members))?;
        map.serialize_entry("kind", self.kind)?;
        map.serialize_entry("start", &self.bar.start)?;
        for_each_field!(write_changed, map);
        if writes_provable {
            map.serialize_entry("provable", &self.bar.provable)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use market::{Bar, Decimal, Interval, Position, Trade};
    use schemas::api::{BarChangeJson, BarChangeKind};

    use super::*;

    fn row(offset: u64, price: i64, closed: bool) -> BarRow {
        let trade = Trade {
            time_ns: 0,
            price: Decimal::new(price, 0).unwrap(),
            quantity: Decimal::new(2, 0).ok(),
            side: None,
            id: None,
            scope: None,
            sender: None,
        };
        let through = Position { epoch: 1, offset };
        BarRow {
            window: Interval::M1.window_containing(0),
            bar: Bar::from_trade(&trade, through, 0),
            closed,
            revision: 0,
            provable: true,
            through,
        }
    }

    #[test]
    fn a_client_reads_a_delta_and_a_whole_bar_as_the_same_bar() {
        let name = "bars:demo:A:1m".parse().unwrap();
        let mut subscription = Subscription::new(name, 0);
        let (before, after) = (row(7, 5, false), row(8, 6, false));
        subscription.record_message(7, std::slice::from_ref(&before));
        let held = BarJson::from_row(&before, 0);
        for encoding in StreamEncoding::ALL {
            for (known, expected) in [
                (Some(&before), BarChangeKind::Delta),
                (None, BarChangeKind::Bar),
            ] {
                let changes = vec![OutgoingBarChange::new(&after, known, 0)];
                let message = EncodedMessage::bars(&subscription, 8, changes, encoding);
                let read: StreamMessage<BarChangeJson> = match encoding {
                    StreamEncoding::Json => serde_json::from_slice(&message.bytes).unwrap(),
                    StreamEncoding::MessagePack => rmp_serde::from_slice(&message.bytes).unwrap(),
                };
                let StreamMessage::Bars {
                    seq, prev, bars, ..
                } = read
                else {
                    panic!("a message of bars is expected");
                };
                assert_eq!((seq, prev, bars.len()), (8, 7, 1));
                assert_eq!(bars[0].kind, expected);
                let bar = bars[0].clone().apply_to(Some(&held)).unwrap();
                assert_eq!(bar, BarJson::from_row(&after, 0));
            }
        }
    }
}
