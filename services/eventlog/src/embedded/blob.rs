//! Consecutive records of a partition as one value of the file.
//!
//! A blob is a header followed by the key and value of each record:
//!
//! | field | form |
//! |---|---|
//! | checksum: CRC-32 (ISO-HDLC) of the partition (u32, little-endian), the offset of the last record (u64, little-endian) and the rest of the blob | u32, little-endian |
//! | number of records | u32, little-endian |
//! | append time of all records, UTC ns | i64, little-endian |
//! | total bytes of all blobs that the partition ever had, including this one | u64, little-endian |
//! | key of a record | varint: 0 if it equals the previous key, otherwise the length + 1 and the bytes |
//! | value of a record | varint of the length, and the bytes |

use bytes::Bytes;

use crate::record::{Offset, PartitionId, Record};

/// The size of the checksum, with which the header begins.
pub(super) const CHECKSUM_BYTES: usize = 4;

/// The size of the header.
pub(super) const HEADER_BYTES: usize = CHECKSUM_BYTES + 4 + 8 + 8;

/// Blobs that are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DamagedBlob {
    /// The blob or its key has changed.
    #[error(
        "the records of partition {partition} up to offset {last} are damaged: their checksum \
         does not match"
    )]
    Checksum {
        /// The partition in the key.
        partition: PartitionId,
        /// The offset of the last record in the key.
        last: Offset,
    },
    /// The blob has no records of the form that is written.
    #[error(
        "the records of partition {partition} up to offset {last} are damaged: they cannot be \
         decoded"
    )]
    Malformed {
        /// The partition in the key.
        partition: PartitionId,
        /// The offset of the last record in the key.
        last: Offset,
    },
    /// The file has no blob with a record that was written.
    #[error("the record of partition {partition} at offset {offset} is missing")]
    Missing {
        /// The partition.
        partition: PartitionId,
        /// The offset of the record.
        offset: Offset,
    },
}

/// The bytes of a blob are no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MalformedBlob;

/// Returns the checksum of the blob of `partition` whose last record has the offset
/// `last_offset`. `contents` is the blob without its checksum.
pub(super) fn blob_checksum(partition: PartitionId, last_offset: Offset, contents: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    // With the key, so that a blob under a damaged key is noticed too.
    checksum.update(&partition.to_le_bytes());
    checksum.update(&last_offset.to_le_bytes());
    checksum.update(contents);
    checksum.finalize()
}

/// Consecutive records of one partition, encoded.
#[derive(Debug, Clone)]
pub(super) struct RecordBlob {
    /// The offset of the first record.
    pub(super) first: Offset,
    /// One past the offset of the last record.
    pub(super) end: Offset,
    /// When the records were appended, in UTC nanoseconds.
    pub(super) append_time_ns: i64,
    /// The bytes of all blobs that the partition ever had, including this one.
    pub(super) total_bytes: u64,
    /// The header, which begins with the checksum, and the records.
    pub(super) bytes: Bytes,
}

impl RecordBlob {
    /// Checks a blob of `partition` whose last record has the offset `last_offset` by its
    /// checksum, and decodes its header.
    pub(super) fn parse(
        partition: PartitionId,
        last_offset: Offset,
        bytes: Bytes,
    ) -> Result<Self, DamagedBlob> {
        let is_intact =
            bytes
                .split_first_chunk::<CHECKSUM_BYTES>()
                .is_some_and(|(checksum, contents)| {
                    u32::from_le_bytes(*checksum) == blob_checksum(partition, last_offset, contents)
                });
        let last = last_offset;
        if !is_intact {
            return Err(DamagedBlob::Checksum { partition, last });
        }
        Self::decode_header(last_offset, bytes)
            .map_err(|MalformedBlob| DamagedBlob::Malformed { partition, last })
    }

    fn decode_header(last_offset: Offset, bytes: Bytes) -> Result<Self, MalformedBlob> {
        let rest = bytes.get(CHECKSUM_BYTES..).ok_or(MalformedBlob)?;
        let (count, rest) = rest.split_first_chunk::<4>().ok_or(MalformedBlob)?;
        let (append_time_ns, rest) = rest.split_first_chunk::<8>().ok_or(MalformedBlob)?;
        let total_bytes = rest.first_chunk::<8>().ok_or(MalformedBlob)?;
        let count = u64::from(u32::from_le_bytes(*count));
        let end = last_offset.checked_add(1).ok_or(MalformedBlob)?;
        Ok(Self {
            first: end.checked_sub(count).ok_or(MalformedBlob)?,
            end,
            append_time_ns: i64::from_le_bytes(*append_time_ns),
            total_bytes: u64::from_le_bytes(*total_bytes),
            bytes,
        })
    }

