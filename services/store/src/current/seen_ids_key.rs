//! The key of the ids that were seen: what an id is unique within.

use std::sync::Arc;

use market::TradeIdentity;

/// What an id is unique within.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SeenIdsKey {
    /// The end of the event-time hour or day that the ids belong to; `i64::MAX` if they
    /// belong to none.
    pub(super) until_ns: i64,
    /// The exchange or the file.
    scope: Option<Arc<str>>,
    /// The sender key, if the ids are indexes of a sender.
    sender: Option<[u8; 16]>,
}

impl SeenIdsKey {
    pub(super) fn from_identity(identity: &TradeIdentity<'_>) -> Self {
        Self {
            until_ns: identity.bucket_ns.map_or(i64::MAX, |(_, end_ns)| end_ns),
            scope: identity.scope.cloned(),
            sender: identity.sender_key,
        }
    }
}
