//! Ids in ascending order, packed as the differences between them.

use super::id_in_segment::IdInSegment;

/// How many ids a block has. The first id of each block is held whole, so that a search decodes
/// one block.
const BLOCK_IDS: u32 = 128;

/// Distinct ids in ascending order: two bytes an id if each is less than 16,384 greater than the
/// one before it, and 16 if they are random digests.
#[derive(Debug)]
pub(crate) struct PackedIds<I> {
    bytes: Vec<u8>,
    blocks: Vec<BlockStart<I>>,
    count: u32,
    /// The greatest id; the least possible one while there is none.
    greatest: I,
}

/// Where a block begins.
#[derive(Debug, Clone, Copy)]
struct BlockStart<I> {
    first: I,
    /// Where the differences of its other ids begin.
    offset: u32,
}

impl<I: IdInSegment> PackedIds<I> {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            blocks: Vec::new(),
            count: 0,
            greatest: I::MIN,
        }
    }

    /// Packs ids that ascend.
    pub(crate) fn from_ascending(ids: impl IntoIterator<Item = I>) -> Self {
        let mut packed = Self::new();
        ids.into_iter().for_each(|id| packed.push_greatest(id));
        packed.shrink_to_fit();
        packed
    }

    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// Returns whether an id is greater than all others.
    #[inline]
    pub(crate) fn is_beyond_greatest(&self, id: I) -> bool {
        id > self.greatest || self.count == 0
    }

    /// Adds an id that is greater than all others.
    #[inline]
    pub(crate) fn push_greatest(&mut self, id: I) {
        debug_assert!(self.is_beyond_greatest(id), "{id:?} is out of order");
        if self.count.is_multiple_of(BLOCK_IDS) {
            let offset = u32::try_from(self.bytes.len()).expect("a segment is small");
            self.blocks.push(BlockStart { first: id, offset });
        } else {
            id.write_difference(self.greatest, &mut self.bytes);
        }
        self.greatest = id;
        self.count += 1;
    }

    pub(crate) fn contains(&self, id: I) -> bool {
        let after = self.blocks.partition_point(|block| block.first <= id);
        if after == 0 || id > self.greatest {
            return false;
        }
        let index = u32::try_from(after - 1).expect("fewer blocks than ids");
        let mut ids = self.iter_from(index * BLOCK_IDS);
        ids.find(|one| *one >= id) == Some(id)
    }

    /// Returns the ids from an index on, ascending.
    pub(crate) fn iter_from(&self, index: u32) -> impl Iterator<Item = I> + '_ {
        let mut next_index = index - index % BLOCK_IDS;
        let (mut id, mut offset) = (I::MIN, 0);
        let ids = std::iter::from_fn(move || {
            if next_index >= self.count {
                return None;
            }
            if next_index.is_multiple_of(BLOCK_IDS) {
                let block = self.blocks[(next_index / BLOCK_IDS) as usize];
                (id, offset) = (block.first, block.offset as usize);
            } else {
                (id, offset) = id.read_next(&self.bytes, offset);
            }
            next_index += 1;
            Some(id)
        });
        ids.skip((index % BLOCK_IDS) as usize)
    }

    /// Returns all ids, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = I> + '_ {
        self.iter_from(0)
    }

    /// Releases memory that no id uses.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
        self.blocks.shrink_to_fit();
    }

    /// Returns the memory that the ids use, in bytes.
    pub(crate) const fn resident_bytes(&self) -> usize {
        self.bytes.capacity() + self.blocks.capacity() * size_of::<BlockStart<I>>()
    }
}
