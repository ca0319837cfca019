//! What a trade is known by, as a key of maps.

use std::sync::Arc;

use market::TradeIdentity;

/// What an id is unique within.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SetKey {
    /// The end of the event-time hour or day that the ids belong to; `i64::MAX` where they
    /// belong to none.
    pub(super) until_ns: i64,
    /// The exchange or the file.
    scope: Option<Arc<str>>,
    /// The sender, of its own indexes.
    sender: Option<[u8; 16]>,
}

impl SetKey {
    pub(super) fn of(identity: &TradeIdentity<'_>) -> Self {
        Self {
            until_ns: identity.bucket_ns.map_or(i64::MAX, |(_, end_ns)| end_ns),
            scope: identity.scope.cloned(),
            sender: identity.sender_key,
        }
    }
}
