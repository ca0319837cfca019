//! Which texts are legal: names of venues and symbols, ids of trades, and scopes of ids.
//!
//! Decoders of records and parsers of requests call [`validate_text`], so that every store can hold
//! each text that the log accepts. No legal text contains a control character.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// What a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// The name of a venue. From its second generation on `@` and the number of the generation
    /// follow, 2 to [`MAX_GENERATION`].
    Venue,
    /// The name of a symbol.
    Symbol,
    /// The id of a trade, or of an edit or a cancel.
    TradeId,
    /// The exchange or the file that an id is unique in.
    Scope,
}

/// Why a text is not legal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The text is empty or too long.
    #[error("has {length} characters; 1 to {limit} are expected")]
    Length {
        /// The number of characters that it has.
        length: usize,
        /// The greatest number of characters that it may have.
        limit: usize,
    },
    /// The text has a character that is not accepted.
    #[error("has an unexpected character {character:?} at position {position}; {accepted}")]
    Character {
        /// The character.
        character: char,
        /// Its position, in characters, counted from 0.
        position: usize,
        /// The characters that are accepted.
        accepted: &'static str,
    },
    /// The text is not in Unicode's normal form C (<https://www.unicode.org/reports/tr15/>).
    #[error("is not in Unicode normal form C; send the composed form of its characters")]
    NotNormalised,
    /// The text is a reserved word.
    #[error("is reserved; any name but . .. and * is expected")]
    Reserved,
    /// What follows the `@` of a venue is not the number of a generation.
    #[error(
        "has no generation after its @; the name alone or a number from 2 to {MAX_GENERATION} is expected, as in binance@2"
    )]
    Generation,
    /// There is no colon between a venue and a symbol.
    #[error("is not of the form venue:symbol")]
    NoColon,
}

/// The version of Unicode that says which characters are assigned, and to which category.
///
/// It is part of what a record means, because a newer version accepts more symbols: the exact
/// versions of both crates are in `Cargo.lock`, and a test compares them with this constant.
pub const UNICODE_VERSION: (u64, u64, u64) = (18, 0, 0);

/// The greatest number of a venue's generation.
pub const MAX_GENERATION: u16 = 9_999;

impl TextKind {
    /// Returns the greatest number of characters of a text.
    #[must_use]
    pub const fn max_characters(self) -> usize {
        match self {
            Self::Venue => 32,
            Self::Symbol | Self::Scope => 64,
            Self::TradeId => 128,
        }
    }

    /// Returns which characters a text may have, for people.
    #[must_use]
    pub const fn accepted_characters(self) -> &'static str {
        match self {
            Self::Venue => "letters, digits and ._- of ASCII are accepted",
            Self::Symbol => {
                "letters, digits, marks, punctuation and symbols of any script are accepted, with \
                 single spaces between them"
            }
            Self::TradeId | Self::Scope => "visible ASCII is accepted",
        }
    }
}

/// Checks that a text is legal.
///
/// # Errors
/// [`TextError`], which says what is wrong and what would be right.
pub fn validate_text(kind: TextKind, text: &str) -> Result<(), TextError> {
    let text = match kind {
        TextKind::Venue => strip_generation(text)?,
        _ => text,
    };
    let (length, limit) = (text.chars().count(), kind.max_characters());
    if length == 0 || length > limit {
        return Err(TextError::Length { length, limit });
    }
    let mut before = ' ';
    for (position, character) in text.chars().enumerate() {
        let is_last = position + 1 == length;
        if !is_accepted(kind, character, before, is_last) {
            return Err(TextError::Character {
                character,
                position,
                accepted: kind.accepted_characters(),
            });
        }
        before = character;
    }
    // Clients remove `.` and `..` from the path of a URL, which then names something else.
    let is_reserved = match kind {
        TextKind::Venue | TextKind::Symbol => matches!(text, "." | ".." | "*"),
        TextKind::TradeId | TextKind::Scope => false,
    };
    if is_reserved {
        return Err(TextError::Reserved);
    }
    if kind == TextKind::Symbol && !is_nfc(text) {
        return Err(TextError::NotNormalised);
    }
    Ok(())
}

/// Returns the name of a venue without the generation that may follow it.
fn strip_generation(text: &str) -> Result<&str, TextError> {
    let Some((name, digits)) = text.split_once('@') else {
        return Ok(text);
    };
    let generation = digits.parse().ok();
    // Each generation has one name: no sign and no leading zero, and the first has none.
    let is_canonical = |generation: &u16| {
        (2..=MAX_GENERATION).contains(generation) && generation.to_string() == digits
    };
    let generation = generation.filter(is_canonical);
    generation.map(|_| name).ok_or(TextError::Generation)
}

/// Returns a symbol's name in Unicode's normal form C, in which records hold it. Paths, file names
/// and names of channels may hold another form, such as the decomposed one of some file systems.
#[must_use]
pub fn normalize_symbol_to_nfc(text: &str) -> Cow<'_, str> {
    if is_nfc(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect())
}

