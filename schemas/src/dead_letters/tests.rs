use bytes::Bytes;
use market::RejectReason;
use proptest::prelude::*;

use super::DeadLetter;
use crate::error::DecodeError;
use crate::strategies::{
    apply_damages, damages, positions, signed_integers, with_each_false_length,
};

prop_compose! {
    fn dead_letters()(
        reason in prop::sample::select(&RejectReason::ALL),
        detail: String,
        partition: u32,
        position in positions(),
        append_time_ns in signed_integers(),
        key in any::<Vec<u8>>().prop_map(Bytes::from),
        value in any::<Vec<u8>>().prop_map(Bytes::from),
    ) -> DeadLetter {
        DeadLetter { reason, detail, partition, position, append_time_ns, key, value }
    }
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(dead_letter in dead_letters()) {
        prop_assert_eq!(DeadLetter::decode(&dead_letter.encode()), Ok(dead_letter));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), damages in damages(), dead_letter in dead_letters()) {
        for bytes in [&*bytes, &*apply_damages(dead_letter.encode(), &damages), &[&[0x99, 1], &*bytes].concat()] {
            if let Ok(found) = DeadLetter::decode(bytes) {
                prop_assert_eq!(DeadLetter::decode(&found.encode()), Ok(found));
            }
        }
    }

    #[test]
    fn a_record_cut_short_or_long_is_malformed(dead_letter in dead_letters(), more: u8) {
        let mut bytes = dead_letter.encode();
        for end in 0..bytes.len() {
            prop_assert!(DeadLetter::decode(&bytes[..end]).is_err());
        }
        bytes.push(more);
        prop_assert!(DeadLetter::decode(&bytes).is_err());
    }
}

fn example() -> DeadLetter {
    DeadLetter {
        reason: RejectReason::Malformed,
        detail: "time: the record ends early".to_owned(),
        partition: 3,
        position: market::Position {
            epoch: 1,
            offset: 300,
        },
        append_time_ns: 5,
        key: Bytes::from_static(b"v:s"),
        value: Bytes::from_static(&[0x91]),
    }
}

#[test]
fn false_lengths_are_errors_or_other_dead_letters() {
    for bytes in with_each_false_length(&example().encode()) {
        if let Ok(found) = DeadLetter::decode(&bytes) {
            assert_eq!(DeadLetter::decode(&found.encode()), Ok(found));
        }
    }
}

#[test]
fn names_what_is_wrong() {
    let version = DecodeError::Version { found: 9, known: 1 };
    assert_eq!(DeadLetter::decode(&[0x99, 9]), Err(version));
    let text = |bytes: &[u8]| DeadLetter::decode(bytes).unwrap_err().to_string();
    assert_eq!(text(&[0x98, 1]), "record: 8 elements; 9 are expected");
    assert_eq!(
        text(&[0x99, 1, 0xa4, b'l', b'a', b't', b'e']),
        "reason: \"late\" is not a reason"
    );
    let mut long = vec![0x99, 1, 0xda, 0x10, 0];
    long.extend([b'x'; 0x1000]);
    assert!(text(&long).len() < 100);
}