    /// Returns the offset of the last record, which is the key of the blob in the file.
    pub(super) fn last_offset(&self) -> Offset {
        self.end - 1
    }

    /// Appends the records in `[from, until)` to `fetched`, as slices of the blob, until `fetched`
    /// holds `max_bytes` of keys and values. Returns whether all of these records fitted.
    pub(super) fn decode_range_and_tell_if_all_fit(
        &self,
        from: Offset,
        until: Offset,
        max_bytes: usize,
        fetched: &mut FetchedRecords,
    ) -> Result<bool, MalformedBlob> {
        let mut cursor = BlobCursor::new(self);
        for offset in self.first..self.end.min(until) {
            let (key_repetition, value) = cursor.read_record()?;
            if offset < from {
                continue;
            }
            let key_bytes = cursor.key.1 - cursor.key.0;
            if !fetched.try_reserve(key_bytes + value.1 - value.0, max_bytes) {
                return Ok(false);
            }
            let key = match (key_repetition, fetched.records.last()) {
                (KeyRepetition::SameAsPrevious, Some(last)) if last.offset >= self.first => {
                    last.key.clone()
                }
                _ => self.bytes.slice(cursor.key.0..cursor.key.1),
            };
            fetched.records.push(Record {
                offset,
                append_time_ns: self.append_time_ns,
                key,
                value: self.bytes.slice(value.0..value.1),
            });
        }
        Ok(true)
    }
}

/// The records of one fetch, and how many bytes they hold.
#[derive(Debug, Default)]
pub(super) struct FetchedRecords {
    /// The records, oldest first.
    pub(super) records: Vec<Record>,
    used_bytes: usize,
}

impl FetchedRecords {
    /// Reserves space for a record if it fits. Returns whether it does; the first record always
    /// fits.
    fn try_reserve(&mut self, record_bytes: usize, max_bytes: usize) -> bool {
        let used_bytes = self.used_bytes.saturating_add(record_bytes + 1);
        if !self.records.is_empty() && used_bytes > max_bytes {
            return false;
        }
        self.used_bytes = used_bytes;
        true
    }
}

/// Where bytes of a blob begin and end.
type ByteSpan = (usize, usize);

/// Reads a blob record by record.
struct BlobCursor<'a> {
    bytes: &'a [u8],
    /// Where the next record begins.
    position: usize,
    /// Where the key of the last record begins and ends.
    key: ByteSpan,
}

/// Whether a record of a blob repeats the key of the record before.
#[derive(Clone, Copy)]
enum KeyRepetition {
    /// The key is equal to that of the record before, and not repeated.
    SameAsPrevious,
    /// The blob contains the bytes of the key.
    Full,
}

impl<'a> BlobCursor<'a> {
    fn new(blob: &'a RecordBlob) -> Self {
        Self {
            bytes: &blob.bytes,
            position: HEADER_BYTES,
            key: (HEADER_BYTES, HEADER_BYTES),
        }
    }

    /// Reads one record. Returns how its key is held, which is at `self.key`, and where its value
    /// begins and ends.
    fn read_record(&mut self) -> Result<(KeyRepetition, ByteSpan), MalformedBlob> {
        let key_repetition = match self.read_varint()? {
            0 => KeyRepetition::SameAsPrevious,
            length => {
                self.key = self.skip_bytes(length - 1)?;
                KeyRepetition::Full
            }
        };
        let length = self.read_varint()?;
        Ok((key_repetition, self.skip_bytes(length)?))
    }

    /// Moves past `length` bytes, and returns where they begin and end.
    fn skip_bytes(&mut self, length: usize) -> Result<ByteSpan, MalformedBlob> {
        let start = self.position;
        let end = start.checked_add(length).ok_or(MalformedBlob)?;
        if end > self.bytes.len() {
            return Err(MalformedBlob);
        }
        self.position = end;
        Ok((start, end))
    }

    fn read_varint(&mut self) -> Result<usize, MalformedBlob> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.position).ok_or(MalformedBlob)?;
            self.position += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return usize::try_from(value).map_err(|_| MalformedBlob);
            }
        }
        Err(MalformedBlob)
    }
}
