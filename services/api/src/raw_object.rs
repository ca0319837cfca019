//! JSON objects whose values are kept as they were written: numbers never become floats.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object that are known by name, as written.
pub(crate) struct RawObject<'a, const N: usize> {
    /// For each name its value, where it is given.
    pub(crate) values: [Option<&'a RawValue>; N],
    /// The first member that does not belong there.
    pub(crate) fault: Option<MemberFault>,
}

/// A member that does not belong in an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MemberFault {
    /// No member has this name.
    Unknown(String),
    /// The member is given twice.
    Repeated(&'static str),
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// `null`, or not given.
    Null,
    /// A text.
    Text(Cow<'a, str>),
    /// A number, in its digits.
    Number(Cow<'a, str>),
    /// A boolean.
    Bool(bool),
    /// What can be no field of a trade or a setting, in words.
    Other(&'static str),
}

impl<'a, const N: usize> RawObject<'a, N> {
    /// Reads an object; its members may have these names.
    ///
    /// # Errors
    /// Where the text is no object.
    pub(crate) fn parse(
        text: &'a str,
        names: &'static [&'static str; N],
    ) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let object = Members { names }.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(object)
    }

    /// The value of a member by its place among the names.
    pub(crate) fn value(&self, place: usize) -> Value<'a> {
        self.values[place].map_or(Value::Null, Value::of)
    }
}

impl<'a> Value<'a> {
    fn of(raw: &'a RawValue) -> Self {
        let text = raw.get().trim();
        match text.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'[') => Self::Other("an array"),
            Some(b'{') => Self::Other("an object"),
            Some(b'"') => Self::quoted(text),
            _ => Self::Number(Cow::Borrowed(text)),
        }
    }

    fn quoted(text: &'a str) -> Self {
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

/// Reads the members of an object.
struct Members<const N: usize> {
    names: &'static [&'static str; N],
}

impl<'de, const N: usize> DeserializeSeed<'de> for Members<N> {
    type Value = RawObject<'de, N>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Members<N> {
    type Value = RawObject<'de, N>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = RawObject {
            values: [None; N],
            fault: None,
        };
        while let Some(name) = map.next_key_seed(Name { names: self.names })? {
            let value: &RawValue = map.next_value()?;
            let fault = match name {
                Ok(place) => object.values[place]
                    .replace(value)
                    .map(|_| MemberFault::Repeated(self.names[place])),
                Err(unknown) => Some(MemberFault::Unknown(unknown)),
            };
            object.fault = object.fault.or(fault);
        }
        Ok(object)
    }
}

/// Reads a name as its place, or as what it is where it is unknown.
struct Name<const N: usize> {
    names: &'static [&'static str; N],
}

impl<'de, const N: usize> DeserializeSeed<'de> for Name<N> {
    type Value = Result<usize, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<const N: usize> Visitor<'_> for Name<N> {
    type Value = Result<usize, String>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let place = self.names.iter().position(|known| *known == name);
        Ok(place.ok_or_else(|| name.chars().take(32).collect()))
    }
}
