//! Segments of the model's sets of ids.

use candlewick_store::{IdChunkWrite, IdSegmentStart, IdSetWrites, SegmentIds};

use super::IdSet;

/// Returns the writes of a next number and a next digest, the numbers removed before if wanted.
pub(super) fn segment_writes(stored: Option<&IdSet>, removes_numbers: bool) -> IdSetWrites {
    let starts = [IdSegmentStart::Number(3), IdSegmentStart::Digest(3)];
    let written = starts.map(|start| {
        let chunks = stored.and_then(|set| set.segments.get(&start));
        let next = chunks.map_or(0, Vec::len);
        match start {
            IdSegmentStart::Number(_) => IdChunkWrite {
                start,
                chunk: if removes_numbers {
                    0
                } else {
                    u32::try_from(next).unwrap()
                },
                ids: SegmentIds::Numbers(vec![3 + if removes_numbers { 0 } else { next as u64 }]),
            },
            IdSegmentStart::Digest(_) => IdChunkWrite {
                start,
                chunk: u32::try_from(next).unwrap(),
                ids: SegmentIds::Digests(vec![3 + next as u128]),
            },
        }
    });
    IdSetWrites::Segments {
        removed: if removes_numbers {
            vec![starts[0]]
        } else {
            Vec::new()
        },
        written: written.into(),
    }
}

/// Returns the ids of chunks of one kind.
pub(super) fn merged(chunks: &[SegmentIds]) -> SegmentIds {
    let (mut numbers, mut digests) = (Vec::new(), Vec::new());
    for chunk in chunks {
        match chunk {
            SegmentIds::Numbers(ids) => numbers.extend(ids),
            SegmentIds::Digests(ids) => digests.extend(ids),
        }
    }
    numbers.sort_unstable();
    digests.sort_unstable();
    match digests.is_empty() {
        true => SegmentIds::Numbers(numbers),
        false => SegmentIds::Digests(digests),
    }
}
