//! The ids that venues give their trades.

use std::cmp::Ordering;
use std::fmt;

use crate::value_domain::{TextError, TextKind, validate_text};

/// The id that a venue gave a trade: 1 to 128 visible ASCII characters, kept as they were given.
///
/// It is a number only if it is a canonical one, without a leading zero: `007` and `7` are two ids.
/// Numbers come before other texts, which compare as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TradeId {
    /// A canonical number that fits 64 bits.
    Number(u64),
    /// A longer canonical number.
    Digits(Box<str>),
    /// Any other text, such as a UUID.
    Text(Box<str>),
}

impl TradeId {
    /// Parses an id.
    ///
    /// # Errors
    /// [`TextError`] if the text is empty, too long, or not visible ASCII.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        validate_text(TextKind::TradeId, text)?;
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit())
            && (text.len() == 1 || !text.starts_with('0'));
        if !is_number {
            return Ok(Self::Text(text.into()));
        }
        Ok(text
            .parse()
            .map_or_else(|_| Self::Digits(text.into()), Self::Number))
    }

    /// Returns the id as a `u64`, or `None` if it is not a number or does not fit.
    #[must_use]
    pub const fn as_number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Digits(_) | Self::Text(_) => None,
        }
    }
}

impl Ord for TradeId {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => left.cmp(right),
            (Self::Digits(left), Self::Digits(right)) => {
                (left.len(), left).cmp(&(right.len(), right))
            }
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Number(_), _) | (Self::Digits(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), _) | (Self::Digits(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

impl PartialOrd for TradeId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for TradeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(out, "{number}"),
            Self::Digits(text) | Self::Text(text) => out.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use num_bigint::BigUint;
    use proptest::prelude::*;

    use super::TradeId;
    use crate::strategies::trade_ids;
    use crate::value_domain::{TextError, TextKind};

    proptest! {
        #[test]
        fn an_id_is_kept_as_it_was_given(text in "[!-~]{1,128}|[0-9]{1,128}") {
            prop_assert_eq!(TradeId::parse(&text).unwrap().to_string(), text);
        }

        #[test]
        fn its_text_reads_back_as_the_same_id(id in trade_ids()) {
            prop_assert_eq!(TradeId::parse(&id.to_string()), Ok(id));
        }

        #[test]
        fn canonical_numbers_compare_as_numbers(
            left in "0|[1-9][0-9]{0,127}",
            right in "0|[1-9][0-9]{0,127}",
        ) {
            let id = |text: &str| TradeId::parse(text).unwrap();
            let number = |text: &str| text.parse::<BigUint>().unwrap();
            prop_assert_eq!(id(&left).cmp(&id(&right)), number(&left).cmp(&number(&right)));
            prop_assert_eq!(id(&left).as_number(), u64::try_from(number(&left)).ok());
        }

        #[test]
        fn a_leading_zero_makes_another_id(number in "[0-9]{1,30}", zeros in "0{1,30}") {
            let padded = TradeId::parse(&format!("{zeros}{number}")).unwrap();
            prop_assert_eq!(padded.as_number(), None);
            prop_assert!(padded != TradeId::parse(&number).unwrap());
        }

        #[test]
        fn other_texts_compare_as_bytes_and_come_after_numbers(left in "[!-~]{1,64}", right in "[!-~]{0,63}[!-/:-~]") {
            let other = TradeId::parse(&right).unwrap();
            prop_assert_eq!(&other, &TradeId::Text(right.as_str().into()));
            let expected = match TradeId::parse(&left).unwrap() {
                TradeId::Text(text) => text.as_bytes().cmp(right.as_bytes()),
                TradeId::Number(_) | TradeId::Digits(_) => Ordering::Less,
            };
            prop_assert_eq!(TradeId::parse(&left).unwrap().cmp(&other), expected);
            prop_assert_eq!(other.cmp(&TradeId::parse(&left).unwrap()), expected.reverse());
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let length = |length| TextError::Length { length, limit: 128 };
        let character = |character, position| TextError::Character {
            character,
            position,
            accepted: TextKind::TradeId.accepted_characters(),
        };
        let cases = [
            ("", length(0)),
            (&"7".repeat(129), length(129)),
            ("a b", character(' ', 1)),
            ("ab\n", character('\n', 2)),
            ("é", character('é', 0)),
        ];
        for (text, expected) in cases {
            assert_eq!(TradeId::parse(text), Err(expected), "{text:?}");
        }
        assert_eq!(TradeId::parse("0"), Ok(TradeId::Number(0)));
        assert_eq!(TradeId::parse("000"), Ok(TradeId::Text("000".into())));
        assert_eq!(
            TradeId::parse("18446744073709551615"),
            Ok(TradeId::Number(u64::MAX))
        );
        let longer = "18446744073709551616";
        assert_eq!(TradeId::parse(longer), Ok(TradeId::Digits(longer.into())));
        let padded = "018446744073709551616";
        assert_eq!(TradeId::parse(padded), Ok(TradeId::Text(padded.into())));
    }
}
