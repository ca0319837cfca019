//! Why a value cannot be read.

use super::kind::ValueKind;

/// Why a value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessagePackError {
    /// The bytes end before the value does.
    #[error("the bytes end early")]
    EndOfInput,
    /// The value is of another type.
    #[error("{expected} is expected, not {found}")]
    WrongKind {
        /// The type that was requested.
        expected: ValueKind,
        /// The type of the value.
        found: ValueKind,
    },
    /// The integer does not fit the requested type.
    #[error("the integer is out of range")]
    IntegerRange,
    /// A text is not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// The byte 0xc1, with which no value begins.
    #[error("no value begins with the byte 0xc1")]
    Reserved,
    /// Arrays and maps are nested deeper than the caller allows.
    #[error("the values are nested too deep")]
    TooDeep,
}
