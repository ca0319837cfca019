//! Whether a trade or an amendment was seen before.

use market::{
    IdScheme, IdScope, Instrument, Trade, TradeId, TradeIdRef, TradeIdentity, VenueSettings,
};
use store::{IdSegmentKey, IdSetChange, IdSetKey, StoredIdSegment, StoredIdSet};

use super::id_set_keys::{IdentityScope, trade_id_set_key};
use crate::core::applied_at::AppliedAt;
use crate::core::id_set::{IdDigestKey, IdSet, MissingSegment, ResidentSegment};
use crate::core::loading::{IdSegmentRequest, IdSetRequest, LoadRequest};

/// The sets of ids of one symbol that are in memory.
///
/// The set of the last trade is kept apart from the others, so that the next trade finds it without
/// a search; `current_scope` says which identities belong to it.
#[derive(Debug)]
pub(crate) struct SymbolIdSets {
    instrument: Instrument,
    digest_key: IdDigestKey,
    current_scope: IdentityScope,
    current: Option<(IdSetKey, IdSet)>,
    others: Vec<(IdSetKey, IdSet)>,
}

impl SymbolIdSets {
    pub(crate) fn new(instrument: Instrument, digest_key: IdDigestKey) -> Self {
        Self {
            instrument,
            digest_key,
            current_scope: IdentityScope::default(),
            current: None,
            others: Vec::new(),
        }
    }

    /// Returns the request to load the set of an id or the segment of the id, unless they are in
    /// memory. The set comes first: it tells which segment that is.
    pub(crate) fn load_request_if_missing(
        &self,
        key: IdSetKey,
        id: TradeIdRef<'_>,
        ranged: bool,
    ) -> Option<LoadRequest> {
        let mut sets = self.current.iter().chain(&self.others);
        match sets.find(|(known, _)| *known == key) {
            None => Some(LoadRequest::IdSet(IdSetRequest { key, ranged })),
            Some((_, set)) => {
                let missing = set.missing_segment(id, &self.digest_key)?;
                Some(segment_request(key, missing))
            }
        }
    }

    /// Returns the request to load the set or the segment of an identity, unless they are in
    /// memory.
    pub(crate) fn load_request_for_identity(
        &self,
        identity: &TradeIdentity<'_>,
    ) -> Option<LoadRequest> {
        let key = trade_id_set_key(&self.instrument, identity);
        self.load_request_if_missing(key, identity.id, identity.stored_as_ranges)
    }

    /// Puts the ids of a segment into memory, unless newer ones are there.
    pub(crate) fn accept_segment(
        &mut self,
        key: &IdSegmentKey,
        stored: StoredIdSegment,
        used_at_offset: u64,
    ) {
        let mut sets = self.current.iter_mut().chain(&mut self.others);
        if let Some((_, set)) = sets.find(|(known, _)| *known == key.set) {
            set.accept_segment(key.start, stored, used_at_offset);
        }
    }

    fn is_loaded(&self, key: &IdSetKey) -> bool {
        let mut sets = self.current.iter().chain(&self.others);
        sets.any(|(known, _)| known == key)
    }

    /// Puts a loaded set into memory, unless it is there already.
    pub(crate) fn accept_loaded(
        &mut self,
        request: IdSetRequest,
        stored: &StoredIdSet,
        commit_number: u64,
    ) {
        if self.is_loaded(&request.key) {
            return;
        }
        let set = if request.ranged {
            IdSet::from_ranges(stored, commit_number)
        } else {
            IdSet::from_segments(stored, commit_number)
        };
        self.others.push((request.key, set));
    }

    /// Inserts a trade's identity. Returns `false` if it was seen before.
    ///
    /// # Errors
    /// The request to load its set or segment, if that is not in memory.
    #[inline]
    pub(crate) fn insert_if_new(
        &mut self,
        trade: &Trade,
        settings: &VenueSettings,
        at: AppliedAt,
    ) -> Result<bool, LoadRequest> {
        let inserted = match self.number_if_in_current_set(trade, settings) {
            Some(number) => self.insert_into_current(TradeIdRef::Number(number), at),
            None => {
                let Some(identity) = settings.trade_identity(trade) else {
                    return Ok(true);
                };
                if self.current.is_none() || !self.current_scope.contains(&identity) {
                    self.make_set_current(&identity)?;
                }
                self.insert_into_current(identity.id, at)
            }
        };
        inserted.map_err(|missing| {
            let (key, _) = self.current.as_ref().expect("an id was inserted into it");
            segment_request(key.clone(), missing)
        })
    }

