//! Cursors: opaque positions in a list. A cursor is a letter that names the list and then the
//! position as MessagePack in hexadecimal.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The greatest number of hexadecimal digits that is read. The longest position holds two keys of
/// sets of ids, each with a scope, and the longest symbol.
const MAX_DIGITS: usize = 2048;

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
    /// Duplicates.
    Duplicates,
}

impl CursorKind {
    const fn letter(self) -> char {
        match self {
            Self::Bars => 'b',
            Self::Trades => 't',
            Self::Symbols => 's',
            Self::Gaps => 'g',
            Self::Duplicates => 'd',
        }
    }
}

/// A position in a list, as a cursor holds it.
pub(crate) trait CursorPosition: DeserializeOwned {
    /// Returns whether the server can have sent this position: its texts are legal and its times
    /// are those of a trade. A client may forge a cursor, and its position is passed to the stores.
    fn is_plausible(&self) -> bool;
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
pub(crate) fn decode_cursor<T: CursorPosition>(kind: CursorKind, text: &str) -> Result<T, Problem> {
    text.strip_prefix(kind.letter())
        .filter(|digits| digits.len() <= MAX_DIGITS)
        .and_then(decode_hexadecimal)
        .and_then(|bytes| rmp_serde::from_slice(&bytes).ok())
        .filter(T::is_plausible)
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

    /// A position that any client may send.
    type AnyPosition = (i64, Option<String>);

    impl CursorPosition for AnyPosition {
        fn is_plausible(&self) -> bool {
            self.1.as_ref().is_none_or(|text| !text.contains('\0'))
        }
    }

    #[test]
    fn an_implausible_position_is_a_problem() {
        let position: AnyPosition = (1, Some("a\0b".to_owned()));
        let cursor = encode_cursor(CursorKind::Trades, &position);
        let read: Result<AnyPosition, _> = decode_cursor(CursorKind::Trades, &cursor);
        assert!(read.is_err());
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(time_ns: i64, text in "[^\\x00]{0,70}") {
            let position = (time_ns, Some(text));
            let cursor = encode_cursor(CursorKind::Trades, &position);
            let read: AnyPosition = decode_cursor(CursorKind::Trades, &cursor).unwrap();
            prop_assert_eq!(read, position);
            prop_assert!(decode_cursor::<AnyPosition>(CursorKind::Bars, &cursor).is_err());
        }

        #[test]
        fn hostile_cursors_are_problems(text in "b?[0-9a-f\u{0}-\u{ff}]{0,40}") {
            let _: Result<AnyPosition, _> = decode_cursor(CursorKind::Bars, &text);
        }
    }
}
