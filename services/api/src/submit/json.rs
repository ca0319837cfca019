//! Trades in JSON and NDJSON. Each element is read on its own: a bad one does not affect the
//! others.

use std::fmt::{self, Display};

use market::{Instrument, Trade};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::element::{malformed_element_fault, repeated_field_fault, unknown_field_fault};
use super::fields::{FIELD_NAMES, TradeParser};
use super::submission::{ElementFault, TradeSubmission};
use crate::problem::{ErrorCode, Problem};
use crate::raw_object::{MemberFault, RawObject};

/// The approximate size of a trade in JSON.
const TRADE_BYTES: usize = 128;

/// Reads one trade or an array of trades.
///
/// # Errors
/// A [`Problem`] if the body is not JSON.
pub(crate) fn read_json_trades(
    body: &[u8],
    sender_key: Option<[u8; 16]>,
) -> Result<TradeSubmission, Problem> {
    let invalid = |reason: &dyn Display| {
        Problem::new(
            ErrorCode::InvalidBody,
            format!("the body is not JSON: {reason}"),
        )
        .with_accepted("one trade as an object, or an array of them")
    };
    let text = std::str::from_utf8(body).map_err(|error| invalid(&error))?;
    if !text.trim_start().starts_with('[') {
        // A body that is not JSON is a problem; JSON that is not an object is a fault of the
        // element.
        let element: &RawValue = serde_json::from_str(text).map_err(|error| invalid(&error))?;
        let mut submission = TradeSubmission::new(sender_key, 1);
        submission.push(
            0,
            read_trade_element(element.get(), &mut TradeParser::default()),
        );
        return Ok(submission);
    }
    let mut submission = TradeSubmission::new(sender_key, body.len() / TRADE_BYTES);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer
        .deserialize_seq(ElementVisitor(&mut submission))
        .and_then(|()| deserializer.end())
        .map_err(|error| invalid(&error))?;
    Ok(submission)
}

/// Adds the elements of an array to a submission one after the other, so that only one is in memory
/// at a time.
struct ElementVisitor<'s>(&'s mut TradeSubmission);

impl<'de> Visitor<'de> for ElementVisitor<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut parser = TradeParser::default();
        let mut index = 0;
        while let Some(element) = elements.next_element::<&'de RawValue>()? {
            self.0
                .push(index, read_trade_element(element.get(), &mut parser));
            index += 1;
        }
        Ok(())
    }
}

/// Reads one trade per line. Empty lines are skipped but count for the index.
pub(crate) fn read_ndjson_trades(body: &[u8], sender_key: Option<[u8; 16]>) -> TradeSubmission {
    let mut submission = TradeSubmission::new(sender_key, body.len() / TRADE_BYTES);
    let mut parser = TradeParser::default();
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let element = std::str::from_utf8(line)
            .map_err(|error| malformed_element_fault(format!("the line is not UTF-8: {error}")))
            .and_then(|line| read_trade_element(line, &mut parser));
        submission.push(index, element);
    }
    submission
}

fn read_trade_element(
    text: &str,
    parser: &mut TradeParser,
) -> Result<(Instrument, Trade), ElementFault> {
    let object = RawObject::parse(text, &FIELD_NAMES)
        .map_err(|error| malformed_element_fault(format!("a trade is a JSON object: {error}")))?;
    match &object.fault {
        Some(MemberFault::Unknown(name)) => Err(unknown_field_fault(name)),
        Some(MemberFault::Repeated(name)) => Err(repeated_field_fault(name)),
        None => parser.parse(&std::array::from_fn(|index| object.value(index))),
    }
}

#[cfg(test)]
mod tests;
