//! Trades in MessagePack. Numbers are integers or texts: a float would not be exact.

use std::borrow::Cow;

use market::{Instrument, Trade};
use schemas::msgpack::{MessagePackError, MessagePackReader, ValueKind};

use super::element::{malformed_element_fault, repeated_field_fault, unknown_field_fault};
use super::fields::{FIELD_NAMES, TradeFields, TradeParser};
use super::submission::{ElementFault, TradeSubmission};
use crate::problem::{ErrorCode, Problem};
use crate::raw_object::UnparsedValue;

/// How deep arrays and maps may be nested within an element.
const MAX_DEPTH: u32 = 16;
const FLOAT: &str = "a float, which is not exact";

/// Why the rest of the body cannot be read.
#[derive(Debug, thiserror::Error)]
enum MessagePackBodyError {
    #[error(transparent)]
    Value(#[from] MessagePackError),
    #[error("bytes follow its end")]
    TrailingBytes,
}

/// Reads one trade or an array of trades.
///
/// # Errors
/// A [`Problem`] if the body is not MessagePack.
pub(crate) fn read_msgpack_trades(
    body: &[u8],
    sender_key: Option<[u8; 16]>,
) -> Result<TradeSubmission, Problem> {
    let mut reader = MessagePackReader::new(body);
    let submission = read_submission(&mut reader, sender_key);
    submission.map_err(|error| {
        let offset = body.len() - reader.rest().len();
        let detail = format!("the body is not MessagePack: {error} at byte {offset}");
        Problem::new(ErrorCode::InvalidBody, detail)
            .with_accepted("one trade as a map, or an array of them")
    })
}

fn read_submission(
    reader: &mut MessagePackReader<'_>,
    sender_key: Option<[u8; 16]>,
) -> Result<TradeSubmission, MessagePackBodyError> {
    let mut parser = TradeParser::default();
    let mut submission = TradeSubmission::new(sender_key, 0);
    if reader.peek_kind()? == ValueKind::Array {
        for index in 0..reader.read_array_length()? as usize {
            submission.push(index, read_trade_element(reader, &mut parser)?);
        }
    } else {
        submission.push(0, read_trade_element(reader, &mut parser)?);
    }
    match reader.rest() {
        [] => Ok(submission),
        _ => Err(MessagePackBodyError::TrailingBytes),
    }
}

/// Reads one element to its end, even if it is not a trade.
fn read_trade_element(
    reader: &mut MessagePackReader<'_>,
    parser: &mut TradeParser,
) -> Result<Result<(Instrument, Trade), ElementFault>, MessagePackError> {
    if reader.peek_kind()? != ValueKind::Map {
        reader.skip_value(MAX_DEPTH)?;
        return Ok(Err(malformed_element_fault("a trade is a map")));
    }
    let mut fields: TradeFields<'_> = std::array::from_fn(|_| UnparsedValue::Null);
    let mut is_given = [false; FIELD_NAMES.len()];
    let mut fault = None;
    for _ in 0..reader.read_map_length()? {
        let name = read_value(reader)?;
        let value = read_value(reader)?;
        let UnparsedValue::Text(name) = name else {
            fault = fault.or_else(|| Some(malformed_element_fault("a field's name is not a text")));
            continue;
        };
        match FIELD_NAMES.iter().position(|known| *known == name) {
            Some(index) if is_given[index] => {
                fault = fault.or_else(|| Some(repeated_field_fault(FIELD_NAMES[index])));
            }
            Some(index) => {
                is_given[index] = true;
                fields[index] = value;
            }
            None => {
                let shown: String = name.chars().take(32).collect();
                fault = fault.or_else(|| Some(unknown_field_fault(&shown)));
            }
        }
    }
    Ok(fault.map_or_else(|| parser.parse(&fields), Err))
}

/// Reads the next value; one that cannot be a field of a trade is skipped.
fn read_value<'a>(
    reader: &mut MessagePackReader<'a>,
) -> Result<UnparsedValue<'a>, MessagePackError> {
    let name = match reader.peek_kind()? {
        ValueKind::Boolean => return Ok(UnparsedValue::Bool(reader.read_boolean()?)),
        ValueKind::Integer => {
            let integer: i128 = reader.read_integer()?;
            return Ok(UnparsedValue::Number(Cow::Owned(integer.to_string())));
        }
        ValueKind::Text => {
            let text = std::str::from_utf8(reader.read_text_bytes()?);
            let text = text.map(|text| UnparsedValue::Text(Cow::Borrowed(text)));
            return Ok(text.unwrap_or(UnparsedValue::Other("a text that is not UTF-8")));
        }
        ValueKind::Nil => {
            reader.read_nil_if_next()?;
            return Ok(UnparsedValue::Null);
        }
        ValueKind::Float => FLOAT,
        ValueKind::Binary => "binary",
        ValueKind::Array => "an array",
        ValueKind::Map => "a map",
        ValueKind::Extension => "an extension",
    };
    reader.skip_value(MAX_DEPTH)?;
    Ok(UnparsedValue::Other(name))
}

#[cfg(test)]
mod tests;
