//! Reading MessagePack with errors that name the field.

use std::sync::Arc;

use market::{Decimal, TradeId};
use rmp::Marker;

use crate::DecodeError;

pub(crate) const VERSION: u64 = 1;

/// A cursor over the bytes of one record.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    fn peek(&self, field: &'static str) -> Result<Marker, DecodeError> {
        let first = self.bytes.first();
        first
            .map(|byte| Marker::from_u8(*byte))
            .ok_or_else(|| DecodeError::malformed(field, "the record ends early"))
    }

    pub(crate) fn array(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        rmp::decode::read_array_len(&mut self.bytes)
            .map_err(|error| DecodeError::malformed(field, &error))
    }

    /// An array of exactly so many elements.
    pub(crate) fn fields(&mut self, field: &'static str, expected: u32) -> Result<(), DecodeError> {
        let found = self.array(field)?;
        expect_fields(field, found, expected)
    }

    pub(crate) fn unsigned(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        rmp::decode::read_int(&mut self.bytes)
            .map_err(|error| DecodeError::malformed(field, &error))
    }

    pub(crate) fn signed(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        rmp::decode::read_int(&mut self.bytes)
            .map_err(|error| DecodeError::malformed(field, &error))
    }

    pub(crate) fn boolean(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        rmp::decode::read_bool(&mut self.bytes)
            .map_err(|error| DecodeError::malformed(field, &error))
    }

    /// Whether the next value is nil, which is then passed.
    pub(crate) fn nil(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        let nil = self.peek(field)? == Marker::Null;
        if nil {
            self.bytes = &self.bytes[1..];
        }
        Ok(nil)
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        let (text, rest) = rmp::decode::read_str_from_slice(self.bytes)
            .map_err(|error| DecodeError::malformed(field, &error))?;
        self.bytes = rest;
        Ok(text)
    }

    pub(crate) fn binary(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = rmp::decode::read_bin_len(&mut self.bytes)
            .map_err(|error| DecodeError::malformed(field, &error))?;
        let length = usize::try_from(length).expect("a usize holds 32 bits");
        let (value, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or_else(|| DecodeError::malformed(field, "the record ends early"))?;
        self.bytes = rest;
        Ok(value)
    }

    /// A text that is parsed into a value.
    pub(crate) fn parsed<T>(&mut self, field: &'static str) -> Result<T, DecodeError>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let text = self.text(field)?;
        text.parse()
            .map_err(|error| DecodeError::malformed(field, &error))
    }

    /// A decimal as two integers: mantissa, scale.
    pub(crate) fn decimal(&mut self, field: &'static str) -> Result<Decimal, DecodeError> {
        let mantissa = self.signed(field)?;
        let scale = self.unsigned(field)?;
        let scale = u8::try_from(scale).map_err(|error| DecodeError::malformed(field, &error))?;
        Decimal::new(mantissa, scale).map_err(|error| DecodeError::malformed(field, &error))
    }

    /// An id: an integer, a text, or nil.
    pub(crate) fn id(&mut self, field: &'static str) -> Result<Option<TradeId>, DecodeError> {
        if self.nil(field)? {
            return Ok(None);
        }
        if matches!(
            self.peek(field)?,
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32
        ) {
            let text = self.text(field)?;
            let id = TradeId::parse(text).map_err(|error| DecodeError::malformed(field, &error))?;
            return Ok(Some(id));
        }
        Ok(Some(TradeId::Number(self.unsigned(field)?)))
    }

    /// What an id is unique within: a text or nil.
    pub(crate) fn scope(&mut self, field: &'static str) -> Result<Option<Arc<str>>, DecodeError> {
        if self.nil(field)? {
            return Ok(None);
        }
        let text = self.text(field)?;
        if text.is_empty() || text.len() > 64 {
            return Err(DecodeError::malformed(field, "1 to 64 bytes are expected"));
        }
        Ok(Some(text.into()))
    }

    /// Checks the version that every record opens with.
    pub(crate) fn version(&mut self) -> Result<(), DecodeError> {
        match self.unsigned("version")? {
            VERSION => Ok(()),
            found => Err(DecodeError::Version {
                found,
                known: VERSION,
            }),
        }
    }

    /// Checks that nothing is left over.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        Err(DecodeError::malformed("record", "bytes follow its end"))
    }
}

/// Checks how many elements an array has.
pub(crate) fn expect_fields(
    field: &'static str,
    found: u32,
    expected: u32,
) -> Result<(), DecodeError> {
    if found == expected {
        return Ok(());
    }
    Err(DecodeError::malformed(
        field,
        &format!("{found} elements; {expected} are expected"),
    ))
}

/// Why writing cannot fail.
pub(crate) const IN_MEMORY: &str = "writing to memory cannot fail";

pub(crate) fn write_id(out: &mut Vec<u8>, id: Option<&TradeId>) {
    match id {
        None => rmp::encode::write_nil(out).expect(IN_MEMORY),
        Some(TradeId::Number(number)) => {
            rmp::encode::write_uint(out, *number).expect(IN_MEMORY);
        }
        Some(TradeId::Digits(text) | TradeId::Text(text)) => {
            rmp::encode::write_str(out, text).expect(IN_MEMORY);
        }
    }
}

pub(crate) fn write_text_or_nil(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        None => rmp::encode::write_nil(out).expect(IN_MEMORY),
        Some(text) => rmp::encode::write_str(out, text).expect(IN_MEMORY),
    }
}
