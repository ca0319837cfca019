//! Where a client is in a channel.

/// The last message that a client holds of a channel, from which it can resume on any pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPosition {
    /// The generation of `bar-updates`.
    pub epoch: u64,
    /// The generation of the channel's venue.
    pub generation: u16,
    /// The sequence number; -1 before the first message.
    pub seq: i64,
}
