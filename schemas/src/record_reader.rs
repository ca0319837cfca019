//! Reading records with errors that name the field.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use market::{Decimal, Position, TextKind, TradeId, validate_text};

use crate::error::DecodeError;
use crate::msgpack::{MessagePackError, MessagePackReader, ValueKind};
use crate::record_writer::VERSION;

/// Reads the values of one record in order. The parameter `field` of its functions is the name by
/// which an error message calls the value that could not be read.
pub(crate) struct RecordReader<'a> {
    values: MessagePackReader<'a>,
}

impl<'a> RecordReader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            values: MessagePackReader::new(bytes),
        }
    }

    /// Returns the number of bytes that were not read yet.
    pub(crate) const fn unread_byte_count(&self) -> usize {
        self.values.rest().len()
    }

    pub(crate) fn read_array_length(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        add_field_to_error(field, self.values.read_array_length())
    }

    /// Reads the header of an array that must have `expected` elements.
    pub(crate) fn read_array_of_length(
        &mut self,
        field: &'static str,
        expected: u32,
    ) -> Result<(), DecodeError> {
        let found = self.read_array_length(field)?;
        check_array_length(field, found, expected)
    }

    #[inline]
    pub(crate) fn read_u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        add_field_to_error(field, self.values.read_integer())
    }

    #[inline]
    pub(crate) fn read_i64(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        add_field_to_error(field, self.values.read_integer())
    }

    pub(crate) fn read_boolean(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        add_field_to_error(field, self.values.read_boolean())
    }

    /// Reads nil if it is the next value. Returns whether it was.
    #[inline]
    pub(crate) fn read_nil_if_next(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        add_field_to_error(field, self.values.read_nil_if_next())
    }

    /// Reads whether two values are absent: both are nil, or neither.
    #[inline]
    pub(crate) fn read_two_nils_if_next(
        &mut self,
        field: &'static str,
    ) -> Result<bool, DecodeError> {
        if !self.read_nil_if_next(field)? {
            return Ok(false);
        }
        if !self.read_nil_if_next(field)? {
            return Err(DecodeError::malformed(field, "one of its two is nil"));
        }
        Ok(true)
    }

    pub(crate) fn read_text(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        add_field_to_error(field, self.values.read_text())
    }

    pub(crate) fn read_binary(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        add_field_to_error(field, self.values.read_binary())
    }

    /// Reads a text and parses it.
    pub(crate) fn read_parsed<T>(&mut self, field: &'static str) -> Result<T, DecodeError>
    where
        T: FromStr<Err: Display>,
    {
        let text = self.read_text(field)?;
        text.parse()
            .map_err(|error| DecodeError::malformed(field, &error))
    }

    /// Reads a decimal, which is two integers: the mantissa and the scale.
    #[inline]
    pub(crate) fn read_decimal(&mut self, field: &'static str) -> Result<Decimal, DecodeError> {
        let mantissa = self.read_i64(field)?;
        let scale = self.read_u64(field)?;
        let scale = u8::try_from(scale).map_err(|error| DecodeError::malformed(field, &error))?;
        Decimal::new(mantissa, scale).map_err(|error| DecodeError::malformed(field, &error))
    }

    /// Reads a position, which is two integers: the epoch and the offset.
    pub(crate) fn read_position(&mut self, field: &'static str) -> Result<Position, DecodeError> {
        Ok(Position {
            epoch: self.read_u64(field)?,
            offset: self.read_u64(field)?,
        })
    }

    /// Reads a trade's id: an integer, a text, or nil.
    #[inline]
    pub(crate) fn read_trade_id(
        &mut self,
        field: &'static str,
    ) -> Result<Option<TradeId>, DecodeError> {
        if self.read_nil_if_next(field)? {
            return Ok(None);
        }
        if add_field_to_error(field, self.values.peek_kind())? == ValueKind::Text {
            let text = self.read_text(field)?;
            let id = TradeId::parse(text).map_err(|error| DecodeError::malformed(field, &error))?;
            return Ok(Some(id));
        }
        Ok(Some(TradeId::Number(self.read_u64(field)?)))
    }

    /// Reads what an id is unique within: a text or nil.
    pub(crate) fn read_trade_scope(
        &mut self,
        field: &'static str,
    ) -> Result<Option<Arc<str>>, DecodeError> {
        if self.read_nil_if_next(field)? {
            return Ok(None);
        }
        let text = self.read_text(field)?;
        validate_text(TextKind::Scope, text)
            .map_err(|error| DecodeError::malformed(field, &error))?;
        Ok(Some(text.into()))
    }

    /// Reads the schema version with which every record begins.
    pub(crate) fn read_and_check_version(&mut self) -> Result<(), DecodeError> {
        match self.read_u64("version")? {
            VERSION => Ok(()),
            found => Err(DecodeError::Version {
                found,
                known: VERSION,
            }),
        }
    }

    /// Checks that no bytes follow.
    pub(crate) fn check_fully_read(&self, field: &'static str) -> Result<(), DecodeError> {
        if self.values.rest().is_empty() {
            return Ok(());
        }
        Err(DecodeError::malformed(field, "bytes follow its end"))
    }
}

/// Checks the number of elements of an array.
pub(crate) fn check_array_length(
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

#[inline]
fn add_field_to_error<T>(
    field: &'static str,
    read: Result<T, MessagePackError>,
) -> Result<T, DecodeError> {
    match read {
        Ok(value) => Ok(value),
        Err(error) => Err(DecodeError::malformed(field, &error)),
    }
}
