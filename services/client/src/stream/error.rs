//! How a message can break the rules of the stream.

use super::position::StreamPosition;

/// A message that a client cannot apply: the server has broken a rule of the stream, or a message
/// was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamProtocolError {
    /// The message has the type `error`.
    #[error("the server reports {code}: {detail}")]
    Refused {
        /// The code, such as `unknown_channel`.
        code: String,
        /// The explanation.
        detail: String,
    },
    /// The message belongs to a channel that the client has not subscribed to.
    #[error("no subscription to {0}")]
    UnknownChannel(String),
    /// A message of changes came before the first snapshot.
    #[error("a message of changes before a snapshot")]
    BeforeSnapshot,
    /// A message was lost: `prev` is not the `seq` that the client holds.
    #[error("prev is {prev}, the client holds {held}")]
    PrevIsNotHeld {
        /// `prev` of the message.
        prev: i64,
        /// `seq` of the last message that was applied.
        held: i64,
    },
    /// `seq` is not greater than the one that the client holds.
    #[error("seq {seq} is not after {held}, which the client holds")]
    SeqDoesNotAdvance {
        /// `seq` of the message.
        seq: i64,
        /// `seq` of the last message that was applied.
        held: i64,
    },
    /// A snapshot with `recovered: true` does not continue from what the client holds.
    #[error("recovered to {sent:?}, which does not continue {held:?}")]
    RecoveredElsewhere {
        /// The position of the snapshot.
        sent: StreamPosition,
        /// The position that the client holds.
        held: Option<StreamPosition>,
    },
    /// A delta of a bar that the stream has not sent whole.
    #[error("a delta of bar {0}, which was never sent whole")]
    DeltaOfUnknownBar(String),
    /// A bar that is sent whole lacks members.
    #[error("bar {0} is incomplete")]
    IncompleteBar(String),
}
