//! The cursor over values.

use rmp::Marker;

use super::error::MessagePackError;
use super::kind::ValueKind;

/// A cursor over MessagePack values.
///
/// After an error it stays at or within the value that could not be read.
#[derive(Debug, Clone)]
pub struct MessagePackReader<'a> {
    rest: &'a [u8],
}

impl<'a> MessagePackReader<'a> {
    /// Returns a reader that starts at the first byte.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns the bytes that were not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns the type of the next value without reading it.
    ///
    /// # Errors
    /// [`MessagePackError::EndOfInput`] or [`MessagePackError::Reserved`].
    pub fn peek_kind(&self) -> Result<ValueKind, MessagePackError> {
        ValueKind::from_marker(self.peek_marker()?).ok_or(MessagePackError::Reserved)
    }

    /// Reads the header of an array. Returns the number of elements, which are the next values.
    ///
    /// # Errors
    /// [`MessagePackError`] if the next value is not an array.
    #[inline]
    pub fn read_array_length(&mut self) -> Result<u32, MessagePackError> {
        match self.peek_marker()? {
            Marker::FixArray(length) => self.skip_marker_and_return(length.into()),
            Marker::Array16 => self.read_marker_and_length(2),
            Marker::Array32 => self.read_marker_and_length(4),
            _ => Err(self.wrong_kind_error(ValueKind::Array)),
        }
    }

    /// Reads the header of a map. Returns the number of entries, each of which is a key and a
    /// value.
    ///
    /// # Errors
    /// [`MessagePackError`] if the next value is not a map.
    pub fn read_map_length(&mut self) -> Result<u32, MessagePackError> {
        match self.peek_marker()? {
            Marker::FixMap(length) => self.skip_marker_and_return(length.into()),
            Marker::Map16 => self.read_marker_and_length(2),
            Marker::Map32 => self.read_marker_and_length(4),
            _ => Err(self.wrong_kind_error(ValueKind::Map)),
        }
    }

    /// Reads an integer of any encoded width into `T`.
    ///
    /// # Errors
    /// [`MessagePackError::IntegerRange`] if the value does not fit `T`, and [`MessagePackError`]
    /// if the next value is not an integer.
    #[inline]
    pub fn read_integer<T>(&mut self) -> Result<T, MessagePackError>
    where
        T: TryFrom<u64> + TryFrom<i64>,
    {
        let unsigned = |value: u64| T::try_from(value).map_err(|_| MessagePackError::IntegerRange);
        let signed = |value: i64| T::try_from(value).map_err(|_| MessagePackError::IntegerRange);
        match self.peek_marker()? {
            Marker::FixPos(value) => self.skip_marker_and_return(unsigned(value.into())?),
            Marker::FixNeg(value) => self.skip_marker_and_return(signed(value.into())?),
            Marker::U8 => unsigned(u8::from_be_bytes(self.read_marker_and_bytes()?).into()),
            Marker::U16 => unsigned(u16::from_be_bytes(self.read_marker_and_bytes()?).into()),
            Marker::U32 => unsigned(u32::from_be_bytes(self.read_marker_and_bytes()?).into()),
            Marker::U64 => unsigned(u64::from_be_bytes(self.read_marker_and_bytes()?)),
            Marker::I8 => signed(i8::from_be_bytes(self.read_marker_and_bytes()?).into()),
            Marker::I16 => signed(i16::from_be_bytes(self.read_marker_and_bytes()?).into()),
            Marker::I32 => signed(i32::from_be_bytes(self.read_marker_and_bytes()?).into()),
            Marker::I64 => signed(i64::from_be_bytes(self.read_marker_and_bytes()?)),
            _ => Err(self.wrong_kind_error(ValueKind::Integer)),
        }
    }

    /// Reads a boolean.
    ///
    /// # Errors
    /// [`MessagePackError`] if the next value is not a boolean.
    pub fn read_boolean(&mut self) -> Result<bool, MessagePackError> {
        match self.peek_marker()? {
            Marker::True => self.skip_marker_and_return(true),
            Marker::False => self.skip_marker_and_return(false),
            _ => Err(self.wrong_kind_error(ValueKind::Boolean)),
        }
    }

    /// Reads nil if it is the next value. Returns whether it was.
    ///
    /// # Errors
    /// [`MessagePackError::EndOfInput`].
    #[inline]
    pub fn read_nil_if_next(&mut self) -> Result<bool, MessagePackError> {
        match self.peek_marker()? {
            Marker::Null => self.skip_marker_and_return(true),
            _ => Ok(false),
        }
    }

