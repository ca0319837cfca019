//! Writing what several kinds of records have in common.

use market::TradeId;
use rmp::encode::{write_nil, write_str, write_uint};

/// The schema version with which every record begins.
pub(crate) const VERSION: u64 = 1;

/// Why writing a record never fails.
pub(crate) const IN_MEMORY: &str = "writing to memory cannot fail";

/// Writes a trade's id: an integer, a text, or nil.
pub(crate) fn write_trade_id(out: &mut Vec<u8>, id: Option<&TradeId>) {
    match id {
        None => write_nil(out).expect(IN_MEMORY),
        Some(TradeId::Number(number)) => _ = write_uint(out, *number).expect(IN_MEMORY),
        Some(TradeId::Digits(text) | TradeId::Text(text)) => {
            write_str(out, text).expect(IN_MEMORY);
        }
    }
}

pub(crate) fn write_text_or_nil(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        None => write_nil(out).expect(IN_MEMORY),
        Some(text) => write_str(out, text).expect(IN_MEMORY),
    }
}
