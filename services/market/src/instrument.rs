//! Venues, symbols, and instruments, which are a venue and a symbol together.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a venue, where trades are made, such as `binance`: 1 to 32 of `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Venue(Arc<str>);

/// The name of what is traded at a venue, such as `BTCUSDT`: 1 to 64 of
/// `A-Z a-z 0-9 . _ - / = ^ + @ # $`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(Arc<str>);

/// A symbol at a venue. Its text, `venue:symbol`, is the key of its records in the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instrument {
    key: Arc<str>,
    venue_bytes: u8,
}

/// Why a text is not the name of a venue, a symbol or an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty or too long.
    #[error("has {length} characters; 1 to {limit} are expected")]
    Length {
        /// The number of bytes that it has.
        length: usize,
        /// The greatest number of bytes that it may have.
        limit: usize,
    },
    /// The name has a character that is not accepted.
    #[error(
        "has an unexpected character at position {position}; letters, digits and {marks} are accepted"
    )]
    Character {
        /// The position of the character, counted in bytes from 0.
        position: usize,
        /// The characters that are accepted besides ASCII letters and digits.
        marks: &'static str,
    },
    /// There is no colon between a venue and a symbol.
    #[error("is not of the form venue:symbol")]
    NoColon,
}

const VENUE_MAX_BYTES: usize = 32;
const VENUE_MARKS: &str = "._-";
const SYMBOL_MAX_BYTES: usize = 64;
const SYMBOL_MARKS: &str = "._-/=^+@#$";

fn validate_name(text: &str, limit: usize, marks: &'static str) -> Result<(), NameError> {
    if text.is_empty() || text.len() > limit {
        return Err(NameError::Length {
            length: text.len(),
            limit,
        });
    }
    let accepted = |byte: u8| byte.is_ascii_alphanumeric() || marks.as_bytes().contains(&byte);
    match text.bytes().position(|byte| !accepted(byte)) {
        Some(position) => Err(NameError::Character { position, marks }),
        None => Ok(()),
    }
}

impl Venue {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Symbol {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Instrument {
    /// Returns the instrument of a symbol at a venue.
    #[must_use]
    pub fn new(venue: &Venue, symbol: &Symbol) -> Self {
        Self {
            key: format!("{venue}:{symbol}").into(),
            venue_bytes: u8::try_from(venue.0.len()).expect("a venue has at most 32 characters"),
        }
    }

    /// Returns `venue:symbol`, the key of its records in the log.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the name of the venue.
    #[must_use]
    pub fn venue(&self) -> &str {
        &self.key[..usize::from(self.venue_bytes)]
    }

    /// Returns the name of the symbol.
    #[must_use]
    pub fn symbol(&self) -> &str {
        &self.key[usize::from(self.venue_bytes) + 1..]
    }
}

impl FromStr for Venue {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        validate_name(text, VENUE_MAX_BYTES, VENUE_MARKS)?;
        Ok(Self(text.into()))
    }
}

impl FromStr for Symbol {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        validate_name(text, SYMBOL_MAX_BYTES, SYMBOL_MARKS)?;
        Ok(Self(text.into()))
    }
}

impl FromStr for Instrument {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (venue, symbol) = text.split_once(':').ok_or(NameError::NoColon)?;
        Ok(Self::new(&venue.parse()?, &symbol.parse()?))
    }
}

impl fmt::Display for Venue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Display for Instrument {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Instrument, NameError, Symbol, Venue};

    proptest! {
        #[test]
        fn a_key_parses_as_the_same_instrument(
            venue in "[A-Za-z0-9._-]{1,32}",
            symbol in "[A-Za-z0-9._/=^+@#$-]{1,64}",
        ) {
            let (one, other): (Venue, Symbol) = (venue.parse().unwrap(), symbol.parse().unwrap());
            let instrument = Instrument::new(&one, &other);
            prop_assert_eq!(instrument.key(), format!("{venue}:{symbol}"));
            prop_assert_eq!((instrument.venue(), instrument.symbol()), (&*venue, &*symbol));
            prop_assert_eq!(instrument.key().parse(), Ok(instrument.clone()));
            prop_assert_eq!(instrument.to_string(), instrument.key());
        }

        #[test]
        fn only_valid_names_are_accepted(text in "[a-zA-Z0-9:._/=^+@#$ é-]{0,70}|\\PC{0,9}") {
            let has_only = |marks: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.as_bytes().contains(&byte));
            prop_assert_eq!(text.parse::<Venue>().is_ok(), (1..=32).contains(&text.len()) && has_only("._-"));
            prop_assert_eq!(text.parse::<Symbol>().is_ok(), (1..=64).contains(&text.len()) && has_only("._-/=^+@#$"));
            if let Ok(instrument) = text.parse::<Instrument>() {
                prop_assert_eq!(instrument.key(), text);
            }
        }
    }

    #[test]
    fn errors_name_the_length_or_the_position() {
        let error = |text: &str| text.parse::<Instrument>().unwrap_err();
        assert_eq!(error("binance"), NameError::NoColon);
        assert_eq!(
            error(":BTC"),
            NameError::Length {
                length: 0,
                limit: 32
            }
        );
        assert_eq!(
            error("binance:"),
            NameError::Length {
                length: 0,
                limit: 64
            }
        );
        assert_eq!(
            error("bin ance:BTC"),
            NameError::Character {
                position: 3,
                marks: "._-"
            }
        );
        assert_eq!(
            error("a:b:c"),
            NameError::Character {
                position: 1,
                marks: "._-/=^+@#$"
            }
        );
    }
}
