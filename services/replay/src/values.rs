//! The values that every format writes alike.

use std::num::ParseIntError;

use market::{Decimal, TradeId};

use crate::parsed_trade_line::TradeLineError;

/// Parses a decimal without an exponent. Archives write none, so a line with one is damaged.
pub(crate) fn parse_decimal(column: &'static str, cell: &[u8]) -> Result<Decimal, TradeLineError> {
    if let Some(position) = cell.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        let reason = format!("is not a plain decimal number: exponent at position {position}");
        return Err(TradeLineError::bad_cell(column, cell, reason));
    }
    Decimal::parse(cell).map_err(|error| TradeLineError::bad_cell(column, cell, error.to_string()))
}

/// Parses a quantity, which is not negative.
pub(crate) fn parse_quantity(cell: &[u8]) -> Result<Decimal, TradeLineError> {
    let quantity = parse_decimal("quantity", cell)?;
    if quantity.is_negative() {
        let reason = "is negative; zero or more is expected";
        return Err(TradeLineError::bad_cell("quantity", cell, reason));
    }
    Ok(quantity)
}

/// Parses a trade id, which consists of visible ASCII characters.
pub(crate) fn parse_trade_id(cell: &[u8]) -> Result<TradeId, TradeLineError> {
    let text = parse_utf8("id", cell)?;
    TradeId::parse(text).map_err(|error| TradeLineError::bad_cell("id", cell, error.to_string()))
}

/// Parses digits with or without a minus sign; `None` if the cell holds something else.
pub(crate) fn parse_if_integer(cell: &[u8]) -> Option<Result<i64, ParseIntError>> {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    let is_integer = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = is_integer.then(|| std::str::from_utf8(cell).ok()).flatten();
    text.map(str::parse)
}

/// Returns a cell as text.
pub(crate) fn parse_utf8<'a>(
    column: &'static str,
    cell: &'a [u8],
) -> Result<&'a str, TradeLineError> {
    std::str::from_utf8(cell).map_err(|error| {
        let reason = format!("is not UTF-8 at byte {}", error.valid_up_to());
        TradeLineError::bad_cell(column, cell, reason)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{parse_decimal, parse_if_integer, parse_quantity};

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(cell in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_decimal("price", &cell);
            let _ = parse_quantity(&cell);
            let _ = parse_if_integer(&cell);
        }
    }

    #[test]
    fn integers_are_digits_with_or_without_a_minus() {
        assert_eq!(parse_if_integer(b"-12"), Some(Ok(-12)));
        assert!(parse_if_integer(b"9223372036854775808").unwrap().is_err());
        for text in ["", "-", "+1", "1.0", "1e3", " 1"] {
            assert_eq!(parse_if_integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_message_shows_what_the_cell_holds() {
        let error = parse_decimal("price", b"4\xff\n").unwrap_err();
        let expected =
            "price \"4\\xff\\n\" is not a decimal number: unexpected character at position 1";
        assert_eq!(error.to_string(), expected);
        let error = parse_decimal("price", &[b'x'; 41]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("\"{}\"…", "x".repeat(40)))
        );
    }
}
