//! The types of values.

use std::fmt;

use rmp::Marker;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// Nil.
    Nil,
    /// `true` or `false`.
    Boolean,
    /// An integer of any width and sign.
    Integer,
    /// A float of either width.
    Float,
    /// A text (`str`).
    Text,
    /// Bytes (`bin`).
    Binary,
    /// An array.
    Array,
    /// A map.
    Map,
    /// An extension type, such as a timestamp.
    Extension,
}

impl ValueKind {
    /// Returns the type of the value that begins with `marker`; `None` for the reserved byte.
    pub(super) const fn from_marker(marker: Marker) -> Option<Self> {
        Some(match marker {
            Marker::Null => Self::Nil,
            Marker::True | Marker::False => Self::Boolean,
            Marker::FixPos(_)
            | Marker::FixNeg(_)
            | Marker::U8
            | Marker::U16
            | Marker::U32
            | Marker::U64
            | Marker::I8
            | Marker::I16
            | Marker::I32
            | Marker::I64 => Self::Integer,
            Marker::F32 | Marker::F64 => Self::Float,
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => Self::Text,
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => Self::Binary,
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => Self::Array,
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => Self::Map,
            Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32 => Self::Extension,
            Marker::Reserved => return None,
        })
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Nil => "nil",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Float => "a float",
            Self::Text => "a text",
            Self::Binary => "binary",
            Self::Array => "an array",
            Self::Map => "a map",
            Self::Extension => "an extension",
        })
    }
}
