//! Opaque places in a list: MessagePack in hexadecimal, after a letter that names the list.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Problem;

/// The longest cursor that is read.
const MAX_LENGTH: usize = 1024;

/// Lists whose places cursors name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    /// Bars.
    Bars,
    /// Trades.
    Trades,
    /// Symbols.
    Symbols,
    /// Gaps between ids.
    Gaps,
}

impl Listed {
    const fn letter(self) -> char {
        match self {
            Self::Bars => 'b',
            Self::Trades => 't',
            Self::Symbols => 's',
            Self::Gaps => 'g',
        }
    }
}

/// The text of a place.
pub(crate) fn encode(listed: Listed, place: &impl Serialize) -> String {
    let bytes = rmp_serde::to_vec(place).expect("a place is plain data");
    let mut text = String::with_capacity(1 + 2 * bytes.len());
    text.push(listed.letter());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).expect("a digit is below 16"));
        }
    }
    text
}

/// Reads the text of a place.
pub(crate) fn decode<T: DeserializeOwned>(listed: Listed, text: &str) -> Result<T, Problem> {
    text.strip_prefix(listed.letter())
        .filter(|digits| digits.len() <= MAX_LENGTH)
        .and_then(bytes_of)
        .and_then(|bytes| rmp_serde::from_slice(&bytes).ok())
        .ok_or_else(|| {
            Problem::parameter(
                "cursor",
                "cursor is not one that this list has given",
                "the next_cursor of an earlier page, with the same other parameters",
            )
        })
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(time_ns: i64, text in ".{0,70}") {
            let place = (time_ns, Some(text));
            let cursor = encode(Listed::Trades, &place);
            let read: (i64, Option<String>) = decode(Listed::Trades, &cursor).unwrap();
            prop_assert_eq!(read, place);
            prop_assert!(decode::<(i64, Option<String>)>(Listed::Bars, &cursor).is_err());
        }

        #[test]
        fn hostile_cursors_are_problems(text in "b?[0-9a-f\u{0}-\u{ff}]{0,40}") {
            let _: Result<(i64, Option<String>), _> = decode(Listed::Bars, &text);
        }
    }
}
