//! Edits and cancels: the amendment's id, the position of the amended trade or two nils, and the
//! values of a trade.

use market::{Amendment, AmendmentKind, Trade};
use rmp::encode::{write_nil, write_uint};

use super::kinds::{CANCEL, EDIT, write_record_header};
use super::trade::{decode_trade, encode_trade_values, trade_element_count};
use crate::error::DecodeError;
use crate::record_reader::RecordReader;
use crate::record_writer::{IN_MEMORY, write_trade_id};

/// The elements that an amendment has in addition to those of a trade.
const ADDED_ELEMENTS: u32 = 3;

pub(super) fn encode_amendment(amendment: &Amendment, trade: &Trade, out: &mut Vec<u8>) {
    let elements = trade_element_count(trade);
    let kind = match amendment.kind {
        AmendmentKind::Edit => EDIT,
        AmendmentKind::Cancel => CANCEL,
    };
    write_record_header(out, elements + ADDED_ELEMENTS, kind);
    write_trade_id(out, Some(&amendment.id));
    match amendment.target_position {
        Some(position) => {
            write_uint(out, position.epoch).expect(IN_MEMORY);
            write_uint(out, position.offset).expect(IN_MEMORY);
        }
        None => {
            write_nil(out).expect(IN_MEMORY);
            write_nil(out).expect(IN_MEMORY);
        }
    }
    encode_trade_values(trade, elements, out);
}

pub(super) fn decode_amendment(
    reader: &mut RecordReader<'_>,
    record_elements: u32,
    kind: AmendmentKind,
) -> Result<(Amendment, Trade), DecodeError> {
    let id = reader.read_trade_id("amendment")?;
    let id = id.ok_or_else(|| DecodeError::malformed("amendment", "an id is expected"))?;
    let target_position = match reader.read_two_nils_if_next("target_position")? {
        true => None,
        false => Some(reader.read_position("target_position")?),
    };
    let trade = decode_trade(reader, record_elements.saturating_sub(ADDED_ELEMENTS))?;
    Ok((
        Amendment {
            id,
            kind,
            target_position,
        },
        trade,
    ))
}
