//! Which set of ids an identity belongs to.

use std::fmt::Write;
use std::sync::Arc;

use market::{HOUR_NS, Instrument, Interval, TradeIdentity};
use store::{AMENDMENTS_SCOPE, IdSetKey};

/// Returns the key of the set that contains a trade's identity.
pub(crate) fn trade_id_set_key(instrument: &Instrument, identity: &TradeIdentity<'_>) -> IdSetKey {
    let scope = match (identity.scope, identity.sender_key) {
        (Some(scope), _) => Arc::clone(scope),
        (None, Some(sender)) => sender_scope(&sender).into(),
        (None, None) => Arc::from(""),
    };
    IdSetKey {
        instrument: instrument.clone(),
        scope,
        bucket_ns: identity.bucket_ns.map_or(-1, |(start_ns, _)| start_ns),
    }
}

/// Returns the key of the set of the amendments' own ids of an event-time hour.
pub(crate) fn amendment_id_set_key(instrument: &Instrument, time_ns: i64) -> IdSetKey {
    IdSetKey {
        instrument: instrument.clone(),
        scope: Arc::from(AMENDMENTS_SCOPE),
        bucket_ns: Interval::H1.window_containing(time_ns).start_ns,
    }
}

/// Returns the scope of a sender's own indexes: longer than the 64 bytes that any other scope may
/// have.
fn sender_scope(key: &[u8]) -> String {
    let digest = key.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    format!("sender:{digest} (its indexes, not ids of the venue)")
}

/// What a set of ids is unique within, to be compared with an identity without building a key.
#[derive(Debug, Default)]
pub(crate) struct IdentityScope {
    scope: Option<Arc<str>>,
    sender: Option<[u8; 16]>,
    bucket_ns: Option<(i64, i64)>,
}

impl IdentityScope {
    pub(crate) fn new(identity: &TradeIdentity<'_>) -> Self {
        Self {
            scope: identity.scope.cloned(),
            sender: identity.sender_key,
            bucket_ns: identity.bucket_ns,
        }
    }

    /// Returns whether an identity belongs to the same set.
    #[inline]
    pub(crate) fn contains(&self, identity: &TradeIdentity<'_>) -> bool {
        self.bucket_ns == identity.bucket_ns
            && self.sender == identity.sender_key
            && self.scope.as_ref() == identity.scope
    }

    /// Returns whether it is the event-time hour that contains a time, without a scope or sender.
    #[inline]
    pub(crate) const fn is_hour_without_scope(&self, time_ns: i64) -> bool {
        match self.bucket_ns {
            Some((start_ns, end_ns)) => {
                start_ns <= time_ns
                    && time_ns < end_ns
                    && end_ns - start_ns == HOUR_NS
                    && self.scope.is_none()
                    && self.sender.is_none()
            }
            None => false,
        }
    }

    /// Returns whether it is an hour or a day.
    #[inline]
    pub(crate) const fn has_bucket(&self) -> bool {
        self.bucket_ns.is_some()
    }
}