    /// Returns the number of a trade if it certainly belongs to the current set. This is the hot
    /// path of the most common cases: numbers that are unique within the symbol, of which all
    /// contiguous ones belong to one set, and the others to that of their event-time hour.
    #[inline]
    fn number_if_in_current_set(&self, trade: &Trade, settings: &VenueSettings) -> Option<u64> {
        let is_of_current = match (settings.scheme, settings.scope) {
            (IdScheme::Contiguous, IdScope::Symbol) => true,
            (IdScheme::Unique, IdScope::Symbol | IdScope::Day) => {
                self.current_scope.is_hour_without_scope(trade.time_ns)
            }
            _ => false,
        };
        match &trade.id {
            Some(TradeId::Number(number)) if is_of_current && self.current.is_some() => {
                Some(*number)
            }
            _ => None,
        }
    }

    /// Inserts an id into the current set, which has to be in memory.
    #[inline]
    fn insert_into_current(
        &mut self,
        id: TradeIdRef<'_>,
        at: AppliedAt,
    ) -> Result<bool, MissingSegment> {
        let (_, set) = self.current.as_mut().expect("it was made current");
        if self.current_scope.has_bucket() && set.is_beyond_horizon(at.greatest_append_time_ns()) {
            set.clear();
        }
        set.insert(id, &self.digest_key, at)
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

    /// Returns whether a trade's identity was seen. Its set and segment have to be in memory.
    pub(crate) fn contains_trade_and_mark_set_used(
        &mut self,
        identity: &TradeIdentity<'_>,
        at: AppliedAt,
    ) -> bool {
        let key = trade_id_set_key(&self.instrument, identity);
        let digest_key = self.digest_key;
        let set = self.loaded_set(&key);
        set.mark_used(at.commit_number());
        let is_expired =
            identity.bucket_ns.is_some() && set.is_beyond_horizon(at.greatest_append_time_ns());
        !is_expired && set.contains(identity.id, &digest_key, at)
    }

    /// Inserts an amendment's own id. Returns `false` if it was seen before. Its set and segment
    /// have to be in memory.
    pub(crate) fn insert_amendment_if_new(
        &mut self,
        key: &IdSetKey,
        id: &TradeId,
        at: AppliedAt,
    ) -> bool {
        let digest_key = self.digest_key;
        let inserted = self
            .loaded_set(key)
            .insert(TradeIdRef::from(id), &digest_key, at);
        inserted.expect("it was requested before")
    }

    fn loaded_set(&mut self, key: &IdSetKey) -> &mut IdSet {
        let mut sets = self.current.iter_mut().chain(&mut self.others);
        let found = sets.find(|(known, _)| known == key);
        &mut found.expect("it was requested before").1
    }

    /// Takes the ids inserted since the last call. They are committed by the commit
    /// `commit_number`.
    pub(crate) fn take_changes(&mut self, commit_number: u64, changes: &mut Vec<IdSetChange>) {
        for (key, set) in self.current.iter_mut().chain(&mut self.others) {
            let last_append_ns = set.last_append_ns();
            changes.extend(set.take_change(commit_number).map(|writes| IdSetChange {
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

    /// Drops the sets that are stored and were not used since the commit `before_commit_number`.
    /// Returns how many are left.
    pub(crate) fn evict_and_count_remaining(&mut self, before_commit_number: u64) -> usize {
        self.others.extend(self.current.take());
        self.others
            .retain(|(_, set)| set.must_stay_in_memory(before_commit_number));
        self.others.len()
    }

    /// Adds the segments that may leave memory now or after a commit to `segments`.
    pub(crate) fn add_resident_segments(
        &self,
        commit_number: u64,
        segments: &mut Vec<ResidentSegment>,
    ) {
        for (_, set) in self.current.iter().chain(&self.others) {
            set.add_resident_segments(commit_number, segments);
        }
    }

    /// Drops the ids of the segments that may leave memory and were not used after the record at
    /// an offset. Returns how many segments those are.
    pub(crate) fn evict_segments_and_count_evicted(
        &mut self,
        used_until_offset: u64,
        commit_number: u64,
    ) -> u64 {
        let sets = self.current.iter_mut().chain(&mut self.others);
        sets.map(|(_, set)| set.evict_segments_and_count_evicted(used_until_offset, commit_number))
            .sum()
    }

    /// Returns the memory that ids use, in bytes. Those that are stored as ranges are not counted.
    pub(crate) fn resident_bytes(&self) -> usize {
        let sets = self.current.iter().chain(&self.others);
        sets.map(|(_, set)| set.resident_bytes()).sum()
    }
}

/// Returns the request to load a segment of a set.
fn segment_request(set: IdSetKey, missing: MissingSegment) -> LoadRequest {
    LoadRequest::IdSegment(IdSegmentRequest {
        key: IdSegmentKey {
            set,
            start: missing.start,
        },
        stored_bytes: missing.stored_bytes,
    })
}
