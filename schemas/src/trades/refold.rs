//! The records that fold minutes again from their ticks.

use market::{Bar, DAY_NS, MINUTE_NS, Position};
use rmp::encode::{write_bool, write_sint, write_uint};

use super::kinds::{REFOLD, REPAIR, write_record_header};
use crate::bars::{BAR_VALUES, read_bar_values, write_bar_values};
use crate::error::DecodeError;
use crate::record_reader::{RecordReader, check_array_length};
use crate::record_writer::IN_MEMORY;

/// The version, the kind, the minute, the two numbers of the position, and the bar.
const REFOLD_ELEMENTS: u32 = 5 + BAR_VALUES;
const REPAIR_ELEMENTS: u32 = 5;

/// Replaces a minute by its refold: the fold of its trades, edited and cancelled, of the log up to
/// `up_to`, merged with the trades that arrived from there on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefoldResult {
    /// The minute's first nanosecond.
    pub start_ns: i64,
    /// The first position whose tick is not part of the refold. The record has no effect unless
    /// the minute's refold mark has the same position.
    pub up_to: Position,
    /// The bar of the minute's ticks before `up_to`, edited and cancelled; it is
    /// [empty](Bar::empty) if no trade is left. It replaces the bar of those trades only if it
    /// contains as many [admitted](Bar::admitted) trades, or if the mark says so.
    pub bar: Bar,
}

/// Marks the minutes that start in `[start_ns, end_ns)` for refolding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repair {
    /// The first minute's first nanosecond.
    pub start_ns: i64,
    /// The end of the last minute: at most a day after `start_ns`.
    pub end_ns: i64,
    /// Whether a refold replaces a bar even if the ticks show another number of trades than the
    /// bar has counted.
    pub force: bool,
}

impl RefoldResult {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write_record_header(out, REFOLD_ELEMENTS, REFOLD);
        write_sint(out, self.start_ns).expect(IN_MEMORY);
        write_uint(out, self.up_to.epoch).expect(IN_MEMORY);
        write_uint(out, self.up_to.offset).expect(IN_MEMORY);
        write_bar_values(out, &self.bar);
    }

    pub(super) fn decode(
        reader: &mut RecordReader<'_>,
        record_elements: u32,
    ) -> Result<Self, DecodeError> {
        check_array_length("record", record_elements, REFOLD_ELEMENTS)?;
        let start_ns = reader.read_i64("start")?;
        if start_ns < 0 || start_ns % MINUTE_NS != 0 {
            return Err(DecodeError::malformed(
                "start",
                "a whole minute is expected",
            ));
        }
        let up_to = reader.read_position("up_to")?;
        let bar = read_bar_values(reader)?;
        Ok(Self {
            start_ns,
            up_to,
            bar,
        })
    }
}

impl Repair {
    /// Returns whether the bounds are whole minutes since 1970, in order, and at most a day apart.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.start_ns >= 0
            && self.start_ns % MINUTE_NS == 0
            && self.end_ns % MINUTE_NS == 0
            && self.start_ns < self.end_ns
            && self.end_ns - self.start_ns <= DAY_NS
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write_record_header(out, REPAIR_ELEMENTS, REPAIR);
        write_sint(out, self.start_ns).expect(IN_MEMORY);
        write_sint(out, self.end_ns).expect(IN_MEMORY);
        write_bool(out, self.force).expect(IN_MEMORY);
    }

    pub(super) fn decode(
        reader: &mut RecordReader<'_>,
        record_elements: u32,
    ) -> Result<Self, DecodeError> {
        check_array_length("record", record_elements, REPAIR_ELEMENTS)?;
        let repair = Self {
            start_ns: reader.read_i64("start")?,
            end_ns: reader.read_i64("end")?,
            force: reader.read_boolean("force")?,
        };
        if !repair.is_valid() {
            let expected = "whole minutes in order, at most a day apart, are expected";
            return Err(DecodeError::malformed("end", expected));
        }
        Ok(repair)
    }
}