    /// Reads a text.
    ///
    /// # Errors
    /// [`MessagePackError`] if the next value is not a text in UTF-8.
    pub fn read_text(&mut self) -> Result<&'a str, MessagePackError> {
        let bytes = self.read_text_bytes()?;
        std::str::from_utf8(bytes).map_err(|_| MessagePackError::NotUtf8)
    }

    /// Reads a text that may not be UTF-8.
    ///
    /// # Errors
    /// [`MessagePackError`] if the next value is not a text.
    pub fn read_text_bytes(&mut self) -> Result<&'a [u8], MessagePackError> {
        let length = match self.peek_marker()? {
            Marker::FixStr(length) => self.skip_marker_and_return(length.into())?,
            Marker::Str8 => self.read_marker_and_length(1)?,
            Marker::Str16 => self.read_marker_and_length(2)?,
            Marker::Str32 => self.read_marker_and_length(4)?,
            _ => return Err(self.wrong_kind_error(ValueKind::Text)),
        };
        self.read_exact_bytes(length)
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// [`MessagePackError`] if the next value is not binary.
    pub fn read_binary(&mut self) -> Result<&'a [u8], MessagePackError> {
        let length = match self.peek_marker()? {
            Marker::Bin8 => self.read_marker_and_length(1)?,
            Marker::Bin16 => self.read_marker_and_length(2)?,
            Marker::Bin32 => self.read_marker_and_length(4)?,
            _ => return Err(self.wrong_kind_error(ValueKind::Binary)),
        };
        self.read_exact_bytes(length)
    }

    /// Skips the next value with all that it contains. `max_depth` is how many arrays and maps
    /// may be nested in one another, the value itself included.
    ///
    /// # Errors
    /// [`MessagePackError::EndOfInput`], [`MessagePackError::Reserved`] or
    /// [`MessagePackError::TooDeep`].
    pub fn skip_value(&mut self, max_depth: u32) -> Result<(), MessagePackError> {
        match self.peek_kind()? {
            ValueKind::Nil | ValueKind::Boolean => self.skip_marker_and_return(()),
            ValueKind::Integer => self.read_integer::<i128>().map(drop),
            ValueKind::Text => self.read_text_bytes().map(drop),
            ValueKind::Binary => self.read_binary().map(drop),
            ValueKind::Float => {
                let is_double = self.peek_marker()? == Marker::F64;
                self.skip_bytes(if is_double { 9 } else { 5 })
            }
            ValueKind::Array => {
                let length = self.read_array_length()?;
                self.skip_contained_values(length.into(), max_depth)
            }
            ValueKind::Map => {
                let length = self.read_map_length()?;
                self.skip_contained_values(2 * u64::from(length), max_depth)
            }
            ValueKind::Extension => self.skip_extension(),
        }
    }

    /// Skips the values that an array or a map contains.
    fn skip_contained_values(
        &mut self,
        count: u64,
        max_depth: u32,
    ) -> Result<(), MessagePackError> {
        let max_depth = max_depth.checked_sub(1).ok_or(MessagePackError::TooDeep)?;
        for _ in 0..count {
            self.skip_value(max_depth)?;
        }
        Ok(())
    }

    fn skip_extension(&mut self) -> Result<(), MessagePackError> {
        let length = match self.peek_marker()? {
            Marker::FixExt1 => self.skip_marker_and_return(1)?,
            Marker::FixExt2 => self.skip_marker_and_return(2)?,
            Marker::FixExt4 => self.skip_marker_and_return(4)?,
            Marker::FixExt8 => self.skip_marker_and_return(8)?,
            Marker::FixExt16 => self.skip_marker_and_return(16)?,
            Marker::Ext8 => self.read_marker_and_length(1)?,
            Marker::Ext16 => self.read_marker_and_length(2)?,
            Marker::Ext32 => self.read_marker_and_length(4)?,
            _ => return Err(self.wrong_kind_error(ValueKind::Extension)),
        };
        // One byte is the extension's type.
        self.skip_bytes(1)?;
        self.read_exact_bytes(length).map(drop)
    }

    #[inline]
    fn peek_marker(&self) -> Result<Marker, MessagePackError> {
        let first = self.rest.first().ok_or(MessagePackError::EndOfInput)?;
        Ok(Marker::from_u8(*first))
    }

    /// Skips the marker byte, which [`Self::peek_marker`] has returned, and returns `value`.
    #[inline]
    fn skip_marker_and_return<T>(&mut self, value: T) -> Result<T, MessagePackError> {
        self.skip_bytes(1)?;
        Ok(value)
    }

    #[inline]
    fn skip_bytes(&mut self, count: usize) -> Result<(), MessagePackError> {
        self.rest = self.rest.get(count..).ok_or(MessagePackError::EndOfInput)?;
        Ok(())
    }

    /// Reads the marker byte and the big-endian length of `width` bytes after it.
    fn read_marker_and_length(&mut self, width: usize) -> Result<u32, MessagePackError> {
        let header = self
            .rest
            .get(1..=width)
            .ok_or(MessagePackError::EndOfInput)?;
        self.rest = &self.rest[1 + width..];
        Ok(header
            .iter()
            .fold(0, |length, byte| length << 8 | u32::from(*byte)))
    }

    /// Reads the marker byte and the `N` bytes after it.
    #[inline]
    fn read_marker_and_bytes<const N: usize>(&mut self) -> Result<[u8; N], MessagePackError> {
        let after_marker = self.rest.get(1..).ok_or(MessagePackError::EndOfInput)?;
        let split = after_marker.split_first_chunk();
        let (bytes, rest) = split.ok_or(MessagePackError::EndOfInput)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn read_exact_bytes(&mut self, length: u32) -> Result<&'a [u8], MessagePackError> {
        let length = usize::try_from(length).map_err(|_| MessagePackError::EndOfInput)?;
        let split = self.rest.split_at_checked(length);
        let (taken, rest) = split.ok_or(MessagePackError::EndOfInput)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Returns why the next value is not of the type `expected`.
    #[cold]
    fn wrong_kind_error(&self, expected: ValueKind) -> MessagePackError {
        match self.peek_kind() {
            Ok(found) => MessagePackError::WrongKind { expected, found },
            Err(error) => error,
        }
    }
}

#[cfg(test)]
mod tests;
