//! Encoding records into blobs.

use bytes::{BufMut, Bytes, BytesMut};

use super::blob::{CHECKSUM_BYTES, HEADER_BYTES, RecordBlob, blob_checksum};
use crate::record::{NewRecord, Offset, PartitionId};

/// How large a blob may become, so that a read from its middle skips little.
const MAX_BLOB_BYTES: usize = 256 * 1024;

/// Records of fewer bytes than this are not split into two blobs to save space.
const MIN_SPLIT_BYTES: usize = 16 * 1024;

/// How many bytes of a page the database needs in addition to the value. Its pages are powers of
/// two, so a blob that just fills one wastes nothing.
const PAGE_OVERHEAD_BYTES: usize = 128;

/// Where the next blob of a partition begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlobStart {
    /// The partition.
    pub(super) partition: PartitionId,
    /// The offset of its first record.
    pub(super) first: Offset,
    /// The append time of its records, in UTC nanoseconds.
    pub(super) append_time_ns: i64,
    /// The bytes of all blobs of the partition before it.
    pub(super) total_bytes: u64,
}

/// Encodes records into blobs. `total_record_bytes` is the size of all keys and values together.
pub(super) fn encode_blobs<'a>(
    start: BlobStart,
    records: impl Iterator<Item = &'a NewRecord>,
    total_record_bytes: usize,
) -> Vec<RecordBlob> {
    let mut encoder = BlobEncoder::new(start, total_record_bytes);
    for record in records {
        encoder.push(record);
    }
    encoder.finish()
}

/// Encodes the records of one partition, one by one, and begins a new blob when one is full.
struct BlobEncoder<'a> {
    /// Where the blob in `buffer` begins.
    start: BlobStart,
    /// The bytes of keys and values that are still to be encoded.
    remaining_bytes: usize,
    /// The size at which the blob in `buffer` ends.
    max_bytes: usize,
    /// How many records are in `buffer`.
    count: u32,
    /// The last key in `buffer`.
    key: Option<&'a Bytes>,
    buffer: BytesMut,
    blobs: Vec<RecordBlob>,
}

impl<'a> BlobEncoder<'a> {
    fn new(start: BlobStart, total_record_bytes: usize) -> Self {
        let max_bytes = max_blob_bytes(total_record_bytes);
        Self {
            start,
            remaining_bytes: total_record_bytes,
            max_bytes,
            count: 0,
            key: None,
            buffer: Self::new_buffer(total_record_bytes.min(max_bytes)),
            blobs: Vec::new(),
        }
    }

    /// Returns a buffer with space for the header, which [`Self::finish_blob`] fills in.
    fn new_buffer(size_bytes: usize) -> BytesMut {
        let mut buffer = BytesMut::with_capacity(size_bytes + PAGE_OVERHEAD_BYTES);
        buffer.put_bytes(0, HEADER_BYTES);
        buffer
    }

    fn push(&mut self, record: &'a NewRecord) {
        let size_bytes = record.key.len() + record.value.len();
        if self.count > 0 && self.buffer.len() + size_bytes + 2 > self.max_bytes {
            self.finish_blob();
        }
        if self.key == Some(&record.key) {
            self.buffer.put_u8(0);
        } else {
            write_varint(&mut self.buffer, record.key.len() + 1);
            self.buffer.put_slice(&record.key);
            self.key = Some(&record.key);
        }
        write_varint(&mut self.buffer, record.value.len());
        self.buffer.put_slice(&record.value);
        self.count += 1;
        self.remaining_bytes = self.remaining_bytes.saturating_sub(size_bytes);
    }

    /// Writes the header of the blob in `buffer`, and begins the next blob.
    fn finish_blob(&mut self) {
        self.max_bytes = max_blob_bytes(self.remaining_bytes);
        let next = Self::new_buffer(self.remaining_bytes.min(self.max_bytes));
        let mut buffer = std::mem::replace(&mut self.buffer, next);
        let BlobStart {
            partition,
            first,
            append_time_ns,
            total_bytes,
        } = self.start;
        let total_bytes = total_bytes + buffer.len() as u64;
        let mut header = &mut buffer[CHECKSUM_BYTES..HEADER_BYTES];
        header.put_u32_le(self.count);
        header.put_i64_le(append_time_ns);
        header.put_u64_le(total_bytes);
        let end = first + u64::from(self.count);
        let checksum = blob_checksum(partition, end - 1, &buffer[CHECKSUM_BYTES..]);
        buffer[..CHECKSUM_BYTES].copy_from_slice(&checksum.to_le_bytes());
        self.blobs.push(RecordBlob {
            first,
            end,
            append_time_ns,
            total_bytes,
            bytes: buffer.freeze(),
        });
        self.start.first = end;
        self.start.total_bytes = total_bytes;
        self.count = 0;
        self.key = None;
    }

    fn finish(mut self) -> Vec<RecordBlob> {
        if self.count > 0 {
            self.finish_blob();
        }
        self.blobs
    }
}

/// Returns how large the next blob may become if `remaining_bytes` of records are still to be
/// encoded. The size is just below a power of two.
fn max_blob_bytes(remaining_bytes: usize) -> usize {
    let power = if remaining_bytes >= MAX_BLOB_BYTES {
        MAX_BLOB_BYTES
    } else {
        1 << remaining_bytes.max(MIN_SPLIT_BYTES).ilog2()
    };
    power - PAGE_OVERHEAD_BYTES
}

fn write_varint(buffer: &mut BytesMut, value: usize) {
    let mut rest = value;
    while rest >= 0x80 {
        buffer.put_u8(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    buffer.put_u8(rest.to_le_bytes()[0]);
}
