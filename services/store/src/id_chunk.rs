//! The body of a chunk of exact ids: a format byte, then a MessagePack array of numbers and texts,
//! compressed if it is long enough to gain from it.

use market::TradeId;
use rmp::encode::{write_array_len, write_str, write_uint};
use schemas::msgpack::{MessagePackReader, ValueKind};

use crate::compression::{CompressionError, compress, decompress};

/// The format byte of a body that is not compressed.
const PLAIN: u8 = 1;
/// The format byte of a compressed body.
const COMPRESSED: u8 = 2;

/// Bodies of at least this length are compressed.
const MIN_COMPRESSED_BYTES: usize = 512;

const IN_MEMORY: &str = "writing to memory cannot fail";

/// Encodes ids as the body of a chunk.
pub(crate) fn encode_ids(ids: &[&TradeId]) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::with_capacity(8 + ids.len() * 16);
    out.push(PLAIN);
    let count = u32::try_from(ids.len()).expect("a transaction adds few ids to a set");
    write_array_len(&mut out, count).expect(IN_MEMORY);
    for id in ids {
        match id {
            TradeId::Number(number) => _ = write_uint(&mut out, *number).expect(IN_MEMORY),
            TradeId::Digits(text) | TradeId::Text(text) => {
                write_str(&mut out, text).expect(IN_MEMORY);
            }
        }
    }
    if out.len() < MIN_COMPRESSED_BYTES {
        return Ok(out);
    }
    let mut compressed = vec![COMPRESSED];
    compress(&out[1..], &mut compressed)?;
    Ok(compressed)
}

/// Decodes the body of a chunk and appends its ids to `ids`.
pub(crate) fn decode_ids(body: &[u8], ids: &mut Vec<TradeId>) -> Result<(), CompressionError> {
    match body.split_first() {
        Some((&PLAIN, array)) => decode_id_array(array, ids),
        Some((&COMPRESSED, array)) => decode_id_array(&decompress(array)?, ids),
        _ => Err(malformed("its format is not known")),
    }
}

/// Decodes a MessagePack array of ids.
fn decode_id_array(array: &[u8], ids: &mut Vec<TradeId>) -> Result<(), CompressionError> {
    let mut reader = MessagePackReader::new(array);
    let count = reader.read_array_length().map_err(malformed)?;
    for _ in 0..count {
        let id = match reader.peek_kind().map_err(malformed)? {
            ValueKind::Text => {
                TradeId::parse(reader.read_text().map_err(malformed)?).map_err(malformed)?
            }
            _ => TradeId::Number(reader.read_integer().map_err(malformed)?),
        };
        ids.push(id);
    }
    if reader.rest().is_empty() {
        return Ok(());
    }
    Err(malformed("bytes follow its end"))
}

fn malformed(reason: impl std::fmt::Display) -> CompressionError {
    CompressionError::Malformed(format!("chunk of ids: {reason}"))
}

#[cfg(test)]
mod tests {
    use market::TradeId;
    use proptest::prelude::*;

    use super::{decode_ids, encode_ids};

    proptest! {
        #[test]
        fn encoded_ids_are_decoded(texts in prop::collection::vec("[0-9]{1,30}|[!-~]{1,64}", 0..300)) {
            let ids: Vec<_> = texts.iter().map(|text| TradeId::parse(text).unwrap()).collect();
            let body = encode_ids(&ids.iter().collect::<Vec<_>>()).unwrap();
            let mut read = Vec::new();
            decode_ids(&body, &mut read).unwrap();
            prop_assert_eq!(read, ids);
        }

        #[test]
        fn damage_does_not_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode_ids(&bytes, &mut Vec::new());
        }
    }
}
