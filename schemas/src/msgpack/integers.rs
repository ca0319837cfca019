//! Reading integers.

use rmp::Marker;

use super::{MessagePackReader, ReadError, ValueKind};

impl MessagePackReader<'_> {
    /// Reads an integer, whatever its width, as a type that has room for its value.
    ///
    /// # Errors
    /// [`ReadError::IntegerRange`] if it does not fit `T`; [`ReadError`] if the next value is not
    /// an integer.
    pub fn read_integer<T>(&mut self) -> Result<T, ReadError>
    where
        T: TryFrom<u64> + TryFrom<i64>,
    {
        let unsigned = |value: u64| T::try_from(value).map_err(|_| ReadError::IntegerRange);
        let signed = |value: i64| T::try_from(value).map_err(|_| ReadError::IntegerRange);
        match self.peek_marker()? {
            Marker::FixPos(value) => self.skip_marker(unsigned(value.into())?),
            Marker::FixNeg(value) => self.skip_marker(signed(value.into())?),
            Marker::U8 => unsigned(u8::from_be_bytes(self.read_bytes()?).into()),
            Marker::U16 => unsigned(u16::from_be_bytes(self.read_bytes()?).into()),
            Marker::U32 => unsigned(u32::from_be_bytes(self.read_bytes()?).into()),
            Marker::U64 => unsigned(u64::from_be_bytes(self.read_bytes()?)),
            Marker::I8 => signed(i8::from_be_bytes(self.read_bytes()?).into()),
            Marker::I16 => signed(i16::from_be_bytes(self.read_bytes()?).into()),
            Marker::I32 => signed(i32::from_be_bytes(self.read_bytes()?).into()),
            Marker::I64 => signed(i64::from_be_bytes(self.read_bytes()?)),
            _ => Err(self.wrong_kind(ValueKind::Integer)),
        }
    }

    /// Reads the marker byte and the `N` bytes after it.
    fn read_bytes<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let after_marker = self.rest.get(1..).ok_or(ReadError::EndOfInput)?;
        let split = after_marker.split_first_chunk();
        let (bytes, rest) = split.ok_or(ReadError::EndOfInput)?;
        self.rest = rest;
        Ok(*bytes)
    }
}
