//! The records of the topic `dead-letters`.

use bytes::Bytes;
use market::{Position, RejectReason};
use rmp::encode::{write_array_len, write_bin, write_sint, write_str, write_uint};

use crate::error::DecodeError;
use crate::record_reader::{RecordReader, check_array_length};
use crate::record_writer::{IN_MEMORY, VERSION};

const ELEMENTS: u32 = 9;

/// A rejected record, whole, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Why the record was rejected.
    pub reason: RejectReason,
    /// What is wrong with this record, for people.
    pub detail: String,
    /// The partition of the topic `trades` that holds the record.
    pub partition: u32,
    /// The record's position in that partition.
    pub position: Position,
    /// When the log stored the record, in UTC nanoseconds.
    pub append_time_ns: i64,
    /// The record's key.
    pub key: Bytes,
    /// The record's payload.
    pub value: Bytes,
}

impl DeadLetter {
    /// Encodes the dead letter as a MessagePack array.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.key.len() + self.value.len());
        write_array_len(&mut out, ELEMENTS).expect(IN_MEMORY);
        write_uint(&mut out, VERSION).expect(IN_MEMORY);
        write_str(&mut out, self.reason.code()).expect(IN_MEMORY);
        write_str(&mut out, &self.detail).expect(IN_MEMORY);
        write_uint(&mut out, self.partition.into()).expect(IN_MEMORY);
        write_uint(&mut out, self.position.epoch).expect(IN_MEMORY);
        write_uint(&mut out, self.position.offset).expect(IN_MEMORY);
        write_sint(&mut out, self.append_time_ns).expect(IN_MEMORY);
        write_bin(&mut out, &self.key).expect(IN_MEMORY);
        write_bin(&mut out, &self.value).expect(IN_MEMORY);
        out
    }

    /// Reads a dead letter.
    ///
    /// # Errors
    /// [`DecodeError`] if the bytes are not a dead letter.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = RecordReader::new(bytes);
        let elements = reader.read_array_length("record")?;
        reader.read_and_check_version()?;
        check_array_length("record", elements, ELEMENTS)?;
        let dead_letter = Self {
            reason: read_reason(&mut reader)?,
            detail: reader.read_text("detail")?.to_owned(),
            partition: u32::try_from(reader.read_u64("partition")?)
                .map_err(|error| DecodeError::malformed("partition", &error))?,
            position: Position {
                epoch: reader.read_u64("epoch")?,
                offset: reader.read_u64("offset")?,
            },
            append_time_ns: reader.read_i64("append_time")?,
            key: Bytes::copy_from_slice(reader.read_binary("key")?),
            value: Bytes::copy_from_slice(reader.read_binary("value")?),
        };
        reader.check_fully_read("record")?;
        Ok(dead_letter)
    }
}

fn read_reason(reader: &mut RecordReader<'_>) -> Result<RejectReason, DecodeError> {
    let code = reader.read_text("reason")?;
    RejectReason::from_code(code).ok_or_else(|| {
        let code: String = code.chars().take(32).collect();
        DecodeError::malformed("reason", &format!("{code:?} is not a reason"))
    })
}

#[cfg(test)]
mod tests;
