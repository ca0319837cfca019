//! The body of a chunk of ids: a format byte, then ascending ids as the differences between them,
//! the first as its difference to zero. A difference is written seven bits a byte, the lowest
//! first; all bytes of a difference but its last have the highest bit.

use crate::compression::CompressionError;
use crate::state::{IdSegmentStart, SegmentIds, StoredIdSegment};

/// The format byte.
const FORMAT: u8 = 3;

/// Encodes ids as the body of a chunk.
pub(crate) fn encode_ids(ids: &SegmentIds) -> Vec<u8> {
    match ids {
        SegmentIds::Numbers(ids) => encode_differences(ids.iter().map(|id| u128::from(*id)), 3),
        SegmentIds::Digests(ids) => encode_differences(ids.iter().copied(), 16),
    }
}

fn encode_differences(
    ids: impl ExactSizeIterator<Item = u128>,
    estimated_bytes_per_id: usize,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + ids.len() * estimated_bytes_per_id);
    out.push(FORMAT);
    let mut last = 0;
    for id in ids {
        let mut difference = id - last;
        while difference >= 0x80 {
            out.push((difference & 0x7f) as u8 | 0x80);
            difference >>= 7;
        }
        out.push((difference & 0x7f) as u8);
        last = id;
    }
    out
}

/// The ids of a segment, read chunk by chunk.
pub(crate) struct IdSegmentAssembler {
    ids: SegmentIds,
    chunk_count: u32,
}

impl IdSegmentAssembler {
    /// Returns an assembler without chunks, of a segment that begins at `start`.
    pub(crate) const fn new(start: IdSegmentStart) -> Self {
        Self {
            ids: SegmentIds::empty(start),
            chunk_count: 0,
        }
    }

    /// Adds the body of a chunk. The number of chunks is one more than the greatest number: the
    /// next chunk never replaces one, even if some of them are missing.
    pub(crate) fn add_chunk(&mut self, number: u32, body: &[u8]) -> Result<(), CompressionError> {
        self.chunk_count = self.chunk_count.max(number.saturating_add(1));
        match &mut self.ids {
            SegmentIds::Numbers(ids) => decode_differences(body, |id| {
                ids.push(u64::try_from(id).map_err(|_| malformed("a number exceeds 64 bits"))?);
                Ok(())
            }),
            SegmentIds::Digests(ids) => decode_differences(body, |id| {
                ids.push(id);
                Ok(())
            }),
        }
    }

    /// Returns the ids of all added chunks.
    pub(crate) fn into_stored_segment(mut self) -> StoredIdSegment {
        // The chunks ascend each, and this sort merges ascending runs.
        match &mut self.ids {
            SegmentIds::Numbers(ids) => {
                ids.sort();
                ids.dedup();
            }
            SegmentIds::Digests(ids) => {
                ids.sort();
                ids.dedup();
            }
        }
        StoredIdSegment {
            ids: self.ids,
            chunk_count: self.chunk_count,
        }
    }
}

/// Decodes the body of a chunk, and passes each id to `add`.
fn decode_differences(
    body: &[u8],
    mut add: impl FnMut(u128) -> Result<(), CompressionError>,
) -> Result<(), CompressionError> {
    let Some((&FORMAT, mut rest)) = body.split_first() else {
        return Err(malformed("its format is not known"));
    };
    let mut last = None;
    while !rest.is_empty() {
        let difference = read_difference(&mut rest)?;
        let id = match last {
            None => difference,
            Some(_) if difference == 0 => return Err(malformed("its ids do not ascend")),
            Some(last) => difference
                .checked_add(last)
                .ok_or_else(|| malformed("an id exceeds 128 bits"))?,
        };
        add(id)?;
        last = Some(id);
    }
    Ok(())
}

/// Reads a difference from the start of `bytes` and removes it.
fn read_difference(bytes: &mut &[u8]) -> Result<u128, CompressionError> {
    let (mut difference, mut shift) = (0_u128, 0);
    loop {
        let Some((&byte, rest)) = bytes.split_first() else {
            return Err(malformed("it ends within an id"));
        };
        *bytes = rest;
        let bits = u128::from(byte & 0x7f);
        let shifted = bits.checked_shl(shift).filter(|one| one >> shift == bits);
        difference |= shifted.ok_or_else(|| malformed("a difference exceeds 128 bits"))?;
        if byte < 0x80 {
            return Ok(difference);
        }
        shift += 7;
    }
}

