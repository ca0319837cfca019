//! Trades in JSON and NDJSON. Each element is read on its own: one that is bad loses no other.

use std::fmt;

use market::{Instrument, Trade};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::element::{malformed, repeated, unknown};
use super::fields::{NAMES, TradeReader};
use super::submission::{Fault, Submission};
use crate::raw_object::{MemberFault, RawObject};
use crate::{ErrorCode, Problem};

/// What a trade takes in JSON, roughly.
const TRADE_BYTES: usize = 128;

/// Reads one trade or an array of them.
pub(crate) fn read(body: &[u8], sender: Option<[u8; 16]>) -> Result<Submission, Problem> {
    let invalid = |reason: &dyn std::fmt::Display| {
        Problem::new(
            ErrorCode::InvalidBody,
            format!("the body is not JSON: {reason}"),
        )
        .accepted("one trade as an object, or an array of them")
    };
    let text = std::str::from_utf8(body).map_err(|error| invalid(&error))?;
    if !text.trim_start().starts_with('[') {
        // The whole must be JSON; what kind of JSON is the element's own affair.
        let element: &RawValue = serde_json::from_str(text).map_err(|error| invalid(&error))?;
        let mut submission = Submission::new(sender, 1);
        submission.push(0, read_element(element.get(), &mut TradeReader::default()));
        return Ok(submission);
    }
    let mut submission = Submission::new(sender, body.len() / TRADE_BYTES);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer
        .deserialize_seq(Elements(&mut submission))
        .and_then(|()| deserializer.end())
        .map_err(|error| invalid(&error))?;
    Ok(submission)
}

/// Takes the elements of an array one after the other, so that none is held longer than it is read.
struct Elements<'s>(&'s mut Submission);

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut reader = TradeReader::default();
        let mut index = 0;
        while let Some(element) = elements.next_element::<&'de RawValue>()? {
            self.0.push(index, read_element(element.get(), &mut reader));
            index += 1;
        }
        Ok(())
    }
}

/// Reads one trade a line; lines without anything are passed over, and counted.
pub(crate) fn read_lines(body: &[u8], sender: Option<[u8; 16]>) -> Submission {
    let mut submission = Submission::new(sender, body.len() / TRADE_BYTES);
    let mut reader = TradeReader::default();
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let element = std::str::from_utf8(line)
            .map_err(|error| malformed(format!("the line is not UTF-8: {error}")))
            .and_then(|line| read_element(line, &mut reader));
        submission.push(index, element);
    }
    submission
}

fn read_element(text: &str, reader: &mut TradeReader) -> Result<(Instrument, Trade), Fault> {
    let object = RawObject::parse(text, &NAMES)
        .map_err(|error| malformed(format!("a trade is a JSON object: {error}")))?;
    match &object.fault {
        Some(MemberFault::Unknown(name)) => Err(unknown(name)),
        Some(MemberFault::Repeated(name)) => Err(repeated(name)),
        None => reader.read(&std::array::from_fn(|place| object.value(place))),
    }
}

#[cfg(test)]
mod tests;
