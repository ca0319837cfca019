//! One segment of a set: the ids from its start to the start of the next segment.

use store::IdChunkWrite;

use super::id_in_segment::IdInSegment;
use super::packed_ids::PackedIds;

/// How many ids that came out of order wait before they are packed.
const MAX_OUT_OF_ORDER: usize = 256;
/// A segment of fewer chunks is not written whole again because of their number.
const MIN_CHUNKS_TO_COMPACT: u32 = 64;
/// The number of chunks from which on a segment is stored anew as one chunk.
const MAX_CHUNKS: u32 = 2_048;

/// The ids of a segment that is in memory.
#[derive(Debug)]
pub(crate) struct SegmentContent<I> {
    packed: PackedIds<I>,
    /// Ids that came out of order, ascending, and less than the greatest packed one.
    out_of_order: Vec<I>,
    /// The number of packed ids that the next change does not have to store. Those after them
    /// ascend, and are to be stored.
    taken_packed: u32,
    /// The other ids that the next change has to store.
    untaken: Vec<I>,
}

impl<I: IdInSegment> SegmentContent<I> {
    pub(crate) const fn new() -> Self {
        Self {
            packed: PackedIds::new(),
            out_of_order: Vec::new(),
            taken_packed: 0,
            untaken: Vec::new(),
        }
    }

    /// Returns the content of ids that ascend and are stored.
    fn from_stored(ids: Vec<I>) -> Self {
        let packed = PackedIds::from_ascending(ids);
        Self {
            taken_packed: packed.count(),
            packed,
            ..Self::new()
        }
    }

    pub(crate) const fn id_count(&self) -> usize {
        self.packed.count() as usize + self.out_of_order.len()
    }

    /// Returns whether an id is greater than all others.
    #[inline]
    pub(crate) fn is_beyond_greatest(&self, id: I) -> bool {
        self.packed.is_beyond_greatest(id)
    }

    /// Inserts an id that is greater than all others.
    #[inline]
    pub(crate) fn push_greatest(&mut self, id: I) {
        self.packed.push_greatest(id);
    }

    pub(crate) fn contains(&self, id: I) -> bool {
        self.packed.contains(id) || self.out_of_order.binary_search(&id).is_ok()
    }

    /// Inserts an id. Returns `false` if it is there already.
    pub(crate) fn insert(&mut self, id: I) -> bool {
        if self.is_beyond_greatest(id) {
            self.push_greatest(id);
            return true;
        }
        let Err(index) = self.out_of_order.binary_search(&id) else {
            return false;
        };
        if self.packed.contains(id) {
            return false;
        }
        self.out_of_order.insert(index, id);
        self.untaken.push(id);
        if self.out_of_order.len() >= MAX_OUT_OF_ORDER {
            self.pack_all();
        }
        true
    }

    /// Packs the ids that came out of order.
    fn pack_all(&mut self) {
        self.untaken
            .extend(self.packed.iter_from(self.taken_packed));
        self.packed = PackedIds::from_ascending(self.iter());
        self.taken_packed = self.packed.count();
        self.out_of_order = Vec::new();
    }

    /// Returns all ids, ascending.
    fn iter(&self) -> impl Iterator<Item = I> + '_ {
        let mut out_of_order = self.out_of_order.iter().copied().peekable();
        let mut packed = self.packed.iter().peekable();
        std::iter::from_fn(move || match (packed.peek(), out_of_order.peek()) {
            (Some(next), Some(other)) if other < next => out_of_order.next(),
            (Some(_), _) => packed.next(),
            (None, _) => out_of_order.next(),
        })
    }

    /// Removes the greater half of the ids, and returns it with its first id. All are to be stored.
    fn split_off_greater_half(&mut self) -> (I, Self) {
        let ids: Vec<_> = self.iter().collect();
        let (lesser, greater) = ids.split_at(ids.len() / 2);
        let of = |ids: &[I]| Self {
            packed: PackedIds::from_ascending(ids.iter().copied()),
            ..Self::new()
        };
        *self = of(lesser);
        (greater[0], of(greater))
    }

    fn has_untaken(&self) -> bool {
        self.taken_packed < self.packed.count() || !self.untaken.is_empty()
    }

    /// Returns the ids that no taken change includes, ascending.
    fn untaken_ids(&self) -> Vec<I> {
        let mut ids: Vec<_> = self.packed.iter_from(self.taken_packed).collect();
        ids.extend(&self.untaken);
        ids.sort_unstable();
        ids
    }

    /// Records that a change with all ids that it has to store was taken.
    fn mark_taken(&mut self) {
        self.taken_packed = self.packed.count();
        self.untaken = Vec::new();
    }

    const fn resident_bytes(&self) -> usize {
        let others = self.out_of_order.capacity() + self.untaken.capacity();
        self.packed.resident_bytes() + others * size_of::<I>()
    }
}

