//! Exact ids as the body of a chunk: a format byte, then a MessagePack array of numbers and
//! texts, compressed where that pays.

use market::TradeId;
use rmp::Marker;
use rmp::encode::{write_array_len, write_str, write_uint};

use crate::compression::{CompressionError, compress, decompress};

const PLAIN: u8 = 1;
const COMPRESSED: u8 = 2;

/// From how many bytes on a chunk is compressed.
const COMPRESSED_FROM_BYTES: usize = 512;

const IN_MEMORY: &str = "writing to memory cannot fail";

/// The body of a chunk.
pub(crate) fn encode(ids: &[&TradeId]) -> Result<Vec<u8>, CompressionError> {
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
    if out.len() < COMPRESSED_FROM_BYTES {
        return Ok(out);
    }
    let mut compressed = vec![COMPRESSED];
    compress(&out[1..], &mut compressed)?;
    Ok(compressed)
}

/// Reads the body of a chunk, adding to `ids`.
pub(crate) fn decode(body: &[u8], ids: &mut Vec<TradeId>) -> Result<(), CompressionError> {
    match body.split_first() {
        Some((&PLAIN, packed)) => decode_array(packed, ids),
        Some((&COMPRESSED, packed)) => decode_array(&decompress(packed)?, ids),
        _ => Err(malformed("its format is not known")),
    }
}

fn decode_array(mut packed: &[u8], ids: &mut Vec<TradeId>) -> Result<(), CompressionError> {
    let count = rmp::decode::read_array_len(&mut packed).map_err(malformed)?;
    for _ in 0..count {
        let first = packed.first().ok_or_else(|| malformed("it ends early"))?;
        let id = match Marker::from_u8(*first) {
            Marker::FixStr(_) | Marker::Str8 => {
                let (text, rest) = rmp::decode::read_str_from_slice(packed).map_err(malformed)?;
                packed = rest;
                TradeId::parse(text).map_err(malformed)?
            }
            _ => TradeId::Number(rmp::decode::read_int(&mut packed).map_err(malformed)?),
        };
        ids.push(id);
    }
    if packed.is_empty() {
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

    use super::{decode, encode};

    proptest! {
        #[test]
        fn what_is_written_is_read(texts in prop::collection::vec("[0-9]{1,30}|[!-~]{1,64}", 0..300)) {
            let ids: Vec<_> = texts.iter().map(|text| TradeId::parse(text).unwrap()).collect();
            let body = encode(&ids.iter().collect::<Vec<_>>()).unwrap();
            let mut read = Vec::new();
            decode(&body, &mut read).unwrap();
            prop_assert_eq!(read, ids);
        }

        #[test]
        fn damage_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes, &mut Vec::new());
        }
    }
}
