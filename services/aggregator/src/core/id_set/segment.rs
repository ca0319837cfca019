//! One segment of a set: the ids from its start to the start of the next segment.

use store::IdSegmentWrite;

use super::packed_ids::PackedIds;
use super::segment_id::SegmentId;

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
    stored_packed: u32,
    /// The other ids that the next change has to store.
    unstored: Vec<I>,
}

impl<I: SegmentId> SegmentContent<I> {
    pub(crate) const fn new() -> Self {
        Self {
            packed: PackedIds::new(),
            out_of_order: Vec::new(),
            stored_packed: 0,
            unstored: Vec::new(),
        }
    }

    /// Returns the content of ids that ascend and are stored.
    fn from_stored(ids: Vec<I>) -> Self {
        let packed = PackedIds::from_ascending(ids);
        Self {
            stored_packed: packed.count(),
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
    pub(crate) fn push(&mut self, id: I) {
        self.packed.push(id);
    }

    pub(crate) fn contains(&self, id: I) -> bool {
        self.packed.contains(id) || self.out_of_order.binary_search(&id).is_ok()
    }

    /// Inserts an id. Returns `false` if it is there already.
    pub(crate) fn insert(&mut self, id: I) -> bool {
        if self.is_beyond_greatest(id) {
            self.push(id);
            return true;
        }
        let Err(index) = self.out_of_order.binary_search(&id) else {
            return false;
        };
        if self.packed.contains(id) {
            return false;
        }
        self.out_of_order.insert(index, id);
        self.unstored.push(id);
        if self.out_of_order.len() >= MAX_OUT_OF_ORDER {
            self.pack_all();
        }
        true
    }

    /// Packs the ids that came out of order.
    fn pack_all(&mut self) {
        self.unstored
            .extend(self.packed.iter_from(self.stored_packed));
        self.packed = PackedIds::from_ascending(self.iter());
        self.stored_packed = self.packed.count();
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

    fn has_unstored(&self) -> bool {
        self.stored_packed < self.packed.count() || !self.unstored.is_empty()
    }

    /// Returns the ids that are not stored yet, ascending.
    fn unstored_ids(&self) -> Vec<I> {
        let mut ids: Vec<_> = self.packed.iter_from(self.stored_packed).collect();
        ids.extend(&self.unstored);
        ids.sort_unstable();
        ids
    }

    fn mark_stored(&mut self) {
        self.stored_packed = self.packed.count();
        self.unstored = Vec::new();
    }

    const fn resident_bytes(&self) -> usize {
        let others = self.out_of_order.capacity() + self.unstored.capacity();
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
    pub(crate) used_at: u64,
    /// Whether the set lists it as changed.
    pub(crate) is_listed: bool,
    /// The number of its chunks that are stored, or part of a change that was taken.
    chunk_count: u32,
    /// About how many bytes they have.
    stored_bytes: u64,
    /// How many ids were stored in chunks after the first.
    ids_since_whole: u32,
    /// Whether the next change writes it whole.
    is_rewritten: bool,
    /// The generation of the last change that was taken from it.
    taken_in: u64,
}

impl<I: SegmentId> Segment<I> {
    /// Returns a segment without ids, of which nothing is stored.
    pub(crate) const fn new(start: I) -> Self {
        Self {
            start,
            content: Some(SegmentContent::new()),
            used_at: 0,
            is_listed: false,
            chunk_count: 0,
            stored_bytes: 0,
            ids_since_whole: 0,
            is_rewritten: false,
            taken_in: 0,
        }
    }

    /// Returns a stored segment, whose ids are not in memory.
    pub(crate) fn stored(start: I, chunk_count: u32, stored_bytes: u64) -> Self {
        Self {
            content: None,
            chunk_count,
            stored_bytes,
            ..Self::new(start)
        }
    }

    /// Puts the stored ids into memory, unless newer ones are there.
    pub(crate) fn accept_loaded(&mut self, ids: Vec<I>, chunk_count: u32, used_at: u64) {
        self.used_at = used_at;
        if self.content.is_none() {
            self.content = Some(SegmentContent::from_stored(ids));
            self.chunk_count = chunk_count;
        }
    }

    pub(crate) const fn is_stored(&self) -> bool {
        self.chunk_count > 0
    }

    pub(crate) const fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.is_rewritten
            || self
                .content
                .as_ref()
                .is_some_and(SegmentContent::has_unstored)
    }

    /// Returns whether it has ids in memory that are not stored by commits before the one of
    /// `generation`.
    pub(crate) fn waits_for_commit(&self, generation: u64) -> bool {
        self.content.is_some() && (self.taken_in >= generation || self.is_changed())
    }

    /// Returns whether it may leave memory: all its ids are stored by commits before the one of
    /// `generation`.
    pub(crate) fn is_evictable(&self, generation: u64) -> bool {
        self.content.is_some() && self.is_stored() && !self.waits_for_commit(generation)
    }

    /// Ends a segment that no longer grows at its end: its chunks become one.
    pub(crate) fn seal(&mut self) {
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
            used_at: self.used_at,
            is_rewritten: true,
            ..Self::new(start)
        }
    }

    /// Takes the ids that are not stored yet, and whether the stored chunks are to be removed
    /// before they are written.
    pub(crate) fn take_change(&mut self, generation: u64) -> Option<(bool, IdSegmentWrite)> {
        self.is_listed = false;
        if !self.is_changed() {
            return None;
        }
        let content = self.content.as_mut()?;
        let is_compacted = self.chunk_count >= MIN_CHUNKS_TO_COMPACT
            && (self.ids_since_whole as usize * 4 >= content.id_count()
                || self.chunk_count >= MAX_CHUNKS);
        let is_whole = self.chunk_count == 0 || self.is_rewritten || is_compacted;
        let is_removed = is_whole && self.chunk_count > 0;
        let (chunk, ids) = if is_whole {
            self.ids_since_whole = 0;
            (0, content.iter().collect())
        } else {
            let ids = content.unstored_ids();
            self.ids_since_whole += u32::try_from(ids.len()).expect("a segment is small");
            (self.chunk_count, ids)
        };
        content.mark_stored();
        self.chunk_count = chunk + 1;
        self.stored_bytes = content.packed.resident_bytes() as u64;
        self.is_rewritten = false;
        self.taken_in = generation;
        let write = IdSegmentWrite {
            start: self.start.as_start(),
            chunk,
            ids: I::into_segment_ids(ids),
        };
        Some((is_removed, write))
    }

    /// Returns the memory that it uses, in bytes.
    pub(crate) fn resident_bytes(&self) -> usize {
        let content = self.content.as_ref();
        size_of::<Self>() + content.map_or(0, SegmentContent::resident_bytes)
    }
}
