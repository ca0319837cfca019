//! The two kinds of ids that a segment holds: numbers, and digests of other ids.

use std::fmt::Debug;

use store::{IdSegmentStart, SegmentIds};

/// An id as a segment holds it.
pub(crate) trait IdInSegment: Copy + Ord + Debug {
    /// The least id.
    const MIN: Self;

    /// Appends the difference to a lesser id: seven bits a byte, the lowest first.
    fn write_difference(self, lesser: Self, out: &mut Vec<u8>);

    /// Returns the id that follows this one, whose difference begins at `offset`, and the offset
    /// after it.
    fn read_next(self, bytes: &[u8], offset: usize) -> (Self, usize);

    /// Returns the id as the start of a segment.
    fn as_start(self) -> IdSegmentStart;

    /// Returns ids of this kind for a store.
    fn into_segment_ids(ids: Vec<Self>) -> SegmentIds;
}

macro_rules! implement_id_in_segment {
    ($id:ty, $kind:ident, $ids:ident) => {
        impl IdInSegment for $id {
            const MIN: Self = 0;

            #[inline]
            fn write_difference(self, lesser: Self, out: &mut Vec<u8>) {
                let mut difference = self - lesser;
                while difference >= 0x80 {
                    out.push((difference & 0x7f) as u8 | 0x80);
                    difference >>= 7;
                }
                out.push((difference & 0x7f) as u8);
            }

            #[inline]
            fn read_next(self, bytes: &[u8], mut offset: usize) -> (Self, usize) {
                let (mut difference, mut shift): (Self, u32) = (0, 0);
                loop {
                    let byte = bytes[offset];
                    offset += 1;
                    difference |= Self::from(byte & 0x7f) << shift;
                    if byte < 0x80 {
                        return (self + difference, offset);
                    }
                    shift += 7;
                }
            }

            fn as_start(self) -> IdSegmentStart {
                IdSegmentStart::$kind(self)
            }

            fn into_segment_ids(ids: Vec<Self>) -> SegmentIds {
                SegmentIds::$ids(ids)
            }
        }
    };
}

implement_id_in_segment!(u64, Number, Numbers);
implement_id_in_segment!(u128, Digest, Digests);
