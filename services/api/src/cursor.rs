//! Cursors: opaque positions in a list. A cursor is a letter that names the list and then the
//! position as MessagePack in hexadecimal.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The greatest number of hexadecimal digits that is read.
const MAX_DIGITS: usize = 1024;

/// The list that a cursor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CursorKind {
    /// Bars.
    Bars,
    /// Trades.
    Trades,
    /// Symbols.
    Symbols,
    /// Gaps between ids.
    Gaps,
}

impl CursorKind {
    const fn letter(self) -> char {
        match self {
            Self::Bars => 'b',
            Self::Trades => 't',
            Self::Symbols => 's',
            Self::Gaps => 'g',
        }
    }
}

/// Returns the cursor of `position`.
pub(crate) fn encode_cursor(kind: CursorKind, position: &impl Serialize) -> String {
    let bytes = rmp_serde::to_vec(position).expect("a position is plain data");
    let mut text = String::with_capacity(1 + 2 * bytes.len());
    text.push(kind.letter());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).expect("a digit is below 16"));
        }
    }
    text
}

/// Reads the position of a cursor.
///
/// # Errors
/// A [`Problem`] if the text is not a cursor of this list.
pub(crate) fn decode_cursor<T: DeserializeOwned>(
    kind: CursorKind,
    text: &str,
) -> Result<T, Problem> {
    text.strip_prefix(kind.letter())
        .filter(|digits| digits.len() <= MAX_DIGITS)
        .and_then(decode_hexadecimal)
        .and_then(|bytes| rmp_serde::from_slice(&bytes).ok())
        .ok_or_else(|| {
            Problem::invalid_parameter(
                "cursor",
                "cursor does not belong to this list",
                "the next_cursor of an earlier page, with the same other parameters",
            )
        })
}

fn decode_hexadecimal(digits: &str) -> Option<Vec<u8>> {
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
            let position = (time_ns, Some(text));
            let cursor = encode_cursor(CursorKind::Trades, &position);
            let read: (i64, Option<String>) = decode_cursor(CursorKind::Trades, &cursor).unwrap();
            prop_assert_eq!(read, position);
            prop_assert!(decode_cursor::<(i64, Option<String>)>(CursorKind::Bars, &cursor).is_err());
        }

        #[test]
        fn hostile_cursors_are_problems(text in "b?[0-9a-f\u{0}-\u{ff}]{0,40}") {
            let _: Result<(i64, Option<String>), _> = decode_cursor(CursorKind::Bars, &text);
        }
    }
}
