//! The messages of the live stream, `GET /api/v1/stream`, in both directions.
//!
//! They are JSON or MessagePack maps of the same members. `docs/stream.md` says how a client
//! follows them.

use serde::{Deserialize, Deserializer, Serialize};

use super::bars::{BarJson, PositionJson};

/// A message that a client sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum StreamRequest {
    /// Starts sending the messages of channels.
    Subscribe {
        /// The channels.
        channels: Vec<ChannelSubscriptionJson>,
    },
    /// Stops sending the messages of channels.
    Unsubscribe {
        /// The names of the channels.
        channels: Vec<String>,
    },
}

/// A channel to subscribe to. A client that holds a message of the channel names it by `epoch` and
/// `seq`, and by `generation` if its snapshot had one, to receive what changed since then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSubscriptionJson {
    /// The name, `bars:{venue}:{symbol}:{interval}`.
    pub channel: String,
    /// The epoch of the last snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// The sequence number of the last message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
    /// The generation of the venue in the last snapshot; 1 if left out.
    #[serde(
        default = "first_generation",
        skip_serializing_if = "is_first_generation"
    )]
    pub generation: u16,
}

/// Returns the number of a venue's first generation.
const fn first_generation() -> u16 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_first_generation(generation: &u16) -> bool {
    *generation == first_generation()
}

/// A message that the server sends. The type parameter `Change` is the type of a changed bar: a
/// client reads [`BarChangeJson`], and the server writes its own type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StreamMessage<Change = BarChangeJson> {
    /// The response to a subscription: the newest bars of the channel, or what changed of them.
    Snapshot {
        /// The name of the channel.
        channel: String,
        /// The generation of `bar-updates`; 0 if no pod can continue from this message.
        epoch: u64,
        /// The sequence number of this message.
        seq: i64,
        /// The generation of the venue that the channel's name means now; 1 if left out. If it is
        /// another than before, nothing that the client holds of the channel counts any more.
        #[serde(
            default = "first_generation",
            skip_serializing_if = "is_first_generation"
        )]
        generation: u16,
        /// Whether `bars` is exactly what changed since the message that the client named. Left
        /// out if the client named none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recovered: Option<bool>,
        /// Where earlier generations of `trades` ended in the channel's partition: for each, the
        /// position of the first record that was never folded. A client drops every state of a bar
        /// whose `through` has that epoch and that offset or a greater one, and takes no such state
        /// later. Left out if there are none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        epoch_ends: Vec<PositionJson>,
        /// The bars, each whole.
        bars: Vec<BarJson>,
    },
    /// What changed in a channel since the message `prev`.
    Bars {
        /// The name of the channel.
        channel: String,
        /// The sequence number of this message.
        seq: i64,
        /// The sequence number of the message before, to which this one applies.
        prev: i64,
        /// The changed bars.
        bars: Vec<Change>,
    },
    /// The server did not carry out a request.
    Error {
        /// The reason, one of a closed set.
        code: String,
        /// What is wrong and what would be accepted, for people.
        detail: String,
        /// The channel that the request named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<String>,
    },
}

/// How a `bars` message changes a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BarChangeKind {
    /// The members that differ from the state that the client holds.
    Delta,
    /// The whole bar, which is still forming.
    Bar,
    /// The whole bar, which has just closed.
    Close,
    /// The whole bar, which changed after its close.
    Correction,
}