/// Returns the key of digests that a store holds.
pub(crate) fn parse_digest_key(key: &[u8]) -> Result<[u8; 32], CompressionError> {
    key.try_into().map_err(|_| {
        CompressionError::Malformed("the key of digests of ids has another length".to_owned())
    })
}

fn malformed(reason: impl std::fmt::Display) -> CompressionError {
    CompressionError::Malformed(format!("chunk of ids: {reason}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{FORMAT, IdSegmentAssembler, encode_ids};
    use crate::state::{IdSegmentStart, SegmentIds};

    const NUMBERS: IdSegmentStart = IdSegmentStart::Number(0);
    const DIGESTS: IdSegmentStart = IdSegmentStart::Digest(0);

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![any::<u64>(), 0..300_u64, (u64::MAX - 300)..=u64::MAX]
    }

    fn digest() -> impl Strategy<Value = u128> {
        prop_oneof![any::<u128>(), 0..300_u128, (u128::MAX - 300)..=u128::MAX]
    }

    proptest! {
        #[test]
        fn numbers_in_chunks_are_read_as_one_segment(
            chunks in prop::collection::vec(prop::collection::btree_set(number(), 0..200), 0..5)
        ) {
            let mut assembler = IdSegmentAssembler::new(NUMBERS);
            for (number, chunk) in (0..).zip(&chunks) {
                let ids = SegmentIds::Numbers(chunk.iter().copied().collect());
                assembler.add_chunk(number, &encode_ids(&ids)).unwrap();
            }
            let row = assembler.into_stored_segment();
            let all: BTreeSet<_> = chunks.iter().flatten().copied().collect();
            prop_assert_eq!(row.ids, SegmentIds::Numbers(all.into_iter().collect()));
            prop_assert_eq!(row.chunk_count as usize, chunks.len());
        }

        #[test]
        fn digests_are_read_as_they_were_written(ids in prop::collection::btree_set(digest(), 0..200)) {
            let ids = SegmentIds::Digests(ids.into_iter().collect());
            let mut assembler = IdSegmentAssembler::new(DIGESTS);
            assembler.add_chunk(3, &encode_ids(&ids)).unwrap();
            let row = assembler.into_stored_segment();
            prop_assert_eq!((row.ids, row.chunk_count), (ids, 4));
        }

        #[test]
        fn damage_is_an_error_and_no_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..64), has_format in any::<bool>()
        ) {
            let body = if has_format { [&[FORMAT][..], &bytes].concat() } else { bytes };
            for start in [NUMBERS, DIGESTS] {
                let mut assembler = IdSegmentAssembler::new(start);
                let is_read = assembler.add_chunk(0, &body).is_ok();
                prop_assert!(!is_read || body[0] == FORMAT);
            }
        }

        #[test]
        fn a_chunk_that_is_cut_within_an_id_is_an_error(id in 128_u64..) {
            let body = encode_ids(&SegmentIds::Numbers(vec![id]));
            let mut assembler = IdSegmentAssembler::new(NUMBERS);
            prop_assert!(assembler.add_chunk(0, &body[..body.len() - 1]).is_err());
        }
    }

    #[test]
    fn what_no_store_wrote_is_an_error() {
        let bodies: [&[u8]; 5] = [
            &[],
            &[1, 0x90],
            &[FORMAT, 5, 0],
            &[
                FORMAT, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
            ],
            &[FORMAT, 0x80],
        ];
        for body in bodies {
            let mut assembler = IdSegmentAssembler::new(NUMBERS);
            assert!(assembler.add_chunk(0, body).is_err(), "{body:?}");
        }
        let mut greatest = encode_ids(&SegmentIds::Digests(vec![u128::MAX]));
        greatest.push(1);
        let mut assembler = IdSegmentAssembler::new(DIGESTS);
        assert!(assembler.add_chunk(0, &greatest).is_err());
    }
}
