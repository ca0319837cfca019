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

mod encode;

use bytes::Bytes;

pub(super) use self::encode::{Position, encode};
use crate::{Offset, Record};

const HEADER_BYTES: usize = 4 + 8 + 8;

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
