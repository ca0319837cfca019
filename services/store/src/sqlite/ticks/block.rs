//! The body of a block: a version byte, then compressed, for each tick: how much its offset and
//! its append time are above those of the one before, the length of its value, its value. Numbers
//! are LEB128, the append time's zigzag first.

use bytes::Bytes;

use crate::TickRecord;
use crate::compression::{compress, decompress};
use crate::sqlite::failure::Failure;

const VERSION: u8 = 1;

/// Past these a block is split.
const MOST_TICKS: usize = 65_536;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A tick as its block holds it; its event time is in its value.
pub(super) struct ArchivedTick {
    pub(super) offset: u64,
    pub(super) append_time_ns: i64,
    pub(super) value: Bytes,
}

/// Cuts ticks into pieces that are not too large.
pub(super) fn pieces(mut ticks: &[TickRecord]) -> impl Iterator<Item = &[TickRecord]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let length = ticks
            .iter()
            .take(MOST_TICKS)
            .take_while(|tick| {
                bytes += tick.value.len();
                bytes <= MOST_BYTES
            })
            .count();
        let (piece, rest) = ticks.split_at(length.max(1).min(ticks.len()));
        ticks = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The uncompressed body.
pub(super) fn encode(ticks: &[TickRecord]) -> Vec<u8> {
    let bytes: usize = ticks.iter().map(|tick| tick.value.len() + 8).sum();
    let mut out = Vec::with_capacity(bytes);
    let (mut offset, mut append_time_ns) = (0, 0);
    for tick in ticks {
        write_number(&mut out, tick.offset.wrapping_sub(offset));
        let delta = tick.append_time_ns.wrapping_sub(append_time_ns);
        write_number(&mut out, ((delta << 1) ^ (delta >> 63)).cast_unsigned());
        write_number(&mut out, tick.value.len() as u64);
        out.extend_from_slice(&tick.value);
        (offset, append_time_ns) = (tick.offset, tick.append_time_ns);
    }
    out
}

/// The body of what [`encode`] gave.
pub(super) fn pack(raw: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut body = vec![VERSION];
    compress(raw, &mut body)?;
    Ok(body)
}

/// Reads a body.
pub(super) fn unpack(body: &[u8], tick_count: usize) -> Result<Vec<ArchivedTick>, Failure> {
    let Some((&VERSION, compressed)) = body.split_first() else {
        return Err(malformed("its version is not known"));
    };
    let mut rest = Bytes::from(decompress(compressed)?);
    let mut ticks = Vec::with_capacity(tick_count.min(MOST_TICKS));
    let (mut offset, mut append_time_ns) = (0_u64, 0_i64);
    while !rest.is_empty() {
        offset = offset.wrapping_add(read_number(&mut rest)?);
        let delta = read_number(&mut rest)?;
        let delta = (delta >> 1).cast_signed() ^ -(delta & 1).cast_signed();
        append_time_ns = append_time_ns.wrapping_add(delta);
        let length = read_number(&mut rest)?;
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
    Err(malformed("it has not the ticks that its row counts"))
}

fn write_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

fn read_number(bytes: &mut Bytes) -> Result<u64, Failure> {
    let mut value = 0;
    for (place, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let _ = bytes.split_to(place + 1);
            return Ok(value);
        }
    }
    Err(malformed("a number has no end"))
}

fn malformed(reason: &str) -> Failure {
    Failure::Malformed(format!("block of ticks: {reason}"))
}

#[cfg(test)]
mod tests;
