//! Sequence numbers of messages: offsets of `bar-updates` as signed integers, so that -1 stands
//! before the first.

/// The sequence number before the first message.
pub(crate) const BEFORE_FIRST_MESSAGE: i64 = -1;

/// Returns the sequence number of the update at `offset`.
pub(crate) fn sequence_number(offset: u64) -> i64 {
    i64::try_from(offset).expect("offsets stay below 2^63")
}
