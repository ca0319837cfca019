//! Venues, symbols, and instruments, which are a venue and a symbol together.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::value_domain::{MAX_GENERATION, TextError, TextKind, validate_text};

/// The name of a venue, where trades are made, such as `binance`, as
/// [`validate_text`](crate::validate_text) accepts it.
///
/// Once a venue is retired its name begins another generation, which is a venue of its own:
/// `binance@2` is the second generation of `binance`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Venue(Arc<str>);

/// The name of what is traded at a venue, such as `BTCUSDT`, as
/// [`validate_text`](crate::validate_text) accepts it. It may contain colons.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(Arc<str>);

/// A symbol at a venue. Its text, `venue:symbol`, is the key of its records in the log; the first
/// colon separates the two.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instrument {
    key: Arc<str>,
    venue_bytes: u8,
}

impl Venue {
    /// Returns the name, with the generation from the second on.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the number of the generation, which is 1 for the first.
    #[must_use]
    pub fn generation(&self) -> u16 {
        let digits = self.0.split_once('@').map(|(_, digits)| digits);
        digits.map_or(1, |digits| digits.parse().expect("checked when parsed"))
    }

    /// Returns the name without the generation.
    #[must_use]
    pub fn base_name(&self) -> &str {
        self.0.split_once('@').map_or(&self.0, |(name, _)| name)
    }

    /// Returns a generation of the same name; `None` unless it is 1 to [`MAX_GENERATION`].
    #[must_use]
    pub fn with_generation(&self, generation: u16) -> Option<Self> {
        let name = self.base_name();
        match generation {
            1 => Some(Self(name.into())),
            2..=MAX_GENERATION => Some(Self(format!("{name}@{generation}").into())),
            _ => None,
        }
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
            venue_bytes: u8::try_from(venue.0.len()).expect("a venue has at most 37 characters"),
        }
    }

    /// Returns the instrument of the same symbol at another venue.
    #[must_use]
    pub fn at_venue(&self, venue: &Venue) -> Self {
        Self {
            key: format!("{venue}:{}", self.symbol()).into(),
            venue_bytes: u8::try_from(venue.0.len()).expect("a venue has at most 37 characters"),
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

    /// Returns the venue.
    #[must_use]
    pub fn to_venue(&self) -> Venue {
        Venue(self.venue().into())
    }

    /// Returns the name of the symbol.
    #[must_use]
    pub fn symbol(&self) -> &str {
        &self.key[usize::from(self.venue_bytes) + 1..]
    }
}

impl FromStr for Venue {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        validate_text(TextKind::Venue, text)?;
        Ok(Self(text.into()))
    }
}

impl FromStr for Symbol {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        validate_text(TextKind::Symbol, text)?;
        Ok(Self(text.into()))
    }
}

impl FromStr for Instrument {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let (venue, symbol) = text.split_once(':').ok_or(TextError::NoColon)?;
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

    use super::{Instrument, Symbol, Venue};
    use crate::value_domain::{MAX_GENERATION, TextError, TextKind, validate_text};

    proptest! {
        #[test]
        fn a_key_parses_as_the_same_instrument(
            venue in "[A-Za-z0-9_-][A-Za-z0-9._-]{0,31}(@([2-9]|[1-9][0-9]{1,3}))?",
            symbol in "[!-~]{3,64}|[a-z:币é€]{1,64}",
        ) {
            let (one, other): (Venue, Symbol) = (venue.parse().unwrap(), symbol.parse().unwrap());
            let instrument = Instrument::new(&one, &other);
            prop_assert_eq!(instrument.key(), format!("{venue}:{symbol}"));
            prop_assert_eq!((instrument.venue(), instrument.symbol()), (&*venue, &*symbol));
            prop_assert_eq!(instrument.key().parse(), Ok(instrument.clone()));
            prop_assert_eq!(instrument.to_string(), instrument.key());
        }

        #[test]
        fn a_venue_has_a_name_and_a_generation(name in "[A-Za-z0-9_-][A-Za-z0-9._-]{0,31}", generation in 1_u16..10_100) {
            let first: Venue = name.parse().unwrap();
            let venue = first.with_generation(generation);
            prop_assert_eq!(venue.is_some(), generation <= MAX_GENERATION);
            if let Some(venue) = venue {
                prop_assert_eq!((venue.base_name(), venue.generation()), (&*name, generation));
                prop_assert_eq!(venue.as_str().parse(), Ok(venue.clone()));
                prop_assert_eq!(venue.with_generation(1), Some(first));
            }
        }

        #[test]
        fn only_legal_names_are_accepted(text in "[a-zA-Z0-9:._/=^+@#$ é-]{0,70}|[a-z]{1,3}@[0-9+@]{0,5}|\\PC{0,9}") {
            let is_legal = |kind| validate_text(kind, &text).is_ok();
            prop_assert_eq!(text.parse::<Venue>().is_ok(), is_legal(TextKind::Venue));
            prop_assert_eq!(text.parse::<Symbol>().is_ok(), is_legal(TextKind::Symbol));
            if let Ok(instrument) = text.parse::<Instrument>() {
                prop_assert_eq!(instrument.key(), text);
            }
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let error = |text: &str| text.parse::<Instrument>().unwrap_err();
        let length = |limit| TextError::Length { length: 0, limit };
        assert_eq!(error("binance"), TextError::NoColon);
        assert_eq!(error(":BTC"), length(32));
        assert_eq!(error("binance:"), length(64));
        assert_eq!(
            error("bin ance:BTC").to_string(),
            "has an unexpected character ' ' at position 3; letters, digits and ._- of ASCII are \
             accepted"
        );
        for venue in ["v@", "v@1", "v@02", "v@+2", "v@10000", "v@2@2", "v@x"] {
            assert_eq!(
                venue.parse::<Venue>(),
                Err(TextError::Generation),
                "{venue}"
            );
        }
        assert_eq!(error("@2:BTC"), length(32));
        let instrument: Instrument = "a:b:c".parse().unwrap();
        assert_eq!((instrument.venue(), instrument.symbol()), ("a", "b:c"));
    }
}
