//! Some consecutive records of a partition as one value of the file.
//!
//! A blob is a header and then each record's key and value:
//!
//! | field | form |
//! |---|---|
//! | how many records | u32, little-endian |
//! | append time of all of them, UTC ns | i64, little-endian |
//! | bytes of the partition's blobs up to and with this one, ever | u64, little-endian |
//! | a record's key | varint of 0: as the record before; else of length + 1, and the bytes |
//! | a record's value | varint of the length, and the bytes |

use bytes::{BufMut, Bytes, BytesMut};

use crate::{Entry, Offset, Record};

const HEADER_BYTES: usize = 4 + 8 + 8;

/// Blobs end once they are this long, so that a read from the middle of one skips little.
const MAX_BLOB_BYTES: usize = 256 * 1024;

/// A rest shorter than this is not divided to save space.
const MIN_CUT_BYTES: usize = 16 * 1024;

/// What the store needs of a page beside the value. Its pages are powers of two, so a blob that
/// just fills one wastes nothing.
const PAGE_OVERHEAD_BYTES: usize = 128;

/// A blob that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a batch of records is malformed")]
pub(super) struct Malformed;

/// Some consecutive records of one partition, encoded.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    /// The offset of its first record.
    pub(super) first: Offset,
    /// One past the offset of its last record.
    pub(super) end: Offset,
    /// When its records were appended, in UTC nanoseconds.
    pub(super) append_time_ns: i64,
    /// The bytes of all blobs the partition ever had, up to and with this one.
    pub(super) total_bytes: u64,
    /// Header and records.
    pub(super) bytes: Bytes,
}

impl Blob {
    /// Reads the header of a blob whose last record is at `last`.
    pub(super) fn parse(last: Offset, bytes: Bytes) -> Result<Self, Malformed> {
        let (count, rest) = bytes.split_first_chunk::<4>().ok_or(Malformed)?;
        let (append_time_ns, rest) = rest.split_first_chunk::<8>().ok_or(Malformed)?;
        let total_bytes = rest.first_chunk::<8>().ok_or(Malformed)?;
        let count = u64::from(u32::from_le_bytes(*count));
        let end = last.checked_add(1).ok_or(Malformed)?;
        Ok(Self {
            first: end.checked_sub(count).ok_or(Malformed)?,
            end,
            append_time_ns: i64::from_le_bytes(*append_time_ns),
            total_bytes: u64::from_le_bytes(*total_bytes),
            bytes,
        })
    }

    /// The offset of its last record, which is its key in the file.
    pub(super) fn last(&self) -> Offset {
        self.end - 1
    }

    /// Appends the records in `[from, until)` to `records`, as slices of the blob, until they
    /// hold `max_bytes` of keys and values. Answers whether there was room for all of them.
    pub(super) fn decode(
        &self,
        from: Offset,
        until: Offset,
        max_bytes: usize,
        records: &mut Records,
    ) -> Result<bool, Malformed> {
        let mut cursor = Cursor::new(self);
        for offset in self.first..self.end.min(until) {
            let (key, value) = cursor.next()?;
            if offset < from {
                continue;
            }
            let key_bytes = cursor.key.1 - cursor.key.0;
            if !records.has_room(key_bytes + value.1 - value.0, max_bytes) {
                return Ok(false);
            }
            let key = match (key, records.list.last()) {
                (Key::Same, Some(last)) if last.offset >= self.first => last.key.clone(),
                _ => self.bytes.slice(cursor.key.0..cursor.key.1),
            };
            records.list.push(Record {
                offset,
                append_time_ns: self.append_time_ns,
                key,
                value: self.bytes.slice(value.0..value.1),
            });
        }
        Ok(true)
    }
}

/// The records of a fetch, and what they hold.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// The records, oldest first.
    pub(super) list: Vec<Record>,
    used_bytes: usize,
}

impl Records {
    /// Takes room for a record; the first one always finds it.
    fn has_room(&mut self, record_bytes: usize, max_bytes: usize) -> bool {
        let used_bytes = self.used_bytes.saturating_add(record_bytes + 1);
        if !self.list.is_empty() && used_bytes > max_bytes {
            return false;
        }
        self.used_bytes = used_bytes;
        true
    }
}

/// A place between two records of a blob.
struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
    key: (usize, usize),
}

#[derive(Clone, Copy)]
enum Key {
    Same,
    New,
}

impl<'a> Cursor<'a> {
    fn new(blob: &'a Blob) -> Self {
        Self {
            bytes: &blob.bytes,
            position: HEADER_BYTES,
            key: (HEADER_BYTES, HEADER_BYTES),
        }
    }

    /// Reads past one record, answering where its value lies; its key lies at `self.key`.
    fn next(&mut self) -> Result<(Key, (usize, usize)), Malformed> {
        let key = match self.varint()? {
            0 => Key::Same,
            length => {
                self.key = self.range(length - 1)?;
                Key::New
            }
        };
        let length = self.varint()?;
        Ok((key, self.range(length)?))
    }

    fn range(&mut self, length: usize) -> Result<(usize, usize), Malformed> {
        let start = self.position;
        let end = start.checked_add(length).ok_or(Malformed)?;
        if end > self.bytes.len() {
            return Err(Malformed);
        }
        self.position = end;
        Ok((start, end))
    }

    fn varint(&mut self) -> Result<usize, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.position).ok_or(Malformed)?;
            self.position += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return usize::try_from(value).map_err(|_| Malformed);
            }
        }
        Err(Malformed)
    }
}

/// Where a partition's next blob goes on from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    /// The offset of its first record.
    pub(super) first: Offset,
    /// The append time of its records.
    pub(super) append_time_ns: i64,
    /// The bytes of all blobs before it.
    pub(super) total_bytes: u64,
}

/// Encodes entries into blobs. `size_bytes` is what their keys and values hold together.
pub(super) fn encode<'a>(
    position: Position,
    entries: impl Iterator<Item = &'a Entry>,
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

    fn push(&mut self, entry: &'a Entry) {
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
        buffer.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "less than 128")]
    buffer.put_u8(rest as u8);
}
