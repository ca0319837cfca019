//! The numbers that venues give their trades.

use std::cmp::Ordering;
use std::fmt;

/// A trade's id as its venue gave it: digits (leading zeros dropped), or any other text of 1 to
/// 64 visible ASCII characters.
///
/// Ids of digits compare as numbers and come before others, which compare as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TradeId {
    /// Digits that fit 64 bits.
    Number(u64),
    /// Longer digits, without leading zeros.
    Digits(Box<str>),
    /// Anything else, such as a UUID.
    Text(Box<str>),
}

/// Why a text is not a [`TradeId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing, or more than 64 characters.
    #[error("has {length} characters; 1 to 64 are expected")]
    Length {
        /// How many it has.
        length: usize,
    },
    /// A space, a control character or a character beyond ASCII.
    #[error("has a character at position {position} that is not visible ASCII")]
    Character {
        /// Counted in bytes from 0.
        position: usize,
    },
}

impl TradeId {
    /// Reads an id.
    ///
    /// # Errors
    /// [`IdError`] where it is empty, too long, or not visible ASCII.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() || text.len() > 64 {
            return Err(IdError::Length { length: text.len() });
        }
        if let Some(position) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(IdError::Character { position });
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Text(text.into()));
        }
        let digits = text.trim_start_matches('0');
        if digits.is_empty() {
            return Ok(Self::Number(0));
        }
        Ok(digits
            .parse()
            .map_or_else(|_| Self::Digits(digits.into()), Self::Number))
    }

    /// The id as a number, where it is one that fits 64 bits.
    #[must_use]
    pub const fn number(&self) -> Option<u64> {
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

    use super::{IdError, TradeId};
    use crate::strategies::ids;

    proptest! {
        #[test]
        fn its_text_reads_back_as_the_same_id(id in ids()) {
            prop_assert_eq!(TradeId::parse(&id.to_string()), Ok(id));
        }

        #[test]
        fn digits_compare_as_numbers(left in "[0-9]{1,64}", right in "[0-9]{1,64}", zeros in "0{0,30}") {
            let id = |text: &str| TradeId::parse(text).unwrap();
            let number = |text: &str| text.parse::<BigUint>().unwrap();
            prop_assert_eq!(id(&left).cmp(&id(&right)), number(&left).cmp(&number(&right)));
            prop_assert_eq!(id(&left).number(), u64::try_from(number(&left)).ok());
            if zeros.len() + left.len() <= 64 {
                prop_assert_eq!(id(&format!("{zeros}{left}")), id(&left));
            }
        }

        #[test]
        fn others_compare_as_bytes_and_come_after(left in "[!-~]{1,64}", right in "[!-~]{0,63}[!-/:-~]") {
            let other = TradeId::parse(&right).unwrap();
            prop_assert_eq!(&other, &TradeId::Text(right.as_str().into()));
            let expected = match TradeId::parse(&left).unwrap() {
                TradeId::Text(text) => text.as_bytes().cmp(right.as_bytes()),
                TradeId::Number(_) | TradeId::Digits(_) => Ordering::Less,
            };
            prop_assert_eq!(TradeId::parse(&left).unwrap().cmp(&other), expected);
            prop_assert_eq!(other.cmp(&TradeId::parse(&left).unwrap()), expected.reverse());
        }

        #[test]
        fn reads_visible_ascii_alone(text in "\\PC{0,70}") {
            let legal = (1..=64).contains(&text.len())
                && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
            prop_assert_eq!(TradeId::parse(&text).is_ok(), legal);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let cases = [
            ("", IdError::Length { length: 0 }),
            (&"7".repeat(65), IdError::Length { length: 65 }),
            ("a b", IdError::Character { position: 1 }),
            ("ab\n", IdError::Character { position: 2 }),
            ("é", IdError::Character { position: 0 }),
        ];
        for (text, expected) in cases {
            assert_eq!(TradeId::parse(text), Err(expected), "{text:?}");
        }
        assert_eq!(TradeId::parse("000"), Ok(TradeId::Number(0)));
        assert_eq!(
            TradeId::parse("18446744073709551615"),
            Ok(TradeId::Number(u64::MAX))
        );
        let longer = TradeId::parse("018446744073709551616").unwrap();
        assert_eq!(longer, TradeId::Digits("18446744073709551616".into()));
    }
}
