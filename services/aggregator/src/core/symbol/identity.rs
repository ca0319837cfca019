//! Whether a trade was seen before.

use std::sync::Arc;

use market::{
    HORIZON_NS, IdScheme, IdScope, Instrument, Interval, Trade, TradeId, TradeIdRef, TradeIdentity,
    VenueSettings,
};
use store::IdSetKey;

use super::{Moment, Symbol};
use crate::core::Need;
use crate::core::ids::IdSet;

impl Symbol {
    /// The set that a trade's identity is in, and whether that is one of ranges.
    pub(super) fn id_key(&self, identity: &TradeIdentity<'_>) -> IdSetKey {
        let scope = match (identity.scope, identity.sender_key) {
            (Some(scope), _) => Arc::clone(scope),
            (None, Some(sender)) => sender_scope(&sender).into(),
            (None, None) => Arc::from(""),
        };
        IdSetKey {
            instrument: self.instrument.clone(),
            scope,
            bucket_ns: identity.bucket_ns.map_or(-1, |(start_ns, _)| start_ns),
        }
    }

    /// Marks a trade's identity as seen; false where it was before.
    #[inline]
    pub(super) fn see(
        &mut self,
        trade: &Trade,
        settings: &VenueSettings,
        at: Moment,
    ) -> Result<bool, Need> {
        // Numbers within the symbol all belong to one set: the most common case, and the hot path.
        if let (IdScheme::Contiguous, IdScope::Symbol, Some(TradeId::Number(number))) =
            (settings.scheme, settings.scope, &trade.id)
            && let Some((_, set)) = &mut self.current_ids
        {
            let number = TradeIdRef::Number(*number);
            return Ok(set.insert(number, at.append_time_ns, at.generation));
        }
        let Some(identity) = settings.trade_identity(trade) else {
            return Ok(true);
        };
        if self.current_ids.is_none() || !self.ids_within.is_of(&identity) {
            self.turn_to(&identity)?;
        }
        let (_, set) = self.current_ids.as_mut().expect("turned to above");
        let stale = at.append_time_ns.saturating_sub(set.last_append_ns) > HORIZON_NS;
        if stale && identity.bucket_ns.is_some() {
            set.clear();
        }
        Ok(set.insert(identity.id, at.append_time_ns, at.generation))
    }

    /// Whether a trade's identity was seen. Its set is in memory.
    pub(super) fn has_seen(&mut self, identity: &TradeIdentity<'_>, at: Moment) -> bool {
        let key = self.id_key(identity);
        let set = self.ids(&key);
        let stale = at.append_time_ns.saturating_sub(set.last_append_ns) > HORIZON_NS;
        set.used = at.generation;
        !(stale && key.bucket_ns != -1) && set.holds(identity.id)
    }

    /// Marks an amendment as seen; false where it was before. Its set is in memory.
    pub(super) fn see_amendment(&mut self, key: &IdSetKey, id: &TradeId, at: Moment) -> bool {
        let set = self.ids(key);
        let member = id
            .as_number()
            .map_or(TradeIdRef::Other(id), TradeIdRef::Number);
        set.insert(member, at.append_time_ns, at.generation)
    }

    fn ids(&mut self, key: &IdSetKey) -> &mut IdSet {
        let mut sets = self.current_ids.iter_mut().chain(&mut self.other_ids);
        let found = sets.find(|(known, _)| known == key);
        &mut found.expect("it was asked for before").1
    }

    pub(super) fn turn_to(&mut self, identity: &TradeIdentity<'_>) -> Result<(), Need> {
        let key = self.id_key(identity);
        let ranged = identity.stored_as_ranges;
        let place = self.other_ids.iter().position(|(known, _)| *known == key);
        let place = place.ok_or(Need::Ids { key, ranged })?;
        let turned = self.other_ids.swap_remove(place);
        self.other_ids.extend(self.current_ids.replace(turned));
        self.ids_within = Within::of(identity);
        Ok(())
    }

    pub(super) fn has_ids(&self, key: &IdSetKey) -> bool {
        let mut sets = self.current_ids.iter().chain(&self.other_ids);
        sets.any(|(known, _)| known == key)
    }
}

/// What the ids of a set are unique within, to be compared without making a key.
#[derive(Debug, Default)]
pub(super) struct Within {
    scope: Option<Arc<str>>,
    sender: Option<[u8; 16]>,
    bucket_ns: Option<(i64, i64)>,
}

impl Within {
    fn of(identity: &TradeIdentity<'_>) -> Self {
        Self {
            scope: identity.scope.cloned(),
            sender: identity.sender_key,
            bucket_ns: identity.bucket_ns,
        }
    }

    #[inline]
    fn is_of(&self, identity: &TradeIdentity<'_>) -> bool {
        self.bucket_ns == identity.bucket_ns
            && self.sender == identity.sender_key
            && self.scope.as_ref() == identity.scope
    }
}

/// The set of the amendments' own ids of an event-time hour. Its scope is longer than the 64
/// bytes that any other may have.
pub(super) fn amendment_key(instrument: &Instrument, time_ns: i64) -> IdSetKey {
    IdSetKey {
        instrument: instrument.clone(),
        scope: Arc::from(
            "amendments (ids of edits and cancels themselves, not ids of the venue's trades)",
        ),
        bucket_ns: Interval::H1.window_containing(time_ns).start_ns,
    }
}

/// The scope of a sender's own indexes: longer than the 64 bytes that any other scope may have.
fn sender_scope(key: &[u8]) -> String {
    use std::fmt::Write;
    let digest = key.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    format!("sender:{digest} (its indexes, not ids of the venue)")
}