/// A changed bar as a client reads it. Members that a delta leaves out are `None`; members that
/// may be `null` are doubly optional.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BarChangeJson {
    /// Whether the bar is whole.
    pub kind: BarChangeKind,
    /// The bar's label.
    pub start: String,
    /// [`BarJson::end`].
    pub end: Option<String>,
    /// [`BarJson::open`].
    pub open: Option<String>,
    /// [`BarJson::high`].
    pub high: Option<String>,
    /// [`BarJson::low`].
    pub low: Option<String>,
    /// [`BarJson::close`].
    pub close: Option<String>,
    /// [`BarJson::volume`].
    pub volume: Option<String>,
    /// [`BarJson::buy_volume`].
    pub buy_volume: Option<String>,
    /// [`BarJson::sell_volume`].
    pub sell_volume: Option<String>,
    /// [`BarJson::notional`].
    pub notional: Option<String>,
    /// [`BarJson::vwap`].
    #[serde(default, deserialize_with = "deserialize_nullable_member")]
    pub vwap: Option<Option<String>>,
    /// [`BarJson::trades`].
    pub trades: Option<u64>,
    /// [`BarJson::first_trade_id`].
    #[serde(default, deserialize_with = "deserialize_nullable_member")]
    pub first_trade_id: Option<Option<String>>,
    /// [`BarJson::last_trade_id`].
    #[serde(default, deserialize_with = "deserialize_nullable_member")]
    pub last_trade_id: Option<Option<String>>,
    /// [`BarJson::revision`].
    pub revision: Option<u64>,
    /// [`BarJson::closed`].
    pub closed: Option<bool>,
    /// [`BarJson::provable`].
    pub provable: Option<bool>,
    /// [`BarJson::through`].
    #[serde(default, deserialize_with = "deserialize_nullable_member")]
    pub through: Option<Option<PositionJson>>,
}

/// Tells a member that is `null` from a missing one: returns `Some(None)` for `null`, and
/// `Some(Some(value))` for a value. It is not called for a missing member, which is `None`.
fn deserialize_nullable_member<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

impl BarChangeJson {
    /// Returns the bar after the change. `held` is the state of the bar that the client holds; a
    /// change that is not a delta does not need it.
    ///
    /// Returns `None` if a member is neither in the change nor in the held state.
    #[must_use]
    pub fn apply_to(self, held: Option<&BarJson>) -> Option<BarJson> {
        let held = held.filter(|_| self.kind == BarChangeKind::Delta);
        macro_rules! newest {
            ($field:ident) => {
                self.$field
                    .or_else(|| held.map(|held| held.$field.clone()))?
            };
        }
        Some(BarJson {
            end: newest!(end),
            open: newest!(open),
            high: newest!(high),
            low: newest!(low),
            close: newest!(close),
            volume: newest!(volume),
            buy_volume: newest!(buy_volume),
            sell_volume: newest!(sell_volume),
            notional: newest!(notional),
            vwap: newest!(vwap),
            trades: newest!(trades),
            first_trade_id: newest!(first_trade_id),
            last_trade_id: newest!(last_trade_id),
            revision: newest!(revision),
            closed: newest!(closed),
            provable: self
                .provable
                .or_else(|| held.map(|held| held.provable))
                .unwrap_or(true),
            filled: false,
            through: newest!(through),
            start: self.start,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_changes_only_the_members_it_has() {
        let held = BarJson::flat(0, 60_000_000_000, "5", false);
        let delta = r#"{"kind":"delta","start":"1970-01-01T00:00:00Z","close":"6",
            "vwap":"5.5","through":{"epoch":1,"offset":7}}"#;
        let change: BarChangeJson = serde_json::from_str(delta).unwrap();
        let bar = change.clone().apply_to(Some(&held)).unwrap();
        let expected = BarJson {
            close: "6".to_owned(),
            vwap: Some("5.5".to_owned()),
            through: Some(PositionJson {
                epoch: 1,
                offset: 7,
            }),
            filled: false,
            start: "1970-01-01T00:00:00Z".to_owned(),
            ..held
        };
        assert_eq!(bar, expected);
        assert_eq!(change.apply_to(None), None);
        let emptied = r#"{"kind":"delta","start":"1970-01-01T00:00:00Z","vwap":null}"#;
        let change: BarChangeJson = serde_json::from_str(emptied).unwrap();
        assert_eq!(change.apply_to(Some(&bar)).unwrap().vwap, None);
    }

    #[test]
    fn messages_are_told_apart_by_their_type() {
        let error = r#"{"type":"error","code":"not_subscribed","detail":"…","channel":"x"}"#;
        let message: StreamMessage = serde_json::from_str(error).unwrap();
        assert!(
            matches!(&message, StreamMessage::Error { channel: Some(name), .. } if name == "x")
        );
        let bars = r#"{"type":"bars","channel":"x","seq":2,"prev":1,"bars":[]}"#;
        let message: StreamMessage = serde_json::from_str(bars).unwrap();
        assert!(matches!(
            message,
            StreamMessage::Bars {
                seq: 2,
                prev: 1,
                ..
            }
        ));
    }
}
