//! Which ids were seen.

mod id_digest;
mod id_in_segment;
mod packed_ids;
mod range_set;
mod segment;
mod segmented_ids;
mod segmented_set;

use market::{HORIZON_NS, TradeIdRef};
use store::{IdSegmentStart, IdSetWrites, StoredIdSegment, StoredIdSet};

use super::applied_at::AppliedAt;
use range_set::RangeSet;
use segmented_ids::SegmentedIds;

pub(crate) use id_digest::IdDigestKey;
pub(crate) use segmented_set::{MissingSegment, ResidentSegment};

/// A set of ids: numbers as ranges, or ids one by one in segments.
#[derive(Debug)]
pub(crate) struct IdSet {
    content: IdSetContent,
    /// When the newest trade of the set was appended.
    last_append_ns: i64,
    /// The number of the commit that came next when it was last used.
    used: u64,
}

#[derive(Debug)]
enum IdSetContent {
    Ranges(RangeSet),
    Segments(SegmentedIds),
}

impl IdSet {
    /// Returns a stored set whose ids are kept as ranges.
    pub(crate) fn from_ranges(stored: &StoredIdSet, used_before_commit: u64) -> Self {
        Self {
            content: IdSetContent::Ranges(RangeSet::new(stored)),
            last_append_ns: stored.last_append_ns,
            used: used_before_commit,
        }
    }

    /// Returns a stored set whose ids are kept one by one. None of them is in memory yet.
    pub(crate) fn from_segments(stored: &StoredIdSet, used_before_commit: u64) -> Self {
        Self {
            content: IdSetContent::Segments(SegmentedIds::from_stored(&stored.segments)),
            last_append_ns: stored.last_append_ns,
            used: used_before_commit,
        }
    }

    /// Inserts an id. Returns `false` if it was seen before.
    ///
    /// # Errors
    /// [`MissingSegment`] if the segment that it belongs to is not in memory.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        id: TradeIdRef<'_>,
        key: &IdDigestKey,
        at: AppliedAt,
    ) -> Result<bool, MissingSegment> {
        let is_new = match (&mut self.content, id) {
            (IdSetContent::Ranges(ranges), TradeIdRef::Number(number)) => ranges.insert(number),
            (IdSetContent::Segments(ids), id) => ids.insert(id, key, at.position().offset)?,
            // The settings reject ids that are not numbers if ids are contiguous.
            (IdSetContent::Ranges(_), TradeIdRef::Other(_)) => false,
        };
        if is_new {
            self.last_append_ns = at.greatest_append_time_ns();
            self.used = at.commit_number();
        }
        Ok(is_new)
    }

    /// Returns the segment of an id if it is not in memory.
    pub(crate) fn missing_segment(
        &self,
        id: TradeIdRef<'_>,
        key: &IdDigestKey,
    ) -> Option<MissingSegment> {
        match &self.content {
            IdSetContent::Ranges(_) => None,
            IdSetContent::Segments(ids) => ids.missing_segment(id, key),
        }
    }

    /// Returns whether an id was seen. Its segment has to be in memory.
    pub(crate) fn contains(
        &mut self,
        id: TradeIdRef<'_>,
        key: &IdDigestKey,
        at: AppliedAt,
    ) -> bool {
        match (&mut self.content, id) {
            (IdSetContent::Ranges(ranges), TradeIdRef::Number(number)) => ranges.contains(number),
            (IdSetContent::Segments(ids), id) => ids.contains(id, key, at.position().offset),
            (IdSetContent::Ranges(_), TradeIdRef::Other(_)) => false,
        }
    }

    /// Puts the stored ids of a segment into memory, unless newer ones are there.
    pub(crate) fn accept_segment(
        &mut self,
        start: IdSegmentStart,
        stored: StoredIdSegment,
        used_at_offset: u64,
    ) {
        if let IdSetContent::Segments(ids) = &mut self.content {
            ids.accept_loaded(start, stored, used_at_offset);
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

    /// Records that the set is used before a commit.
    pub(crate) const fn mark_used(&mut self, commit_number: u64) {
        self.used = commit_number;
    }

    /// Returns whether the set has to stay in memory: it has changes to store, or was used since
    /// the commit `before_commit_number`.
    pub(crate) fn must_stay_in_memory(&self, before_commit_number: u64) -> bool {
        self.has_untaken_changes() || self.used >= before_commit_number
    }

    /// Takes the ids inserted since the last call. They are committed by the commit
    /// `commit_number`.
    pub(crate) fn take_change(&mut self, commit_number: u64) -> Option<IdSetWrites> {
        match &mut self.content {
            IdSetContent::Ranges(ranges) => ranges.take_change(),
            IdSetContent::Segments(ids) => ids.take_change(commit_number),
        }
    }

    fn has_untaken_changes(&self) -> bool {
        match &self.content {
            IdSetContent::Ranges(ranges) => ranges.has_untaken_changes(),
            IdSetContent::Segments(ids) => ids.has_untaken_changes(),
        }
    }

    /// Returns about how many rows the next change contains.
    pub(crate) fn unwritten_row_count(&self) -> usize {
        match &self.content {
            IdSetContent::Ranges(ranges) => ranges.changed_range_count(),
            IdSetContent::Segments(ids) => ids.changed_segment_count(),
        }
    }

    /// Removes all ids, because they are beyond the horizon.
    pub(crate) fn clear(&mut self) {
        match &mut self.content {
            IdSetContent::Ranges(ranges) => ranges.clear(),
            IdSetContent::Segments(ids) => ids.clear(),
        }
    }

    /// Adds the segments that may leave memory now or after a commit to `segments`.
    pub(crate) fn add_resident_segments(
        &self,
        commit_number: u64,
        segments: &mut Vec<ResidentSegment>,
    ) {
        if let IdSetContent::Segments(ids) = &self.content {
            ids.add_resident(commit_number, segments);
        }
    }

    /// Drops the ids of the segments that may leave memory and were not used after the record at
    /// an offset. Returns how many segments those are.
    pub(crate) fn evict_segments_and_count_evicted(
        &mut self,
        used_until_offset: u64,
        commit_number: u64,
    ) -> u64 {
        match &mut self.content {
            IdSetContent::Ranges(_) => 0,
            IdSetContent::Segments(ids) => {
                ids.evict_and_count_evicted(used_until_offset, commit_number)
            }
        }
    }

    /// Returns the memory that the ids use, in bytes. Ranges are not counted.
    pub(crate) fn resident_bytes(&self) -> usize {
        match &self.content {
            IdSetContent::Ranges(_) => 0,
            IdSetContent::Segments(ids) => ids.resident_bytes(),
        }
    }
}

#[cfg(test)]
mod tests;
