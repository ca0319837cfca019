//! A set of ids of one kind, in segments that may leave memory one by one.

use store::{IdChunkWrite, IdSegmentStart};

use super::id_in_segment::IdInSegment;
use super::segment::Segment;

/// A segment that grows at its end is ended at this many ids: the part of a set that new ids need
/// stays small.
const MAX_APPENDED_IDS: usize = 8_192;
/// A segment that ids are inserted into is split above this many.
const MAX_IDS: usize = 32_768;

/// A segment whose ids are needed and not in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MissingSegment {
    pub(crate) start: IdSegmentStart,
    /// About how many bytes the store holds of it.
    pub(crate) stored_bytes: u64,
}

/// A segment whose ids are in memory and could leave it now or after a commit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResidentSegment {
    /// The offset of the record that used it last.
    pub(crate) used_at_offset: u64,
    pub(crate) resident_bytes: usize,
    /// Whether it has ids that are not committed yet, so that it cannot leave memory now.
    pub(crate) waits_for_commit: bool,
}

/// A set of ids of one kind, in segments that divide all possible ids between them.
///
/// The last segment is kept apart from the others: ids that ascend are appended to it without a
/// search.
#[derive(Debug)]
pub(crate) struct SegmentedSet<I> {
    last: Segment<I>,
    /// The other segments, ascending.
    others: Vec<Segment<I>>,
    /// The starts of the other segments that have changed.
    changed: Vec<I>,
}

impl<I: IdInSegment> SegmentedSet<I> {
    pub(crate) const fn new() -> Self {
        Self {
            last: Segment::new(I::MIN),
            others: Vec::new(),
            changed: Vec::new(),
        }
    }

    /// Returns a stored set from its segments, which ascend.
    pub(crate) fn from_stored(mut segments: Vec<Segment<I>>) -> Self {
        if segments.first().is_none_or(|first| first.start > I::MIN) {
            segments.insert(0, Segment::new(I::MIN));
        }
        Self {
            last: segments.pop().expect("there is at least one"),
            others: segments,
            changed: Vec::new(),
        }
    }

    /// Inserts an id. Returns `false` if it was inserted before. `used_at_offset` is that of the
    /// record.
    ///
    /// # Errors
    /// [`MissingSegment`] if its segment is not in memory.
    #[inline]
    pub(crate) fn insert(&mut self, id: I, used_at_offset: u64) -> Result<bool, MissingSegment> {
        if id >= self.last.start
            && let Some(content) = &mut self.last.content
            && content.is_beyond_greatest(id)
            && content.id_count() < MAX_APPENDED_IDS
        {
            self.last.used_at_offset = used_at_offset;
            content.push_greatest(id);
            return Ok(true);
        }
        self.insert_anywhere(id, used_at_offset)
    }

    fn insert_anywhere(&mut self, id: I, used_at_offset: u64) -> Result<bool, MissingSegment> {
        let index = self.index_of(id);
        let is_last = index == self.others.len();
        let segment = self.segment_mut(index);
        let Some(content) = &mut segment.content else {
            return Err(MissingSegment {
                start: segment.start.as_start(),
                stored_bytes: segment.chunk_bytes(),
            });
        };
        segment.used_at_offset = used_at_offset;
        if is_last && content.is_beyond_greatest(id) {
            self.begin_segment(id, used_at_offset);
            return Ok(true);
        }
        if !content.insert(id) {
            return Ok(false);
        }
        let is_full = content.id_count() > MAX_IDS;
        self.record_change(index);
        if is_full {
            self.split(index);
        }
        Ok(true)
    }

    /// Begins a segment with an id that is greater than all others.
    fn begin_segment(&mut self, id: I, used_at_offset: u64) {
        let mut begun = Segment::new(id);
        begun.used_at_offset = used_at_offset;
        if let Some(content) = &mut begun.content {
            content.push_greatest(id);
        }
        let mut ended = std::mem::replace(&mut self.last, begun);
        ended.shrink_and_mark_for_rewrite();
        self.others.push(ended);
        self.record_change(self.others.len() - 1);
    }

    /// Divides a segment into two.
    fn split(&mut self, index: usize) {
        let greater = self.segment_mut(index).split();
        if index == self.others.len() {
            let lesser = std::mem::replace(&mut self.last, greater);
            self.others.push(lesser);
            self.record_change(index);
        } else {
            self.others.insert(index + 1, greater);
            self.record_change(index + 1);
        }
    }

    /// Returns the index of the segment that an id belongs to.
    fn index_of(&self, id: I) -> usize {
        if id >= self.last.start {
            return self.others.len();
        }
        let after = self.others.partition_point(|segment| segment.start <= id);
        after.saturating_sub(1)
    }

    fn segment(&self, index: usize) -> &Segment<I> {
        self.others.get(index).unwrap_or(&self.last)
    }

