//! The numbers of the kinds of records, and the header that names them.

use rmp::encode::{write_array_len, write_uint};

use crate::record_writer::{IN_MEMORY, VERSION};

pub(super) const TRADE: u64 = 0;
pub(super) const ADVANCE: u64 = 1;
pub(super) const SETTING: u64 = 2;
pub(super) const EDIT: u64 = 3;
pub(super) const CANCEL: u64 = 4;
pub(super) const REFOLD: u64 = 5;
pub(super) const REPAIR: u64 = 6;
pub(super) const LEFT_OUT: u64 = 7;
pub(super) const SETTING_COPY: u64 = 8;

/// Writes the header of a record: an array of `elements`, the first two of which are the version
/// and the kind.
pub(super) fn write_record_header(out: &mut Vec<u8>, elements: u32, kind: u64) {
    write_array_len(out, elements).expect(IN_MEMORY);
    write_uint(out, VERSION).expect(IN_MEMORY);
    write_uint(out, kind).expect(IN_MEMORY);
}
