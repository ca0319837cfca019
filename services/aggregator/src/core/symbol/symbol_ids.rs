//! Whether a trade or an amendment was seen before.

use market::{
    IdScheme, IdScope, Instrument, Trade, TradeId, TradeIdRef, TradeIdentity, VenueSettings,
};
use store::{IdSetChange, IdSetKey, IdSetRow};

use super::id_set_keys::{IdentityScope, trade_id_set_key};
use crate::core::applied_at::AppliedAt;
use crate::core::id_set::IdSet;
use crate::core::loading::{IdSetRequest, LoadRequest};

/// The sets of ids of one symbol that are in memory.
///
/// The set of the last trade is kept apart from the others, so that the next trade finds it without
/// a search; `current_scope` says which identities belong to it.
#[derive(Debug)]
pub(crate) struct SymbolIdSets {
    instrument: Instrument,
    current_scope: IdentityScope,
    current: Option<(IdSetKey, IdSet)>,
    others: Vec<(IdSetKey, IdSet)>,
}

impl SymbolIdSets {
    pub(crate) fn new(instrument: Instrument) -> Self {
        Self {
            instrument,
            current_scope: IdentityScope::default(),
            current: None,
            others: Vec::new(),
        }
    }

    /// Returns the request to load a set, unless it is in memory.
    pub(crate) fn load_request_if_missing(
        &self,
        key: IdSetKey,
        ranged: bool,
    ) -> Option<LoadRequest> {
        let is_missing = !self.is_loaded(&key);
        is_missing.then_some(LoadRequest::IdSet(IdSetRequest { key, ranged }))
    }

    /// Returns the request to load the set of an identity, unless it is in memory.
    pub(crate) fn load_request_for_identity(
        &self,
        identity: &TradeIdentity<'_>,
    ) -> Option<LoadRequest> {
        let key = trade_id_set_key(&self.instrument, identity);
        self.load_request_if_missing(key, identity.stored_as_ranges)
    }

    fn is_loaded(&self, key: &IdSetKey) -> bool {
        let mut sets = self.current.iter().chain(&self.others);
        sets.any(|(known, _)| known == key)
    }

    /// Puts a loaded set into memory, unless it is there already.
    pub(crate) fn accept_loaded(&mut self, request: IdSetRequest, row: IdSetRow, generation: u64) {
        if self.is_loaded(&request.key) {
            return;
        }
        let set = if request.ranged {
            IdSet::from_ranges(&row, generation)
        } else {
            IdSet::from_individual_ids(row, generation)
        };
        self.others.push((request.key, set));
    }

    /// Inserts a trade's identity. Returns `false` if it was seen before.
    ///
    /// # Errors
    /// The request to load its set, if that is not in memory.
    #[inline]
    pub(crate) fn insert_if_new(
        &mut self,
        trade: &Trade,
        settings: &VenueSettings,
        at: AppliedAt,
    ) -> Result<bool, LoadRequest> {
        // If numbers are unique within the symbol, all belong to one set: the most common case,
        // and the hot path.
        if let (IdScheme::Contiguous, IdScope::Symbol, Some(TradeId::Number(number))) =
            (settings.scheme, settings.scope, &trade.id)
            && let Some((_, set)) = &mut self.current
        {
            let number = TradeIdRef::Number(*number);
            return Ok(set.insert(number, at.append_time_ns(), at.generation()));
        }
        let Some(identity) = settings.trade_identity(trade) else {
            return Ok(true);
        };
        if self.current.is_none() || !self.current_scope.contains(&identity) {
            self.make_set_current(&identity)?;
        }
        let (_, set) = self.current.as_mut().expect("made current above");
        if identity.bucket_ns.is_some() && set.is_beyond_horizon(at.append_time_ns()) {
            set.clear();
        }
        Ok(set.insert(identity.id, at.append_time_ns(), at.generation()))
    }

    /// Makes the set of an identity the current one.
    fn make_set_current(&mut self, identity: &TradeIdentity<'_>) -> Result<(), LoadRequest> {
        let key = trade_id_set_key(&self.instrument, identity);
        let Some(index) = self.others.iter().position(|(known, _)| *known == key) else {
            let ranged = identity.stored_as_ranges;
            return Err(LoadRequest::IdSet(IdSetRequest { key, ranged }));
        };
        let found = self.others.swap_remove(index);
        self.others.extend(self.current.replace(found));
        self.current_scope = IdentityScope::new(identity);
        Ok(())
    }

    /// Returns whether a trade's identity was seen. Its set has to be in memory.
    pub(crate) fn contains_trade_and_mark_set_used(
        &mut self,
        identity: &TradeIdentity<'_>,
        at: AppliedAt,
    ) -> bool {
        let key = trade_id_set_key(&self.instrument, identity);
        let set = self.loaded_set(&key);
        set.mark_used(at.generation());
        let is_expired = identity.bucket_ns.is_some() && set.is_beyond_horizon(at.append_time_ns());
        !is_expired && set.contains(identity.id)
    }

    /// Inserts an amendment's own id. Returns `false` if it was seen before. Its set has to be in
    /// memory.
    pub(crate) fn insert_amendment_if_new(
        &mut self,
        key: &IdSetKey,
        id: &TradeId,
        at: AppliedAt,
    ) -> bool {
        let id = id
            .as_number()
            .map_or(TradeIdRef::Other(id), TradeIdRef::Number);
        let set = self.loaded_set(key);
        set.insert(id, at.append_time_ns(), at.generation())
    }

    fn loaded_set(&mut self, key: &IdSetKey) -> &mut IdSet {
        let mut sets = self.current.iter_mut().chain(&mut self.others);
        let found = sets.find(|(known, _)| known == key);
        &mut found.expect("it was requested before").1
    }

    /// Takes the ids inserted since the last call.
    pub(crate) fn take_changes(&mut self, changes: &mut Vec<IdSetChange>) {
        for (key, set) in self.current.iter_mut().chain(&mut self.others) {
            let last_append_ns = set.last_append_ns();
            changes.extend(set.take_change().map(|writes| IdSetChange {
                key: key.clone(),
                last_append_ns,
                writes,
            }));
        }
    }

    /// Returns about how many rows the changes contain.
    pub(crate) fn unwritten_row_count(&self) -> usize {
        let sets = self.current.iter().chain(&self.others);
        sets.map(|(_, set)| set.unwritten_row_count()).sum()
    }

    /// Drops the sets that are stored and were not used since the generation `before_generation`.
    /// Returns how many are left.
    pub(crate) fn evict_and_count_remaining(&mut self, before_generation: u64) -> usize {
        self.others.extend(self.current.take());
        self.others
            .retain(|(_, set)| set.must_stay_in_memory(before_generation));
        self.others.len()
    }
}