/// One segment of a set. Its ids are stored in chunks; they may have left memory.
#[derive(Debug)]
pub(crate) struct Segment<I> {
    pub(crate) start: I,
    /// The ids; `None` if they are stored and not in memory.
    pub(crate) content: Option<SegmentContent<I>>,
    /// The offset of the record that used it last.
    pub(crate) used_at_offset: u64,
    /// Whether the set lists it as changed.
    pub(crate) is_listed: bool,
    /// The number of its chunks that are stored, or part of a change that was taken.
    chunk_count: u32,
    /// About how many bytes they have.
    chunk_bytes: u64,
    /// How many ids were stored in chunks after the first.
    ids_since_whole: u32,
    /// Whether the next change writes it whole.
    is_rewritten: bool,
    /// The number of the commit that the last change taken from it belongs to.
    taken_in: u64,
}

/// What a commit changes in the stored chunks of a segment.
#[derive(Debug)]
pub(crate) struct SegmentChange {
    /// Whether all its chunks are to be removed before the new one is written.
    pub(crate) removes_chunks: bool,
    /// The new chunk.
    pub(crate) write: IdChunkWrite,
}

impl<I: IdInSegment> Segment<I> {
    /// Returns a segment without ids, of which nothing is stored.
    pub(crate) const fn new(start: I) -> Self {
        Self {
            start,
            content: Some(SegmentContent::new()),
            used_at_offset: 0,
            is_listed: false,
            chunk_count: 0,
            chunk_bytes: 0,
            ids_since_whole: 0,
            is_rewritten: false,
            taken_in: 0,
        }
    }

    /// Returns a stored segment, whose ids are not in memory.
    pub(crate) fn stored(start: I, chunk_count: u32, chunk_bytes: u64) -> Self {
        Self {
            content: None,
            chunk_count,
            chunk_bytes,
            ..Self::new(start)
        }
    }

    /// Puts the stored ids into memory, unless newer ones are there.
    pub(crate) fn accept_loaded(&mut self, ids: Vec<I>, chunk_count: u32, used_at_offset: u64) {
        self.used_at_offset = used_at_offset;
        if self.content.is_none() {
            self.content = Some(SegmentContent::from_stored(ids));
            self.chunk_count = chunk_count;
        }
    }

    /// Returns whether it has chunks that are stored, or part of a change that was taken.
    pub(crate) const fn has_chunks(&self) -> bool {
        self.chunk_count > 0
    }

    /// Returns about how many bytes its chunks have.
    pub(crate) const fn chunk_bytes(&self) -> u64 {
        self.chunk_bytes
    }

    pub(crate) fn has_untaken_changes(&self) -> bool {
        self.is_rewritten
            || self
                .content
                .as_ref()
                .is_some_and(SegmentContent::has_untaken)
    }

    /// Returns whether it has ids in memory that are not stored by commits before the one of
    /// `commit_number`.
    pub(crate) fn waits_for_commit(&self, commit_number: u64) -> bool {
        self.content.is_some() && (self.taken_in >= commit_number || self.has_untaken_changes())
    }

    /// Returns whether it may leave memory: all its ids are stored by commits before the one of
    /// `commit_number`.
    pub(crate) fn is_evictable(&self, commit_number: u64) -> bool {
        self.content.is_some() && self.has_chunks() && !self.waits_for_commit(commit_number)
    }

    /// Ends a segment that no longer grows at its end: its chunks become one.
    pub(crate) fn shrink_and_mark_for_rewrite(&mut self) {
        self.is_rewritten = true;
        if let Some(content) = &mut self.content {
            content.packed.shrink_to_fit();
        }
    }

    /// Removes the greater half of its ids, which must be in memory, and returns it as a segment.
    pub(crate) fn split(&mut self) -> Self {
        let content = self.content.as_mut().expect("an id was just inserted");
        let (start, content) = content.split_off_greater_half();
        self.is_rewritten = true;
        Self {
            content: Some(content),
            used_at_offset: self.used_at_offset,
            is_rewritten: true,
            ..Self::new(start)
        }
    }

    /// Takes the ids that no taken change includes, for the commit `commit_number`.
    pub(crate) fn take_change(&mut self, commit_number: u64) -> Option<SegmentChange> {
        self.is_listed = false;
        if !self.has_untaken_changes() {
            return None;
        }
        let content = self.content.as_mut()?;
        let is_compacted = self.chunk_count >= MIN_CHUNKS_TO_COMPACT
            && (self.ids_since_whole as usize * 4 >= content.id_count()
                || self.chunk_count >= MAX_CHUNKS);
        let is_whole = self.chunk_count == 0 || self.is_rewritten || is_compacted;
        let removes_chunks = is_whole && self.chunk_count > 0;
        let (chunk, ids) = if is_whole {
            self.ids_since_whole = 0;
            (0, content.iter().collect())
        } else {
            let ids = content.untaken_ids();
            self.ids_since_whole += u32::try_from(ids.len()).expect("a segment is small");
            (self.chunk_count, ids)
        };
        content.mark_taken();
        self.chunk_count = chunk + 1;
        self.chunk_bytes = content.packed.resident_bytes() as u64;
        self.is_rewritten = false;
        self.taken_in = commit_number;
        let write = IdChunkWrite {
            start: self.start.as_start(),
            chunk,
            ids: I::into_segment_ids(ids),
        };
        Some(SegmentChange {
            removes_chunks,
            write,
        })
    }

    /// Returns the memory that it uses, in bytes.
    pub(crate) fn resident_bytes(&self) -> usize {
        let content = self.content.as_ref();
        size_of::<Self>() + content.map_or(0, SegmentContent::resident_bytes)
    }
}
