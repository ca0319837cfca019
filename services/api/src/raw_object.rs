//! JSON objects whose values stay as they were written, so that numbers never become floats.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An object whose members have known names, with their values as written.
pub(crate) struct RawObject<'a, const N: usize> {
    /// The value of each name, in the order of the names; `None` if it is not given.
    pub(crate) values: [Option<&'a RawValue>; N],
    /// The first member that does not belong in the object.
    pub(crate) fault: Option<MemberFault>,
}

/// Why a member of a JSON object is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MemberFault {
    /// The name is not among the known ones.
    Unknown(String),
    /// The member is given twice.
    Repeated(&'static str),
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UnparsedValue<'a> {
    /// `null`, or not given.
    Null,
    /// A text.
    Text(Cow<'a, str>),
    /// A number, as its digits.
    Number(Cow<'a, str>),
    /// A boolean.
    Bool(bool),
    /// A value that no field may have, described in words.
    Other(&'static str),
}

impl<'a, const N: usize> RawObject<'a, N> {
    /// Parses an object whose members may have these names.
    ///
    /// # Errors
    /// The parser's error if the text is not an object.
    pub(crate) fn parse(
        text: &'a str,
        names: &'static [&'static str; N],
    ) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let object = ObjectVisitor { names }.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(object)
    }

    /// Returns the value of a member by the index of its name.
    pub(crate) fn value(&self, index: usize) -> UnparsedValue<'a> {
        self.values[index].map_or(UnparsedValue::Null, UnparsedValue::from_raw)
    }
}

impl<'a> UnparsedValue<'a> {
    fn from_raw(raw: &'a RawValue) -> Self {
        let text = raw.get().trim();
        match text.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'[') => Self::Other("an array"),
            Some(b'{') => Self::Other("an object"),
            Some(b'"') => Self::from_quoted_text(text),
            _ => Self::Number(Cow::Borrowed(text)),
        }
    }

    fn from_quoted_text(text: &'a str) -> Self {
        let plain = &text[1..text.len().max(2) - 1];
        if !plain.contains('\\') {
            return Self::Text(Cow::Borrowed(plain));
        }
        match serde_json::from_str(text) {
            Ok(unescaped) => Self::Text(Cow::Owned(unescaped)),
            Err(_) => Self::Other("a text that is not Unicode"),
        }
    }
}

/// Deserializes the members of an object.
struct ObjectVisitor<const N: usize> {
    names: &'static [&'static str; N],
}

impl<'de, const N: usize> DeserializeSeed<'de> for ObjectVisitor<N> {
    type Value = RawObject<'de, N>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for ObjectVisitor<N> {
    type Value = RawObject<'de, N>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = RawObject {
            values: [None; N],
            fault: None,
        };
        while let Some(name) = map.next_key_seed(MemberNameVisitor { names: self.names })? {
            let value: &RawValue = map.next_value()?;
            let fault = match name {
                Ok(index) => object.values[index]
                    .replace(value)
                    .map(|_| MemberFault::Repeated(self.names[index])),
                Err(unknown) => Some(MemberFault::Unknown(unknown)),
            };
            object.fault = object.fault.or(fault);
        }
        Ok(object)
    }
}

/// Deserializes a name as its index among the names, or as its text if it is unknown.
struct MemberNameVisitor<const N: usize> {
    names: &'static [&'static str; N],
}

impl<'de, const N: usize> DeserializeSeed<'de> for MemberNameVisitor<N> {
    type Value = Result<usize, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<const N: usize> Visitor<'_> for MemberNameVisitor<N> {
    type Value = Result<usize, String>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let index = self.names.iter().position(|known| *known == name);
        Ok(index.ok_or_else(|| name.chars().take(32).collect()))
    }
}
