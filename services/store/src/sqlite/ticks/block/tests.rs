use bytes::Bytes;
use proptest::prelude::*;

use super::{
    ArchivedTick, MAX_BYTES, MAX_TICKS, compress_block_body, decompress_and_decode_block_body,
    encode_block_body, split_into_block_sizes,
};
use crate::tick_store::TickRecord;

fn tick(offset: u64, append_time_ns: i64, value: Vec<u8>) -> TickRecord {
    TickRecord {
        offset,
        append_time_ns,
        time_ns: 0,
        value: Bytes::from(value),
    }
}

proptest! {
    #[test]
    fn encoded_ticks_are_decoded(
        rows in prop::collection::vec(
            (any::<u64>(), any::<i64>(), prop::collection::vec(any::<u8>(), 0..50)), 1..50)
    ) {
        let ticks: Vec<_> = rows.into_iter().map(|(offset, time, value)| tick(offset, time, value)).collect();
        let compressed = compress_block_body(&encode_block_body(&ticks)).unwrap();
        let read = decompress_and_decode_block_body(&compressed, ticks.len()).unwrap();
        let read: Vec<_> = read
            .into_iter()
            .map(|read| tick(read.offset, read.append_time_ns, read.value.to_vec()))
            .collect();
        prop_assert_eq!(read, ticks);
    }
}

/// Flips every bit combination of every byte. A frame has bits that carry no meaning
/// (<https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.1.1.3>), so a few flips decode to the
/// ticks that were written; none may decode to others.
#[test]
fn a_damaged_block_never_yields_other_ticks() {
    let ticks: Vec<_> = (0..40).map(|offset| tick(offset, 7, vec![9; 40])).collect();
    let written = compress_block_body(&encode_block_body(&ticks)).unwrap();
    let is_same = |(read, tick): (&ArchivedTick, &TickRecord)| {
        (read.offset, read.append_time_ns, &read.value)
            == (tick.offset, tick.append_time_ns, &tick.value)
    };
    let mut unnoticed = 0;
    for index in 0..written.len() {
        for mask in 1..=u8::MAX {
            let mut damaged = written.clone();
            damaged[index] ^= mask;
            if let Ok(read) = decompress_and_decode_block_body(&damaged, 40) {
                assert!(
                    read.iter().zip(&ticks).all(is_same),
                    "byte {index}, mask {mask:#x}"
                );
                assert_eq!(read.len(), ticks.len());
                unnoticed += 1;
            }
        }
    }
    assert!(
        unnoticed * 1_000 < written.len() * 255,
        "{unnoticed} flips are unnoticed"
    );
}

#[test]
fn large_blocks_are_split() {
    let many: Vec<_> = (0..MAX_TICKS as u64 + 1)
        .map(|offset| tick(offset, 0, vec![]))
        .collect();
    let lengths: Vec<_> = split_into_block_sizes(&many).map(<[_]>::len).collect();
    assert_eq!(lengths, [MAX_TICKS, 1]);

    let large: Vec<_> = [MAX_BYTES + 1, MAX_BYTES - 1, 1, 1]
        .into_iter()
        .map(|length| tick(0, 0, vec![0; length]))
        .collect();
    let lengths: Vec<_> = split_into_block_sizes(&large).map(<[_]>::len).collect();
    assert_eq!(lengths, [1, 2, 1]);
}