    fn segment_mut(&mut self, index: usize) -> &mut Segment<I> {
        self.others.get_mut(index).unwrap_or(&mut self.last)
    }

    fn segments(&self) -> impl Iterator<Item = &Segment<I>> {
        self.others.iter().chain([&self.last])
    }

    /// Lists a segment as changed. The last one is always examined.
    fn record_change(&mut self, index: usize) {
        if let Some(segment) = self.others.get_mut(index)
            && !segment.is_listed
        {
            segment.is_listed = true;
            self.changed.push(segment.start);
        }
    }

    /// Returns the segment of an id if it is not in memory.
    pub(crate) fn missing_segment(&self, id: I) -> Option<MissingSegment> {
        let segment = self.segment(self.index_of(id));
        segment.content.is_none().then(|| MissingSegment {
            start: segment.start.as_start(),
            stored_bytes: segment.chunk_bytes(),
        })
    }

    /// Returns whether an id was inserted. Its segment has to be in memory.
    pub(crate) fn contains(&mut self, id: I, used_at_offset: u64) -> bool {
        let index = self.index_of(id);
        let segment = self.segment_mut(index);
        segment.used_at_offset = used_at_offset;
        let content = segment.content.as_ref();
        content.expect("it was requested before").contains(id)
    }

    /// Puts the stored ids of a segment into memory, unless newer ones are there.
    pub(crate) fn accept_loaded(
        &mut self,
        start: I,
        ids: Vec<I>,
        chunk_count: u32,
        used_at_offset: u64,
    ) {
        let index = self.index_of(start);
        let segment = self.segment_mut(index);
        if segment.start == start {
            segment.accept_loaded(ids, chunk_count, used_at_offset);
        }
    }

    pub(crate) fn has_untaken_changes(&self) -> bool {
        self.last.has_untaken_changes() || !self.changed.is_empty()
    }

    /// Returns the number of chunks that the next change writes.
    pub(crate) fn changed_segment_count(&self) -> usize {
        self.changed.len() + usize::from(self.last.has_untaken_changes())
    }

    /// Takes the changes since the last call: the segments to remove first, and the chunks to
    /// write. They are committed by the commit `commit_number`.
    pub(crate) fn take_change(
        &mut self,
        commit_number: u64,
        removed: &mut Vec<IdSegmentStart>,
        written: &mut Vec<IdChunkWrite>,
    ) {
        let mut take = |segment: &mut Segment<I>| {
            if let Some(change) = segment.take_change(commit_number) {
                let start = change.write.start;
                removed.extend(change.removes_chunks.then_some(start));
                written.push(change.write);
            }
        };
        for start in std::mem::take(&mut self.changed) {
            let index = self.index_of(start);
            take(self.segment_mut(index));
        }
        take(&mut self.last);
    }

    /// Returns the starts of the segments of which chunks are stored, or part of a change that was
    /// taken.
    pub(crate) fn starts_with_chunks(&self) -> impl Iterator<Item = IdSegmentStart> + '_ {
        let with_chunks = self.segments().filter(|segment| segment.has_chunks());
        with_chunks.map(|segment| segment.start.as_start())
    }

    /// Returns the segments that may leave memory now or after a commit.
    pub(crate) fn resident(
        &self,
        commit_number: u64,
    ) -> impl Iterator<Item = ResidentSegment> + '_ {
        self.segments().filter_map(move |segment| {
            let waits_for_commit = segment.waits_for_commit(commit_number);
            let is_listed = waits_for_commit || segment.is_evictable(commit_number);
            is_listed.then(|| ResidentSegment {
                used_at_offset: segment.used_at_offset,
                resident_bytes: segment.resident_bytes(),
                waits_for_commit,
            })
        })
    }

    /// Drops the ids of the segments that may leave memory and were not used after the record at
    /// an offset. Returns how many segments those are.
    pub(crate) fn evict_and_count_evicted(
        &mut self,
        used_until_offset: u64,
        commit_number: u64,
    ) -> u64 {
        let mut evicted = 0;
        for segment in self.others.iter_mut().chain([&mut self.last]) {
            if segment.used_at_offset <= used_until_offset && segment.is_evictable(commit_number) {
                segment.content = None;
                evicted += 1;
            }
        }
        evicted
    }

    /// Returns the memory that the set uses, in bytes.
    pub(crate) fn resident_bytes(&self) -> usize {
        let segments: usize = self.segments().map(Segment::resident_bytes).sum();
        let unused = self.others.capacity() - self.others.len();
        segments + unused * size_of::<Segment<I>>() + self.changed.capacity() * size_of::<I>()
    }
}

impl<I: IdInSegment> Default for SegmentedSet<I> {
    fn default() -> Self {
        Self::new()
    }
}
