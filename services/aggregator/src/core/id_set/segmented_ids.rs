//! Ids one by one: numbers, and digests of other ids.

use market::{TradeId, TradeIdRef};
use store::{IdSegmentStart, IdSegmentSummary, IdSetWrites, SegmentIds, StoredIdSegment};

use super::id_digest::IdDigestKey;
use super::segment::Segment;
use super::segmented_set::{MissingSegment, ResidentSegment, SegmentedSet};

/// Ids one by one, in segments.
#[derive(Debug)]
pub(crate) struct SegmentedIds {
    numbers: SegmentedSet<u64>,
    /// The digests of ids that are no numbers; `None` while there are none.
    digests: Option<Box<SegmentedSet<u128>>>,
    /// The stored segments that the next change removes because all ids were.
    removed: Vec<IdSegmentStart>,
}

impl SegmentedIds {
    /// Returns a stored set from its segments, in order of their starts.
    pub(crate) fn from_stored(summaries: &[IdSegmentSummary]) -> Self {
        let (mut numbers, mut digests) = (Vec::new(), Vec::new());
        for summary in summaries {
            let (chunk_count, stored_bytes) = (summary.chunk_count, summary.stored_bytes);
            match summary.start {
                IdSegmentStart::Number(start) => {
                    numbers.push(Segment::stored(start, chunk_count, stored_bytes));
                }
                IdSegmentStart::Digest(start) => {
                    digests.push(Segment::stored(start, chunk_count, stored_bytes));
                }
            }
        }
        let has_digests = !digests.is_empty();
        Self {
            numbers: SegmentedSet::from_stored(numbers),
            digests: has_digests.then(|| Box::new(SegmentedSet::from_stored(digests))),
            removed: Vec::new(),
        }
    }

    /// Inserts an id. Returns `false` if it was inserted before. `used_at_offset` is that of the
    /// record.
    ///
    /// # Errors
    /// [`MissingSegment`] if its segment is not in memory.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        id: TradeIdRef<'_>,
        key: &IdDigestKey,
        used_at_offset: u64,
    ) -> Result<bool, MissingSegment> {
        match id {
            TradeIdRef::Number(number) => self.numbers.insert(number, used_at_offset),
            TradeIdRef::Other(id) => {
                let digests = self.digests.get_or_insert_with(Box::default);
                digests.insert(digest(id, key), used_at_offset)
            }
        }
    }

    /// Returns the segment of an id if it is not in memory.
    pub(crate) fn missing_segment(
        &self,
        id: TradeIdRef<'_>,
        key: &IdDigestKey,
    ) -> Option<MissingSegment> {
        match id {
            TradeIdRef::Number(number) => self.numbers.missing_segment(number),
            TradeIdRef::Other(id) => self.digests.as_ref()?.missing_segment(digest(id, key)),
        }
    }

    /// Returns whether an id was inserted. Its segment has to be in memory.
    pub(crate) fn contains(
        &mut self,
        id: TradeIdRef<'_>,
        key: &IdDigestKey,
        used_at_offset: u64,
    ) -> bool {
        match (id, &mut self.digests) {
            (TradeIdRef::Number(number), _) => self.numbers.contains(number, used_at_offset),
            (TradeIdRef::Other(id), Some(digests)) => {
                digests.contains(digest(id, key), used_at_offset)
            }
            (TradeIdRef::Other(_), None) => false,
        }
    }

    /// Puts the stored ids of a segment into memory, unless newer ones are there.
    pub(crate) fn accept_loaded(
        &mut self,
        start: IdSegmentStart,
        stored: StoredIdSegment,
        used_at_offset: u64,
    ) {
        match (start, stored.ids, &mut self.digests) {
            (IdSegmentStart::Number(start), SegmentIds::Numbers(ids), _) => {
                self.numbers
                    .accept_loaded(start, ids, stored.chunk_count, used_at_offset);
            }
            (IdSegmentStart::Digest(start), SegmentIds::Digests(ids), Some(digests)) => {
                digests.accept_loaded(start, ids, stored.chunk_count, used_at_offset);
            }
            // A store returns ids of the kind of their segment.
            _ => {}
        }
    }

    pub(crate) fn has_untaken_changes(&self) -> bool {
        !self.removed.is_empty()
            || self.numbers.has_untaken_changes()
            || self
                .digests
                .as_ref()
                .is_some_and(|set| set.has_untaken_changes())
    }

    /// Returns the number of chunks that the next change writes.
    pub(crate) fn changed_segment_count(&self) -> usize {
        let digests = self.digests.as_ref();
        self.numbers.changed_segment_count()
            + digests.map_or(0, |digests| digests.changed_segment_count())
    }

    /// Takes the changes since the last call. They are committed by the commit `commit_number`.
    pub(crate) fn take_change(&mut self, commit_number: u64) -> Option<IdSetWrites> {
        if !self.has_untaken_changes() {
            return None;
        }
        let (mut removed, mut written) = (std::mem::take(&mut self.removed), Vec::new());
        self.numbers
            .take_change(commit_number, &mut removed, &mut written);
        if let Some(digests) = &mut self.digests {
            digests.take_change(commit_number, &mut removed, &mut written);
        }
        Some(IdSetWrites::Segments { removed, written })
    }

    /// Removes all ids.
    pub(crate) fn clear(&mut self) {
        self.removed.extend(self.numbers.starts_with_chunks());
        self.numbers = SegmentedSet::new();
        if let Some(digests) = self.digests.take() {
            self.removed.extend(digests.starts_with_chunks());
        }
    }

    /// Adds the segments that may leave memory now or after a commit to `segments`.
    pub(crate) fn add_resident(&self, commit_number: u64, segments: &mut Vec<ResidentSegment>) {
        segments.extend(self.numbers.resident(commit_number));
        if let Some(digests) = &self.digests {
            segments.extend(digests.resident(commit_number));
        }
    }

    /// Drops the ids of the segments that may leave memory and were not used after the record at
    /// an offset. Returns how many segments those are.
    pub(crate) fn evict_and_count_evicted(
        &mut self,
        used_until_offset: u64,
        commit_number: u64,
    ) -> u64 {
        let digests = self.digests.as_mut();
        self.numbers
            .evict_and_count_evicted(used_until_offset, commit_number)
            + digests.map_or(0, |digests| {
                digests.evict_and_count_evicted(used_until_offset, commit_number)
            })
    }

    /// Returns the memory that the ids use, in bytes.
    pub(crate) fn resident_bytes(&self) -> usize {
        let digests = self.digests.as_ref();
        self.numbers.resident_bytes() + digests.map_or(0, |digests| digests.resident_bytes())
    }
}

/// Returns the digest of an id that is no number.
fn digest(id: &TradeId, key: &IdDigestKey) -> u128 {
    match id {
        TradeId::Digits(text) | TradeId::Text(text) => key.digest(text),
        TradeId::Number(number) => key.digest(&number.to_string()),
    }
}