/// Returns whether a character may follow `before`, which is a space at the start of the text.
fn is_accepted(kind: TextKind, character: char, before: char, is_last: bool) -> bool {
    match kind {
        TextKind::Venue => character.is_ascii_alphanumeric() || "._-".contains(character),
        TextKind::TradeId | TextKind::Scope => character.is_ascii_graphic(),
        TextKind::Symbol if character == ' ' => before != ' ' && !is_last,
        TextKind::Symbol if character.is_ascii() => character.is_ascii_graphic(),
        TextKind::Symbol => matches!(
            character.general_category_group(),
            GeneralCategoryGroup::Letter
                | GeneralCategoryGroup::Mark
                | GeneralCategoryGroup::Number
                | GeneralCategoryGroup::Punctuation
                | GeneralCategoryGroup::Symbol
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [TextKind; 4] = [
        TextKind::Venue,
        TextKind::Symbol,
        TextKind::TradeId,
        TextKind::Scope,
    ];

    fn symbol(text: &str) -> Result<(), TextError> {
        validate_text(TextKind::Symbol, text)
    }

    #[test]
    fn both_crates_know_the_pinned_version_of_unicode() {
        let (major, minor, patch) = unicode_normalization::UNICODE_VERSION;
        assert_eq!((major.into(), minor.into(), patch.into()), UNICODE_VERSION);
        assert_eq!(unicode_properties::UNICODE_VERSION, UNICODE_VERSION);
    }

    #[test]
    fn symbols_that_venues_have_are_legal() {
        for text in [
            "BTCUSDT",
            "BTC/USDT:USDT",
            "M&M.NS",
            "ES1!",
            "币安人生USDT",
            "BRK B",
            "€STR",
            "İŞCTR",
            "^GSPC",
            "a:b:c",
            "%2F",
            "\"",
            "'",
            "\\",
        ] {
            assert_eq!(symbol(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn hostile_symbols_are_refused() {
        let accepted = TextKind::Symbol.accepted_characters();
        let character = |character, position| TextError::Character {
            character,
            position,
            accepted,
        };
        let length = |length| TextError::Length { length, limit: 64 };
        let cases = [
            ("", length(0)),
            (&"é".repeat(65), length(65)),
            (" A", character(' ', 0)),
            ("A ", character(' ', 1)),
            ("A  B", character(' ', 2)),
            ("A\0B", character('\0', 1)),
            ("A\u{7f}", character('\u{7f}', 1)),
            ("A\u{85}", character('\u{85}', 1)),
            ("A\u{a0}B", character('\u{a0}', 1)),
            ("A\u{200b}", character('\u{200b}', 1)),
            ("\u{202e}A", character('\u{202e}', 0)),
            ("A\u{2028}", character('\u{2028}', 1)),
            ("A\u{e000}", character('\u{e000}', 1)),
            ("A\u{378}", character('\u{378}', 1)),
            ("A\u{10ffff}", character('\u{10ffff}', 1)),
            ("e\u{301}", TextError::NotNormalised),
            (".", TextError::Reserved),
            ("..", TextError::Reserved),
            ("*", TextError::Reserved),
        ];
        for (text, expected) in cases {
            assert_eq!(symbol(text), Err(expected), "{text:?}");
        }
        assert_eq!(symbol(&normalize_symbol_to_nfc("e\u{301}")), Ok(()));
        assert_eq!(symbol("..."), Ok(()));
        for (venue, expected) in [
            (".", Err(TextError::Reserved)),
            ("..", Err(TextError::Reserved)),
            ("...", Ok(())),
            (".v", Ok(())),
        ] {
            assert_eq!(validate_text(TextKind::Venue, venue), expected, "{venue}");
        }
    }

    proptest! {
        #[test]
        fn no_legal_text_has_a_control_character_or_a_space_at_an_end(text in "\\PC{0,5}\\pC?\\PC{0,5}") {
            for kind in ALL {
                if validate_text(kind, &text).is_ok() {
                    prop_assert!(!text.chars().any(char::is_control));
                    prop_assert_eq!(text.trim(), text.as_str());
                    prop_assert_eq!(normalize_symbol_to_nfc(&text), text.as_str());
                }
            }
        }

        #[test]
        fn venues_ids_and_scopes_are_ascii(text in "[ -~é\u{0}-\u{20}\u{7f}]{0,140}|[.]{1,3}") {
            let is_graphic = text.bytes().all(|byte| byte.is_ascii_graphic());
            let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
                && !matches!(text.as_str(), "." | "..");
            let has = |limit| (1..=limit).contains(&text.chars().count());
            prop_assert_eq!(validate_text(TextKind::Venue, &text).is_ok(), is_name && has(32));
            prop_assert_eq!(validate_text(TextKind::TradeId, &text).is_ok(), is_graphic && has(128));
            prop_assert_eq!(validate_text(TextKind::Scope, &text).is_ok(), is_graphic && has(64));
        }
    }
}
