//! Records into blobs.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Blob, HEADER_BYTES};
use crate::{NewRecord, Offset};

/// Blobs end once they are this long, so that a read from the middle of one skips little.
const MAX_BLOB_BYTES: usize = 256 * 1024;

/// A rest shorter than this is not divided to save space.
const MIN_CUT_BYTES: usize = 16 * 1024;

/// What the store needs of a page beside the value. Its pages are powers of two, so a blob that
/// just fills one wastes nothing.
const PAGE_OVERHEAD_BYTES: usize = 128;

/// Where a partition's next blob goes on from.
#[derive(Debug, Clone, Copy)]
pub(in crate::embedded) struct Position {
    /// The offset of its first record.
    pub(in crate::embedded) first: Offset,
    /// The append time of its records.
    pub(in crate::embedded) append_time_ns: i64,
    /// The bytes of all blobs before it.
    pub(in crate::embedded) total_bytes: u64,
}

/// Encodes entries into blobs. `size_bytes` is what their keys and values hold together.
pub(in crate::embedded) fn encode<'a>(
    position: Position,
    entries: impl Iterator<Item = &'a NewRecord>,
    size_bytes: usize,
) -> Vec<Blob> {
    let mut encoder = Encoder::new(position, size_bytes);
    for entry in entries {
        encoder.push(entry);
    }
    encoder.finish()
}

struct Encoder<'a> {
    position: Position,
    rest_bytes: usize,
    cut_bytes: usize,
    count: u32,
    key: Option<&'a Bytes>,
    buffer: BytesMut,
    blobs: Vec<Blob>,
}

impl<'a> Encoder<'a> {
    fn new(position: Position, size_bytes: usize) -> Self {
        let cut_bytes = cut_bytes(size_bytes);
        Self {
            position,
            rest_bytes: size_bytes,
            cut_bytes,
            count: 0,
            key: None,
            buffer: Self::buffer(size_bytes.min(cut_bytes)),
            blobs: Vec::new(),
        }
    }

    fn buffer(size_bytes: usize) -> BytesMut {
        let mut buffer = BytesMut::with_capacity(size_bytes + PAGE_OVERHEAD_BYTES);
        buffer.put_bytes(0, HEADER_BYTES);
        buffer
    }

    fn push(&mut self, entry: &'a NewRecord) {
        let size_bytes = entry.key.len() + entry.value.len();
        if self.count > 0 && self.buffer.len() + size_bytes + 2 > self.cut_bytes {
            self.cut();
        }
        if self.key == Some(&entry.key) {
            self.buffer.put_u8(0);
        } else {
            put_varint(&mut self.buffer, entry.key.len() + 1);
            self.buffer.put_slice(&entry.key);
            self.key = Some(&entry.key);
        }
        put_varint(&mut self.buffer, entry.value.len());
        self.buffer.put_slice(&entry.value);
        self.count += 1;
        self.rest_bytes = self.rest_bytes.saturating_sub(size_bytes);
    }

    /// Ends the blob and begins the next one.
    fn cut(&mut self) {
        self.cut_bytes = cut_bytes(self.rest_bytes);
        let next = Self::buffer(self.rest_bytes.min(self.cut_bytes));
        let mut buffer = std::mem::replace(&mut self.buffer, next);
        let Position {
            first,
            append_time_ns,
            total_bytes,
        } = self.position;
        let total_bytes = total_bytes + buffer.len() as u64;
        let mut header = &mut buffer[..HEADER_BYTES];
        header.put_u32_le(self.count);
        header.put_i64_le(append_time_ns);
        header.put_u64_le(total_bytes);
        let end = first + u64::from(self.count);
        self.blobs.push(Blob {
            first,
            end,
            append_time_ns,
            total_bytes,
            bytes: buffer.freeze(),
        });
        self.position.first = end;
        self.position.total_bytes = total_bytes;
        self.count = 0;
        self.key = None;
    }

    fn finish(mut self) -> Vec<Blob> {
        if self.count > 0 {
            self.cut();
        }
        self.blobs
    }
}

/// How long the next blob may be when `rest_bytes` are still to come: just under a power of two.
fn cut_bytes(rest_bytes: usize) -> usize {
    let power = if rest_bytes >= MAX_BLOB_BYTES {
        MAX_BLOB_BYTES
    } else {
        1 << rest_bytes.max(MIN_CUT_BYTES).ilog2()
    };
    power - PAGE_OVERHEAD_BYTES
}

fn put_varint(buffer: &mut BytesMut, value: usize) {
    let mut rest = value;
    while rest >= 0x80 {
        buffer.put_u8(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    buffer.put_u8(rest.to_le_bytes()[0]);
}
