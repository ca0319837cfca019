//! Which ids were seen.

mod range_set;

use foldhash::fast::RandomState;
use hashbrown::HashSet;
use market::{HORIZON_NS, TradeId, TradeIdRef};
use store::{IdSetRow, IdSetWrites};

use range_set::RangeSet;

/// A set of ids: numbers as ranges, or ids one by one.
#[derive(Debug)]
pub(crate) struct IdSet {
    content: IdSetContent,
    /// When the newest trade of the set was appended.
    last_append_ns: i64,
    /// The generation in which it was last used.
    used: u64,
}

#[derive(Debug)]
enum IdSetContent {
    Ranges(RangeSet),
    Exact(IndividualIdSet),
}

impl IdSet {
    /// Returns a stored set whose ids are kept as ranges.
    pub(crate) fn from_ranges(row: &IdSetRow, generation: u64) -> Self {
        Self {
            content: IdSetContent::Ranges(RangeSet::new(row)),
            last_append_ns: row.last_append_ns,
            used: generation,
        }
    }

    /// Returns a stored set whose ids are kept one by one.
    pub(crate) fn from_individual_ids(row: IdSetRow, generation: u64) -> Self {
        Self {
            content: IdSetContent::Exact(IndividualIdSet {
                seen: row.exact.into_iter().collect(),
                unstored: Vec::new(),
            }),
            last_append_ns: row.last_append_ns,
            used: generation,
        }
    }

    /// Inserts an id. Returns `false` if it was seen before.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        id: TradeIdRef<'_>,
        append_time_ns: i64,
        generation: u64,
    ) -> bool {
        let is_new = match (&mut self.content, id) {
            (IdSetContent::Ranges(ranges), TradeIdRef::Number(number)) => ranges.insert(number),
            (IdSetContent::Exact(exact), id) => exact.insert(id),
            // The settings reject ids that are not numbers if ids are contiguous.
            (IdSetContent::Ranges(_), TradeIdRef::Other(_)) => false,
        };
        if is_new {
            self.last_append_ns = append_time_ns;
            self.used = generation;
        }
        is_new
    }

    /// Returns whether an id was seen.
    pub(crate) fn contains(&self, id: TradeIdRef<'_>) -> bool {
        match (&self.content, id) {
            (IdSetContent::Ranges(ranges), TradeIdRef::Number(number)) => ranges.contains(number),
            (IdSetContent::Exact(exact), id) => exact.seen.contains(&id.to_trade_id()),
            (IdSetContent::Ranges(_), TradeIdRef::Other(_)) => false,
        }
    }

    /// Returns whether the ids of an hour or a day are so old that they can be seen again.
    #[inline]
    pub(crate) const fn is_beyond_horizon(&self, append_time_ns: i64) -> bool {
        append_time_ns.saturating_sub(self.last_append_ns) > HORIZON_NS
    }

    /// Returns when the newest trade of the set was appended, in UTC nanoseconds.
    pub(crate) const fn last_append_ns(&self) -> i64 {
        self.last_append_ns
    }

    /// Records that the set is used in a generation.
    pub(crate) const fn mark_used(&mut self, generation: u64) {
        self.used = generation;
    }

    /// Returns whether the set has to stay in memory: it has changes to store, or was used since
    /// the generation `before_generation`.
    pub(crate) fn must_stay_in_memory(&self, before_generation: u64) -> bool {
        self.is_changed() || self.used >= before_generation
    }

    /// Takes the ids inserted since the last call.
    pub(crate) fn take_change(&mut self) -> Option<IdSetWrites> {
        match &mut self.content {
            IdSetContent::Ranges(ranges) => ranges.take_change(),
            IdSetContent::Exact(exact) if exact.unstored.is_empty() => None,
            IdSetContent::Exact(exact) => Some(IdSetWrites::Exact {
                added: std::mem::take(&mut exact.unstored),
            }),
        }
    }

    fn is_changed(&self) -> bool {
        match &self.content {
            IdSetContent::Ranges(ranges) => ranges.is_changed(),
            IdSetContent::Exact(exact) => !exact.unstored.is_empty(),
        }
    }

    /// Returns about how many ids or ranges the next change contains.
    pub(crate) fn unwritten_row_count(&self) -> usize {
        match &self.content {
            IdSetContent::Ranges(ranges) => ranges.changed_range_count(),
            IdSetContent::Exact(exact) => exact.unstored.len(),
        }
    }

    /// Removes all ids, because they are beyond the horizon.
    pub(crate) fn clear(&mut self) {
        match &mut self.content {
            IdSetContent::Ranges(ranges) => ranges.clear(),
            IdSetContent::Exact(exact) => exact.seen.clear(),
        }
    }
}

/// Ids one by one.
#[derive(Debug)]
struct IndividualIdSet {
    seen: HashSet<TradeId, RandomState>,
    /// The ids inserted since they were last taken to be stored.
    unstored: Vec<TradeId>,
}

impl IndividualIdSet {
    fn insert(&mut self, id: TradeIdRef<'_>) -> bool {
        let id = id.to_trade_id();
        let is_new = self.seen.insert(id.clone());
        if is_new {
            self.unstored.push(id);
        }
        is_new
    }
}

#[cfg(test)]
mod tests;
