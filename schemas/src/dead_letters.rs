//! The records of the topic `dead-letters`.

use bytes::Bytes;
use market::{Position, RejectReason};
use rmp::encode::{write_array_len, write_bin, write_sint, write_str, write_uint};

use crate::DecodeError;
use crate::read::{IN_MEMORY, Reader, VERSION, expect_fields};

const FIELDS: u32 = 9;

/// A record that was not counted, whole, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Why it was not counted.
    pub reason: RejectReason,
    /// What exactly was wrong.
    pub detail: String,
    /// The partition of `trades` that it is in.
    pub partition: u32,
    /// Where in that partition.
    pub position: Position,
    /// When the log took it, in UTC nanoseconds.
    pub append_time_ns: i64,
    /// Its key.
    pub key: Bytes,
    /// Its payload.
    pub value: Bytes,
}

impl DeadLetter {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.key.len() + self.value.len());
        write_array_len(&mut out, FIELDS).expect(IN_MEMORY);
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

    /// Reads one.
    ///
    /// # Errors
    /// [`DecodeError`], where the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let fields = reader.array("record")?;
        reader.version()?;
        expect_fields("record", fields, FIELDS)?;
        let letter = Self {
            reason: read_reason(&mut reader)?,
            detail: reader.text("detail")?.to_owned(),
            partition: u32::try_from(reader.unsigned("partition")?)
                .map_err(|error| DecodeError::malformed("partition", &error))?,
            position: Position {
                epoch: reader.unsigned("epoch")?,
                offset: reader.unsigned("offset")?,
            },
            append_time_ns: reader.signed("append_time")?,
            key: Bytes::copy_from_slice(reader.binary("key")?),
            value: Bytes::copy_from_slice(reader.binary("value")?),
        };
        reader.end()?;
        Ok(letter)
    }
}

fn read_reason(reader: &mut Reader<'_>) -> Result<RejectReason, DecodeError> {
    let code = reader.text("reason")?;
    RejectReason::from_code(code).ok_or_else(|| {
        let code: String = code.chars().take(32).collect();
        DecodeError::malformed("reason", &format!("{code:?} is none"))
    })
}

#[cfg(test)]
mod tests;
