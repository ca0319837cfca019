//! Which partition a key belongs to.

use market::{Instrument, RejectReason};

/// The partition that orders the changes of venues' settings.
pub const SETTINGS_PARTITION: u32 = 0;

/// Returns the partition of a key. It is computed as Kafka's Java client computes it, so records
/// with the same key are in the same partition, also if another client appends them.
#[must_use]
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions
}

/// Returns the instrument that a trade's key names. Aggregator and archiver both use this
/// function, so they agree on which records are trades.
///
/// # Errors
/// [`RejectReason::KeyMalformed`] if the key does not name an instrument, and
/// [`RejectReason::Misrouted`] if the record is in a partition other than the key's.
pub fn instrument_from_key(
    key: &[u8],
    partition: u32,
    partitions: u32,
) -> Result<Instrument, RejectReason> {
    let text = std::str::from_utf8(key).map_err(|_| RejectReason::KeyMalformed)?;
    let instrument = text.parse().map_err(|_| RejectReason::KeyMalformed)?;
    if partition_of(key, partitions) != partition {
        return Err(RejectReason::Misrouted);
    }
    Ok(instrument)
}

/// Returns the 32-bit hash by which Kafka's clients choose partitions, with their seed
/// ([source](https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/common/utils/Utils.java)).
#[must_use]
pub fn murmur2(data: &[u8]) -> u32 {
    const MIX: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let length = u32::try_from(data.len()).expect("a key is shorter than 4 GiB");
    let mut hash = SEED ^ length;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(MIX);
        word ^= word >> 24;
        hash = hash.wrapping_mul(MIX) ^ word.wrapping_mul(MIX);
    }
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MIX);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MIX);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use market::RejectReason;
    use proptest::prelude::*;

    use super::{instrument_from_key, murmur2, partition_of};

    proptest! {
        #[test]
        fn a_key_is_accepted_in_its_own_partition_only(
            key in "[a-z]{1,8}:[A-Z]{1,8}",
            partitions in 1_u32..100,
        ) {
            let expected = partition_of(key.as_bytes(), partitions);
            prop_assert!(expected < partitions);
            for partition in 0..partitions {
                let found = instrument_from_key(key.as_bytes(), partition, partitions);
                if partition == expected {
                    prop_assert_eq!(found, Ok(key.parse().unwrap()));
                } else {
                    prop_assert_eq!(found, Err(RejectReason::Misrouted));
                }
            }
        }

        #[test]
        fn no_key_makes_it_panic(key in any::<Vec<u8>>(), partition: u32, partitions in 1_u32..) {
            if let Ok(instrument) = instrument_from_key(&key, partition, partitions) {
                prop_assert_eq!(instrument.key().as_bytes(), key);
            }
        }
    }

    #[test]
    fn a_key_that_is_not_an_instrument_is_malformed() {
        let decomposed = "v:e\u{301}".as_bytes();
        for key in [
            &b""[..],
            b"binance",
            b"a b:c",
            b":",
            b"\xff:x",
            b"v:s\0",
            b"v: s",
            decomposed,
        ] {
            let found = instrument_from_key(key, partition_of(key, 8), 8);
            assert_eq!(found, Err(RejectReason::KeyMalformed), "{key:?}");
        }
    }

    #[test]
    fn agrees_with_the_java_client() {
        // The values of Apache Kafka's own UtilsTest.testMurmur2.
        let cases: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ];
        for (key, expected) in cases {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }
}
