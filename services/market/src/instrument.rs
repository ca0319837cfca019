//! Venues, symbols, and the two together.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Where trades are made, such as `binance`: 1 to 32 of `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Venue(Arc<str>);

/// What is traded at a venue, such as `BTCUSDT`: 1 to 64 of `A-Z a-z 0-9 . _ - / = ^ + @ # $`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(Arc<str>);

/// A symbol of a venue. Its text, `venue:symbol`, is the key of its records.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instrument {
    key: Arc<str>,
    colon: u8,
}

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or too much.
    #[error("has {length} characters; 1 to {limit} are expected")]
    Length {
        /// How many bytes it has.
        length: usize,
        /// How many it may have.
        limit: usize,
    },
    /// A character that names cannot have.
    #[error(
        "has an unexpected character at position {position}; letters, digits and {marks} are accepted"
    )]
    Character {
        /// Counted in bytes from 0.
        position: usize,
        /// What is accepted besides ASCII letters and digits.
        marks: &'static str,
    },
    /// No colon between a venue and a symbol.
    #[error("is not of the form venue:symbol")]
    NoColon,
}

const VENUE_LIMIT: usize = 32;
const VENUE_MARKS: &str = "._-";
const SYMBOL_LIMIT: usize = 64;
const SYMBOL_MARKS: &str = "._-/=^+@#$";

fn check(text: &str, limit: usize, marks: &'static str) -> Result<(), NameError> {
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
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Symbol {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Instrument {
    /// A symbol of a venue.
    #[must_use]
    pub fn new(venue: &Venue, symbol: &Symbol) -> Self {
        Self {
            key: format!("{venue}:{symbol}").into(),
            colon: u8::try_from(venue.0.len()).expect("a venue has at most 32 characters"),
        }
    }

    /// `venue:symbol`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The venue's name.
    #[must_use]
    pub fn venue(&self) -> &str {
        &self.key[..usize::from(self.colon)]
    }

    /// The symbol's name.
    #[must_use]
    pub fn symbol(&self) -> &str {
        &self.key[usize::from(self.colon) + 1..]
    }
}

impl FromStr for Venue {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text, VENUE_LIMIT, VENUE_MARKS)?;
        Ok(Self(text.into()))
    }
}

impl FromStr for Symbol {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text, SYMBOL_LIMIT, SYMBOL_MARKS)?;
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
        fn its_key_reads_back_as_the_same_instrument(
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
        fn only_names_are_read(text in "[a-zA-Z0-9:._/=^+@#$ é-]{0,70}|\\PC{0,9}") {
            let of = |marks: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.as_bytes().contains(&byte));
            prop_assert_eq!(text.parse::<Venue>().is_ok(), (1..=32).contains(&text.len()) && of("._-"));
            prop_assert_eq!(text.parse::<Symbol>().is_ok(), (1..=64).contains(&text.len()) && of("._-/=^+@#$"));
            if let Ok(instrument) = text.parse::<Instrument>() {
                prop_assert_eq!(instrument.key(), text);
            }
        }
    }

    #[test]
    fn says_what_is_wrong() {
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
