//! The record that follows a record which is left out.

use market::MINUTE_NS;
use rmp::encode::{write_bool, write_sint};

use super::kinds::{LEFT_OUT, write_record_header};
use crate::error::DecodeError;
use crate::record_reader::{RecordReader, check_array_length};
use crate::record_writer::IN_MEMORY;

const LEFT_OUT_ELEMENTS: u32 = 4;

/// An earlier record of the instrument that the key names is left out, because the bar store
/// refuses what it changes. States that were announced with it never were, so every bar that it may
/// have changed gets a later `through`: those of the minute, and of the windows that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOutNotice {
    /// The first nanosecond of the minute of the record that is left out.
    pub start_ns: i64,
    /// Whether that record is a refold. The minute's bar then stays as it is and is no longer
    /// provable; otherwise the minute is marked to be refolded.
    pub is_refold: bool,
}

impl LeftOutNotice {
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        write_record_header(out, LEFT_OUT_ELEMENTS, LEFT_OUT);
        write_sint(out, self.start_ns).expect(IN_MEMORY);
        write_bool(out, self.is_refold).expect(IN_MEMORY);
    }

    pub(super) fn decode(
        reader: &mut RecordReader<'_>,
        record_elements: u32,
    ) -> Result<Self, DecodeError> {
        check_array_length("record", record_elements, LEFT_OUT_ELEMENTS)?;
        let start_ns = reader.read_i64("start")?;
        if !(0..=i64::MAX - MINUTE_NS).contains(&start_ns) || start_ns % MINUTE_NS != 0 {
            return Err(DecodeError::malformed(
                "start",
                "a whole minute is expected",
            ));
        }
        Ok(Self {
            start_ns,
            is_refold: reader.read_boolean("is_refold")?,
        })
    }
}
