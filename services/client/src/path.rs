//! Texts as segments of a path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that are encoded: all but the unreserved ones
/// (<https://www.rfc-editor.org/rfc/rfc3986#section-2.3>).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Returns a text as one segment of a path, percent-encoded.
#[must_use]
pub fn path_segment(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::path_segment;

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        assert_eq!(path_segment("BRK.B-1_~"), "BRK.B-1_~");
        assert_eq!(path_segment("a/b:c%é "), "a%2Fb%3Ac%25%C3%A9%20");
    }
}
