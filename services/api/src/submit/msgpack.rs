//! Trades in MessagePack. Numbers are integers or texts: a float would not be exact.

use std::borrow::Cow;

use market::{Instrument, Trade};
use rmp::Marker;

use super::element::{malformed, repeated, unknown};
use super::fields::{Fields, NAMES, TradeReader};
use super::submission::{Fault, Submission};
use crate::raw_object::Value;
use crate::{ErrorCode, Problem};

/// How deep arrays and maps may be nested within an element.
const DEPTH_LIMIT: u32 = 16;
const FLOAT: &str = "a float, which is not exact";

/// Why the body cannot be read on.
struct Broken(&'static str);

/// Reads one trade or an array of them.
pub(crate) fn read(body: &[u8], sender: Option<[u8; 16]>) -> Result<Submission, Problem> {
    let mut values = Values { rest: body };
    let submission = read_all(&mut values, sender);
    submission.map_err(|Broken(reason)| {
        let place = body.len() - values.rest.len();
        let detail = format!("the body is not MessagePack: {reason} at byte {place}");
        Problem::new(ErrorCode::InvalidBody, detail)
            .accepted("one trade as a map, or an array of them")
    })
}

fn read_all(values: &mut Values<'_>, sender: Option<[u8; 16]>) -> Result<Submission, Broken> {
    let mut reader = TradeReader::default();
    let mut submission = Submission::new(sender, 0);
    match values.array_length()? {
        None => submission.push(0, read_element(values, &mut reader)?),
        Some(count) => {
            for index in 0..count as usize {
                let element = read_element(values, &mut reader)?;
                submission.push(index, element);
            }
        }
    }
    match values.rest {
        [] => Ok(submission),
        _ => Err(Broken("bytes follow its end")),
    }
}

/// Reads one element to its end, whatever it is.
fn read_element(
    values: &mut Values<'_>,
    reader: &mut TradeReader,
) -> Result<Result<(Instrument, Trade), Fault>, Broken> {
    let Some(members) = values.map_length()? else {
        values.next(DEPTH_LIMIT)?;
        return Ok(Err(malformed("a trade is a map")));
    };
    let mut fields: Fields<'_> = std::array::from_fn(|_| Value::Null);
    let mut given = [false; NAMES.len()];
    let mut fault = None;
    for _ in 0..members {
        let name = values.next(DEPTH_LIMIT)?;
        let value = values.next(DEPTH_LIMIT)?;
        let Value::Text(name) = name else {
            fault = fault.or_else(|| Some(malformed("a field's name is not a text")));
            continue;
        };
        match NAMES.iter().position(|known| *known == name) {
            Some(place) if given[place] => fault = fault.or_else(|| Some(repeated(NAMES[place]))),
            Some(place) => {
                given[place] = true;
                fields[place] = value;
            }
            None => {
                let shown: String = name.chars().take(32).collect();
                fault = fault.or_else(|| Some(unknown(&shown)));
            }
        }
    }
    Ok(fault.map_or_else(|| reader.read(&fields), Err))
}

/// A cursor over MessagePack values.
struct Values<'a> {
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    fn marker(&self) -> Result<Marker, Broken> {
        let first = self.rest.first().ok_or(Broken("it ends early"))?;
        Ok(Marker::from_u8(*first))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(Broken("it ends early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// An unsigned integer of some bytes, after the marker.
    fn size(&mut self, bytes: usize) -> Result<usize, Broken> {
        let taken = self.take(bytes)?.iter();
        Ok(taken.fold(0, |size, byte| size << 8 | usize::from(*byte)))
    }

    /// The length of the array that comes next, where it is one.
    fn array_length(&mut self) -> Result<Option<u32>, Broken> {
        match self.marker()? {
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                let length = rmp::decode::read_array_len(&mut self.rest);
                length.map(Some).map_err(|_| Broken("it ends early"))
            }
            _ => Ok(None),
        }
    }

    /// The length of the map that comes next, where it is one.
    fn map_length(&mut self) -> Result<Option<u32>, Broken> {
        match self.marker()? {
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                let length = rmp::decode::read_map_len(&mut self.rest);
                length.map(Some).map_err(|_| Broken("it ends early"))
            }
            _ => Ok(None),
        }
    }

    /// The next value, whole.
    fn next(&mut self, depth: u32) -> Result<Value<'a>, Broken> {
        match self.marker()? {
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                let length = self.array_length()?.unwrap_or(0);
                self.pass(u64::from(length), depth)?;
                Ok(Value::Other("an array"))
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                let length = self.map_length()?.unwrap_or(0);
                self.pass(2 * u64::from(length), depth)?;
                Ok(Value::Other("a map"))
            }
            marker if is_integer(marker) => {
                let integer: i128 =
                    rmp::decode::read_int(&mut self.rest).map_err(|_| Broken("it ends early"))?;
                Ok(Value::Number(Cow::Owned(integer.to_string())))
            }
            marker => {
                self.take(1)?;
                self.plain(marker)
            }
        }
    }

    /// Passes values that are within another.
    fn pass(&mut self, count: u64, depth: u32) -> Result<(), Broken> {
        let depth = depth
            .checked_sub(1)
            .ok_or(Broken("it is nested too deep"))?;
        for _ in 0..count {
            self.next(depth)?;
        }
        Ok(())
    }

    /// A value that is neither an integer nor holds others, after its marker.
    fn plain(&mut self, marker: Marker) -> Result<Value<'a>, Broken> {
        match marker {
            Marker::Null => Ok(Value::Null),
            Marker::True => Ok(Value::Bool(true)),
            Marker::False => Ok(Value::Bool(false)),
            Marker::F32 => self.other(4, FLOAT),
            Marker::F64 => self.other(8, FLOAT),
            Marker::FixStr(length) => self.text(length.into()),
            Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let length = self.size(1 << (marker.to_u8() - Marker::Str8.to_u8()))?;
                self.text(length)
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let length = self.size(1 << (marker.to_u8() - Marker::Bin8.to_u8()))?;
                self.other(length, "binary")
            }
            Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16 => {
                let length = 1 << (marker.to_u8() - Marker::FixExt1.to_u8());
                self.other(1 + length, "an extension")
            }
            Marker::Ext8 | Marker::Ext16 | Marker::Ext32 => {
                let length = self.size(1 << (marker.to_u8() - Marker::Ext8.to_u8()))?;
                self.other(1 + length, "an extension")
            }
            _ => Err(Broken("there is a byte that begins no value")),
        }
    }

    fn other(&mut self, length: usize, name: &'static str) -> Result<Value<'a>, Broken> {
        self.take(length)?;
        Ok(Value::Other(name))
    }

    fn text(&mut self, length: usize) -> Result<Value<'a>, Broken> {
        match std::str::from_utf8(self.take(length)?) {
            Ok(text) => Ok(Value::Text(Cow::Borrowed(text))),
            Err(_) => Ok(Value::Other("a text that is not UTF-8")),
        }
    }
}

const fn is_integer(marker: Marker) -> bool {
    matches!(
        marker,
        Marker::FixPos(_)
            | Marker::FixNeg(_)
            | Marker::U8
            | Marker::U16
            | Marker::U32
            | Marker::U64
            | Marker::I8
            | Marker::I16
            | Marker::I32
            | Marker::I64
    )
}

#[cfg(test)]
mod tests;
