//! What is sent to clients, in MessagePack or JSON.

use bytes::Bytes;
use market::BarRow;
use schemas::api::{BarJson, StreamMessage};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Subscription;

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// MessagePack, with maps keyed by field names.
    MessagePack,
    /// JSON.
    Json,
}

impl Encoding {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::MessagePack, Self::Json];

    /// The bytes of a value.
    pub fn write(self, value: &impl Serialize) -> Bytes {
        match self {
            Self::MessagePack => rmp_serde::to_vec_named(value).expect("in memory").into(),
            Self::Json => serde_json::to_vec(value).expect("in memory").into(),
        }
    }
}

/// An encoded message. A clone shares its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The sequence number that a client holds once it has read the message.
    pub seq: i64,
    /// As they go on the wire.
    pub bytes: Bytes,
}

impl Message {
    /// The state of a channel, or what changed of it for a client that comes back.
    pub(super) fn snapshot(
        subscription: &Subscription,
        epoch: u64,
        recovered: Option<bool>,
        rows: &[BarRow],
        encoding: Encoding,
    ) -> Self {
        let bars = rows
            .iter()
            .map(|row| BarJson::from_row(row, subscription.partition));
        let message: StreamMessage<()> = StreamMessage::Snapshot {
            channel: subscription.name.to_string(),
            epoch,
            seq: subscription.seq,
            recovered,
            bars: bars.collect(),
        };
        Self {
            seq: subscription.seq,
            bytes: encoding.write(&message),
        }
    }

    /// What changed of a channel since the message that the subscriber holds.
    pub(super) fn bars(
        subscription: &Subscription,
        seq: i64,
        entries: Vec<Entry>,
        encoding: Encoding,
    ) -> Self {
        let message = StreamMessage::Bars {
            channel: subscription.name.to_string(),
            seq,
            prev: subscription.seq,
            bars: entries,
        };
        Self {
            seq,
            bytes: encoding.write(&message),
        }
    }
}

/// A bar in a message: whole, or what changed of it.
#[derive(Debug)]
pub(super) struct Entry {
    kind: &'static str,
    now: BarJson,
    /// The state that the change is from; none where the bar is whole.
    before: Option<BarJson>,
}

impl Entry {
    /// A bar for those who hold an earlier state of it, or, where there is none, for anyone.
    /// Closes and corrections are whole.
    pub(super) fn change(row: &BarRow, before: Option<&BarRow>, partition: u32) -> Self {
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
            now: BarJson::from_row(row, partition),
            before: before.map(|before| BarJson::from_row(before, partition)),
        }
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Writes the fields that differ.
        macro_rules! changed {
            ($map:ident, $($field:ident),+) => {$(
                if self.before.as_ref().is_none_or(|before| before.$field != self.now.$field) {
                    $map.serialize_entry(stringify!($field), &self.now.$field)?;
                }
            )+};
        }
        /// How many fields differ.
        macro_rules! count {
            ($($field:ident),+) => {
                0 $(+ usize::from(
                    self.before.as_ref().is_none_or(|before| before.$field != self.now.$field)
                ))+
            };
        }
        macro_rules! fields {
            ($apply:ident $(, $map:ident)?) => {
                $apply!(
                    $($map,)? end, open, high, low, close, volume, buy_volume, sell_volume,
                    notional, vwap, trades, first_trade_id, last_trade_id, revision, closed,
                    through
                )
            };
        }
        let mut map = serializer.serialize_map(Some(2 + fields!(count)))?;
        map.serialize_entry("kind", self.kind)?;
        map.serialize_entry("start", &self.now.start)?;
        fields!(changed, map);
        map.end()
    }
}
