//! The body of a block: a version byte, then compressed ticks. Each tick has the difference of its
//! offset to that of the tick before, the difference of its append time, the length of its value
//! and the value. Numbers are LEB128; the difference of append times is zigzag-encoded first.

use bytes::Bytes;

use crate::compression::{compress, decompress};
use crate::sqlite::database_error::DatabaseError;
use crate::tick_store::TickRecord;

const VERSION: u8 = 1;

/// A block with more ticks than this is split.
const MAX_TICKS: usize = 65_536;
/// A block with more bytes of values than this is split.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A tick of a block. Its event time is in its value.
pub(super) struct ArchivedTick {
    pub(super) offset: u64,
    pub(super) append_time_ns: i64,
    pub(super) value: Bytes,
}

/// Splits ticks into pieces of at most [`MAX_TICKS`] and [`MAX_BYTES`].
pub(super) fn split_into_block_sizes(
    mut ticks: &[TickRecord],
) -> impl Iterator<Item = &[TickRecord]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let length = ticks
            .iter()
            .take(MAX_TICKS)
            .take_while(|tick| {
                bytes += tick.value.len();
                bytes <= MAX_BYTES
            })
            .count();
        let (piece, rest) = ticks.split_at(length.max(1).min(ticks.len()));
        ticks = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Returns the uncompressed body.
pub(super) fn encode_block_body(ticks: &[TickRecord]) -> Vec<u8> {
    let bytes: usize = ticks.iter().map(|tick| tick.value.len() + 8).sum();
    let mut out = Vec::with_capacity(bytes);
    let (mut offset, mut append_time_ns) = (0, 0);
    for tick in ticks {
        write_leb128(&mut out, tick.offset.wrapping_sub(offset));
        let delta = tick.append_time_ns.wrapping_sub(append_time_ns);
        write_leb128(&mut out, ((delta << 1) ^ (delta >> 63)).cast_unsigned());
        write_leb128(&mut out, tick.value.len() as u64);
        out.extend_from_slice(&tick.value);
        (offset, append_time_ns) = (tick.offset, tick.append_time_ns);
    }
    out
}

/// Compresses what [`encode_block_body`] returned.
pub(super) fn compress_block_body(raw: &[u8]) -> Result<Vec<u8>, DatabaseError> {
    let mut body = vec![VERSION];
    compress(raw, &mut body)?;
    Ok(body)
}

/// Returns the ticks of a compressed body, which must have `tick_count` of them.
pub(super) fn decompress_and_decode_block_body(
    body: &[u8],
    tick_count: usize,
) -> Result<Vec<ArchivedTick>, DatabaseError> {
    let Some((&VERSION, compressed)) = body.split_first() else {
        return Err(malformed("its version is unknown"));
    };
    let mut rest = Bytes::from(decompress(compressed)?);
    let mut ticks = Vec::with_capacity(tick_count.min(MAX_TICKS));
    let (mut offset, mut append_time_ns) = (0_u64, 0_i64);
    while !rest.is_empty() {
        offset = offset.wrapping_add(read_leb128(&mut rest)?);
        let delta = read_leb128(&mut rest)?;
        let delta = (delta >> 1).cast_signed() ^ -(delta & 1).cast_signed();
        append_time_ns = append_time_ns.wrapping_add(delta);
        let length = read_leb128(&mut rest)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= rest.len());
        let length = length.ok_or_else(|| malformed("it ends early"))?;
        ticks.push(ArchivedTick {
            offset,
            append_time_ns,
            value: rest.split_to(length),
        });
    }
    if ticks.len() == tick_count {
        return Ok(ticks);
    }
    Err(malformed("its number of ticks is not that of its row"))
}

fn write_leb128(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

fn read_leb128(bytes: &mut Bytes) -> Result<u64, DatabaseError> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let _ = bytes.split_to(index + 1);
            return Ok(value);
        }
    }
    Err(malformed("a number has no end"))
}

fn malformed(reason: &str) -> DatabaseError {
    DatabaseError::Malformed(format!("block of ticks: {reason}"))
}

#[cfg(test)]
mod tests;
