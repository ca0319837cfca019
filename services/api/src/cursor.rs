//! Cursors: opaque positions in the answer to a query. A cursor is a letter that names the list,
//! and then in hexadecimal a digest of the query and the position as MessagePack.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::params::QueryParams;
use crate::problem::Problem;

/// The parameters that may differ from page to page.
const PAGE_PARAMETERS: [&str; 2] = ["limit", "cursor"];

/// The size of a query's digest: two queries of one client are not taken for each other.
const DIGEST_BYTES: usize = 8;

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

/// Encodes and decodes the cursors of one query of a list. They continue the pages of that query
/// alone: in the answer to another query a position would skip elements or repeat them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CursorCodec {
    kind: CursorKind,
    digest: [u8; DIGEST_BYTES],
}

impl CursorCodec {
    /// Returns the codec of the cursors of a query. `subject` is what the path names, in its one
    /// form: an instrument, a venue, or nothing.
    pub(crate) fn new(kind: CursorKind, subject: &str, params: &QueryParams) -> Self {
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        add(subject);
        for (name, value) in params.sorted_except(&PAGE_PARAMETERS) {
            add(name);
            add(value);
        }
        let mut digest = [0; DIGEST_BYTES];
        hasher.finalize_xof().fill(&mut digest);
        Self { kind, digest }
    }

    /// Returns the cursor of `position`.
    pub(crate) fn encode_cursor(&self, position: &impl Serialize) -> String {
        let position = rmp_serde::to_vec(position).expect("a position is plain data");
        let mut text = String::with_capacity(1 + 2 * (DIGEST_BYTES + position.len()));
        text.push(self.kind.letter());
        for byte in self.digest.into_iter().chain(position) {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(digit.into(), 16).expect("a digit is below 16"));
            }
        }
        text
    }

    /// Reads the position of a cursor; `None` if the request has no cursor.
    ///
    /// # Errors
    /// A [`Problem`] if the parameter is not a cursor of this query.
    pub(crate) fn cursor<T: CursorPosition>(
        &self,
        params: &QueryParams,
    ) -> Result<Option<T>, Problem> {
        let text = params.text("cursor");
        text.map(|text| self.decode_cursor(text)).transpose()
    }

    fn decode_cursor<T: CursorPosition>(&self, text: &str) -> Result<T, Problem> {
        let problem = |detail: &str| {
            let accepted = "the next_cursor of an earlier page, with the same other parameters";
            Problem::invalid_parameter("cursor", detail, accepted)
        };
        let bytes = text
            .strip_prefix(self.kind.letter())
            .filter(|digits| digits.len() <= MAX_DIGITS)
            .and_then(decode_hexadecimal)
            .ok_or_else(|| problem("cursor does not belong to this list"))?;
        let (digest, position) = bytes
            .split_first_chunk::<DIGEST_BYTES>()
            .ok_or_else(|| problem("cursor does not belong to this list"))?;
        if *digest != self.digest {
            return Err(problem(
                "cursor belongs to another query: the path or a parameter is not that of the \
                 earlier page",
            ));
        }
        rmp_serde::from_slice(position)
            .ok()
            .filter(T::is_plausible)
            .ok_or_else(|| problem("cursor does not belong to this list"))
    }
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

    fn codec(kind: CursorKind, subject: &str, query: &str) -> CursorCodec {
        let uri = format!("/list?{query}").parse().unwrap();
        let accepted = ["start", "end", "limit", "cursor"];
        let params = QueryParams::read(&uri, &accepted).unwrap();
        CursorCodec::new(kind, subject, &params)
    }

    fn trades() -> CursorCodec {
        codec(CursorKind::Trades, "v:S", "")
    }

    #[test]
    fn an_implausible_position_is_a_problem() {
        let position: AnyPosition = (1, Some("a\0b".to_owned()));
        let cursor = trades().encode_cursor(&position);
        assert!(trades().decode_cursor::<AnyPosition>(&cursor).is_err());
    }

    #[test]
    fn a_cursor_of_another_query_is_a_problem_that_says_so() {
        let position: AnyPosition = (1, None);
        let first = codec(CursorKind::Trades, "v:S", "start=1&end=2&limit=3");
        let cursor = first.encode_cursor(&position);
        for (subject, same) in [
            ("v:S", "start=1&end=2"),
            ("v:S", "end=2&start=1&limit=7"),
            ("v:S", "cursor=t00&end=%32&start=1"),
        ] {
            let same = codec(CursorKind::Trades, subject, same);
            assert_eq!(
                same.decode_cursor::<AnyPosition>(&cursor).unwrap(),
                position
            );
        }
        for (subject, other) in [
            ("v:S", ""),
            ("v:S", "start=1"),
            ("v:S", "start=1&end=3"),
            ("v:S", "start=2&end=1"),
            ("v:T", "start=1&end=2"),
            ("w:S", "start=1&end=2"),
        ] {
            let other = codec(CursorKind::Trades, subject, other);
            let problem = other.decode_cursor::<AnyPosition>(&cursor).unwrap_err();
            let detail = problem.into_json().detail;
            assert!(detail.contains("another query"), "{detail}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(time_ns: i64, text in "[^\\x00]{0,70}") {
            let position = (time_ns, Some(text));
            let cursor = trades().encode_cursor(&position);
            let read: AnyPosition = trades().decode_cursor(&cursor).unwrap();
            prop_assert_eq!(read, position);
            let bars = codec(CursorKind::Bars, "v:S", "");
            prop_assert!(bars.decode_cursor::<AnyPosition>(&cursor).is_err());
        }

        #[test]
        fn hostile_cursors_are_problems(text in "t?[0-9a-f\u{0}-\u{ff}]{0,40}") {
            let _: Result<AnyPosition, _> = trades().decode_cursor(&text);
        }

        #[test]
        fn hostile_positions_are_problems(position in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut cursor = trades().encode_cursor(&());
            cursor.truncate(1 + 2 * DIGEST_BYTES);
            for byte in position {
                cursor.push_str(&format!("{byte:02x}"));
            }
            let _: Result<AnyPosition, _> = trades().decode_cursor(&cursor);
        }
    }
}
