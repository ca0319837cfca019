//! The ids that venues give their trades.

use std::cmp::Ordering;
use std::fmt;

/// The id that a venue gave a trade: digits (leading zeros are dropped), or any other text of 1 to
/// 64 visible ASCII characters.
///
/// Ids of digits compare as numbers and come before other texts, which compare as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TradeId {
    /// Digits whose number fits 64 bits.
    Number(u64),
    /// Longer digits, without leading zeros.
    Digits(Box<str>),
    /// Any other text, such as a UUID.
    Text(Box<str>),
}

/// Why a text is not a [`TradeId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TradeIdError {
    /// The text is empty or has more than 64 characters.
    #[error("has {length} characters; 1 to 64 are expected")]
    Length {
        /// The number of bytes that it has.
        length: usize,
    },
    /// The text has a space, a control character or a character beyond ASCII.
    #[error("has a character at position {position} that is not visible ASCII")]
    Character {
        /// The position of the character, counted in bytes from 0.
        position: usize,
    },
}

impl TradeId {
    /// Parses an id.
    ///
    /// # Errors
    /// [`TradeIdError`] if the text is empty, too long, or not visible ASCII.
    pub fn parse(text: &str) -> Result<Self, TradeIdError> {
        if text.is_empty() || text.len() > 64 {
            return Err(TradeIdError::Length { length: text.len() });
        }
        if let Some(position) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(TradeIdError::Character { position });
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

    use super::{TradeId, TradeIdError};
    use crate::strategies::trade_ids;

    proptest! {
        #[test]
        fn its_text_reads_back_as_the_same_id(id in trade_ids()) {
            prop_assert_eq!(TradeId::parse(&id.to_string()), Ok(id));
        }

        #[test]
        fn digits_compare_as_numbers(left in "[0-9]{1,64}", right in "[0-9]{1,64}", zeros in "0{0,30}") {
            let id = |text: &str| TradeId::parse(text).unwrap();
            let number = |text: &str| text.parse::<BigUint>().unwrap();
            prop_assert_eq!(id(&left).cmp(&id(&right)), number(&left).cmp(&number(&right)));
            prop_assert_eq!(id(&left).as_number(), u64::try_from(number(&left)).ok());
            if zeros.len() + left.len() <= 64 {
                prop_assert_eq!(id(&format!("{zeros}{left}")), id(&left));
            }
        }

        #[test]
        fn other_texts_compare_as_bytes_and_come_after_digits(left in "[!-~]{1,64}", right in "[!-~]{0,63}[!-/:-~]") {
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
        fn only_visible_ascii_is_accepted(text in "\\PC{0,70}") {
            let legal = (1..=64).contains(&text.len())
                && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
            prop_assert_eq!(TradeId::parse(&text).is_ok(), legal);
        }
    }

    #[test]
    fn errors_name_the_length_or_the_position() {
        let cases = [
            ("", TradeIdError::Length { length: 0 }),
            (&"7".repeat(65), TradeIdError::Length { length: 65 }),
            ("a b", TradeIdError::Character { position: 1 }),
            ("ab\n", TradeIdError::Character { position: 2 }),
            ("é", TradeIdError::Character { position: 0 }),
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
