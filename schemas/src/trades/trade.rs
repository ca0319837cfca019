//! The values of a trade, which the records of trades and of amendments end with.
//!
//! In order: time, price (two integers), quantity (two integers or two nils), side, id, scope,
//! sender (key and index). Absent values at the end are left out.

use market::{SenderTradeId, Side, Trade};
use rmp::encode::{write_bin, write_nil, write_sint, write_uint};

use crate::error::DecodeError;
use crate::record_reader::RecordReader;
use crate::record_writer::{IN_MEMORY, write_text_or_nil, write_trade_id};

/// The elements of a trade's record, version and kind included, if its last value is the price.
const UP_TO_PRICE: u32 = 5;
/// The same if its last value is the quantity.
const UP_TO_QUANTITY: u32 = 7;
const UP_TO_SIDE: u32 = 8;
const UP_TO_ID: u32 = 9;
const UP_TO_SCOPE: u32 = 10;
const UP_TO_SENDER: u32 = 12;

/// Returns the number of elements of a trade's record, version and kind included. Absent values at
/// the end are not counted.
pub(super) const fn trade_element_count(trade: &Trade) -> u32 {
    if trade.sender.is_some() {
        UP_TO_SENDER
    } else if trade.scope.is_some() {
        UP_TO_SCOPE
    } else if trade.id.is_some() {
        UP_TO_ID
    } else if trade.side.is_some() {
        UP_TO_SIDE
    } else if trade.quantity.is_some() {
        UP_TO_QUANTITY
    } else {
        UP_TO_PRICE
    }
}

/// Writes the values of a trade; `trade_elements` is what [`trade_element_count`] returns of it.
pub(super) fn encode_trade_values(trade: &Trade, trade_elements: u32, out: &mut Vec<u8>) {
    write_sint(out, trade.time_ns).expect(IN_MEMORY);
    write_sint(out, trade.price.mantissa()).expect(IN_MEMORY);
    write_uint(out, trade.price.scale().into()).expect(IN_MEMORY);
    if trade_elements < UP_TO_QUANTITY {
        return;
    }
    match trade.quantity {
        Some(quantity) => {
            write_sint(out, quantity.mantissa()).expect(IN_MEMORY);
            write_uint(out, quantity.scale().into()).expect(IN_MEMORY);
        }
        None => {
            write_nil(out).expect(IN_MEMORY);
            write_nil(out).expect(IN_MEMORY);
        }
    }
    if trade_elements < UP_TO_SIDE {
        return;
    }
    match trade.side {
        None => write_nil(out).expect(IN_MEMORY),
        Some(Side::Buy) => _ = write_uint(out, 0).expect(IN_MEMORY),
        Some(Side::Sell) => _ = write_uint(out, 1).expect(IN_MEMORY),
    }
    if trade_elements >= UP_TO_ID {
        write_trade_id(out, trade.id.as_ref());
    }
    if trade_elements >= UP_TO_SCOPE {
        write_text_or_nil(out, trade.scope.as_deref());
    }
    if let Some(sender) = trade.sender {
        write_bin(out, &sender.key).expect(IN_MEMORY);
        write_uint(out, sender.index).expect(IN_MEMORY);
    }
}

/// Reads the values of a trade whose record has `trade_elements`, version and kind included.
pub(super) fn decode_trade(
    reader: &mut RecordReader<'_>,
    trade_elements: u32,
) -> Result<Trade, DecodeError> {
    if !matches!(
        trade_elements,
        UP_TO_PRICE | UP_TO_QUANTITY..=UP_TO_SCOPE | UP_TO_SENDER
    ) {
        return Err(DecodeError::malformed(
            "record",
            &format!("{trade_elements} elements; a trade has 5, 7 to 10, or 12"),
        ));
    }
    let mut trade = Trade {
        time_ns: reader.read_i64("time")?,
        price: reader.read_decimal("price")?,
        quantity: None,
        side: None,
        id: None,
        scope: None,
        sender: None,
    };
    if trade_elements >= UP_TO_QUANTITY && !reader.read_two_nils_if_next("quantity")? {
        trade.quantity = Some(reader.read_decimal("quantity")?);
    }
    if trade_elements >= UP_TO_SIDE {
        trade.side = decode_side(reader)?;
    }
    if trade_elements >= UP_TO_ID {
        trade.id = reader.read_trade_id("id")?;
    }
    if trade_elements >= UP_TO_SCOPE {
        trade.scope = reader.read_trade_scope("scope")?;
    }
    if trade_elements >= UP_TO_SENDER {
        trade.sender = Some(decode_sender_trade_id(reader)?);
    }
    Ok(trade)
}

fn decode_side(reader: &mut RecordReader<'_>) -> Result<Option<Side>, DecodeError> {
    if reader.read_nil_if_next("side")? {
        return Ok(None);
    }
    match reader.read_u64("side")? {
        0 => Ok(Some(Side::Buy)),
        1 => Ok(Some(Side::Sell)),
        _ => Err(DecodeError::malformed("side", "0, 1 or nil is expected")),
    }
}

fn decode_sender_trade_id(reader: &mut RecordReader<'_>) -> Result<SenderTradeId, DecodeError> {
    let key = reader.read_binary("sender")?;
    let key = key
        .try_into()
        .map_err(|_| DecodeError::malformed("sender", "16 bytes are expected"))?;
    let index = reader.read_u64("sender")?;
    Ok(SenderTradeId { key, index })
}
