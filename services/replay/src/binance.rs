//! Binance's public trade archives, <https://data.binance.vision>.
//!
//! Columns: trade id, price, quantity, quote quantity, time, is buyer maker, is best match. Spot
//! archives have no header; those of futures have one, and lack the last column.

use market::{MILLISECOND_NS, Side, Trade};

use crate::cells::LineCells;
use crate::parsed_trade_line::TradeLineError;
use crate::values::{parse_decimal, parse_if_integer, parse_quantity, parse_trade_id};

/// The number of columns of a spot archive, which has no header.
pub(crate) const SPOT_COLUMNS: usize = 7;

/// From this number on a time is in microseconds, and below it in milliseconds. As milliseconds it
/// is in the year 5138, as microseconds in March 1973, so no archive has a time on the wrong side.
const MICROSECONDS_FROM: u64 = 100_000_000_000_000;

/// Parses a line of `column_count` columns.
pub(crate) fn parse_binance_line(
    cells: &LineCells<'_>,
    column_count: usize,
) -> Result<Trade, TradeLineError> {
    cells.check_cell_count(column_count)?;
    if cells.cell_or_empty(0).is_empty() || !cells.cell_or_empty(0).iter().all(u8::is_ascii_digit) {
        let reason = "is not a trade id; digits are expected";
        return Err(TradeLineError::bad_cell(
            "id",
            cells.cell_or_empty(0),
            reason,
        ));
    }
    // Some venues round the quote quantity, so it only serves to detect damage.
    check_quote_quantity_is_decimal(cells.cell_or_empty(3))?;
    if column_count == SPOT_COLUMNS {
        parse_boolean_cell("is best match", cells.cell_or_empty(6))?;
    }
    // If the buyer was the maker, the seller was the taker.
    let side = match parse_boolean_cell("is buyer maker", cells.cell_or_empty(5))? {
        true => Side::Sell,
        false => Side::Buy,
    };
    Ok(Trade {
        time_ns: parse_time_ns(cells.cell_or_empty(4))?,
        price: parse_decimal("price", cells.cell_or_empty(1))?,
        quantity: Some(parse_quantity(cells.cell_or_empty(2))?),
        side: Some(side),
        id: Some(parse_trade_id(cells.cell_or_empty(0))?),
        scope: None,
        sender: None,
    })
}

fn parse_time_ns(cell: &[u8]) -> Result<i64, TradeLineError> {
    let reason =
        "is not a time; milliseconds or microseconds of the years 1970 to 2262 are expected";
    let invalid = || TradeLineError::bad_cell("time", cell, reason);
    let time = parse_if_integer(cell)
        .and_then(Result::ok)
        .ok_or_else(invalid)?;
    let unit_ns = match time.unsigned_abs() >= MICROSECONDS_FROM {
        true => MILLISECOND_NS / 1_000,
        false => MILLISECOND_NS,
    };
    let time_ns = time.checked_mul(unit_ns).ok_or_else(invalid)?;
    if time_ns < 0 {
        return Err(invalid());
    }
    Ok(time_ns)
}

fn parse_boolean_cell(column: &'static str, cell: &[u8]) -> Result<bool, TradeLineError> {
    match cell {
        b"True" | b"true" => Ok(true),
        b"False" | b"false" => Ok(false),
        _ => {
            let reason = "is neither True nor False";
            Err(TradeLineError::bad_cell(column, cell, reason))
        }
    }
}

fn check_quote_quantity_is_decimal(cell: &[u8]) -> Result<(), TradeLineError> {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    let is_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let mut parts = digits.splitn(2, |byte| *byte == b'.');
    if parts.all(is_digits) {
        return Ok(());
    }
    let reason = "is not a decimal number";
    Err(TradeLineError::bad_cell("quote quantity", cell, reason))
}

#[cfg(test)]
mod tests {
    use market::Side;
    use proptest::prelude::*;

    use super::{SPOT_COLUMNS, parse_binance_line};
    use crate::cells::{LineCells, UnquoteBuffer};
    use crate::parsed_trade_line::TradeLineError;

    fn parse_text(line: &str) -> Result<market::Trade, TradeLineError> {
        let mut buffer = UnquoteBuffer::default();
        parse_binance_line(
            &LineCells::split(line.as_bytes(), &mut buffer)?,
            SPOT_COLUMNS,
        )
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..120), columns in 6_usize..8) {
            let mut buffer = UnquoteBuffer::default();
            if let Ok(cells) = LineCells::split(&line, &mut buffer) {
                let _ = parse_binance_line(&cells, columns);
            }
        }

        #[test]
        fn no_seven_cells_make_it_panic(cells in proptest::collection::vec("[0-9.TrueFals\"e-]{0,24}", 7)) {
            let _ = parse_text(&cells.join(","));
        }

        #[test]
        fn a_written_trade_reads_back(
            id: u64,
            mantissa in 0_u64..1_000_000_000,
            time_us in super::MICROSECONDS_FROM..9_000_000_000_000_000,
            maker: bool,
        ) {
            let (whole, fraction) = (mantissa / 10_000, mantissa % 10_000);
            let maker_text = if maker { "True" } else { "false" };
            let line = format!("{id},{whole}.{fraction:04},5,1.0,{time_us},{maker_text},True");
            let trade = parse_text(&line).unwrap();
            prop_assert_eq!(trade.id.unwrap().as_number(), Some(id));
            prop_assert_eq!(trade.price, market::Decimal::new(mantissa.cast_signed(), 4).unwrap());
            prop_assert_eq!(trade.time_ns, time_us.cast_signed() * 1_000);
            prop_assert_eq!(trade.side, Some(if maker { Side::Sell } else { Side::Buy }));
        }
    }

    #[test]
    fn milliseconds_and_microseconds_are_distinguished() {
        let cases = [
            ("1381232396477", 1_381_232_396_477_000_000),
            ("1381232396477000", 1_381_232_396_477_000_000),
            ("0", 0),
            // The last millisecond that fits 64 bits of nanoseconds, and the first microsecond.
            ("9223372036854", 9_223_372_036_854_000_000),
            ("100000000000000", 100_000_000_000_000_000),
        ];
        for (time, expected) in cases {
            let trade = parse_text(&format!("1,2,3,6,{time},False,True")).unwrap();
            assert_eq!(trade.time_ns, expected, "{time}");
        }
    }

    #[test]
    fn the_error_of_a_bad_line_says_what_is_expected() {
        let cases = [
            (
                "1,48.80,500,24400,1381232396477000,False",
                "has 6 cells; 7 are expected",
            ),
            ("1,2,3,6,5,False,True,8,9", "has 9 cells; 7 are expected"),
            (
                "x,2,3,6,5,False,True",
                "id \"x\" is not a trade id; digits are expected",
            ),
            (
                "1,2x,3,6,5,False,True",
                "price \"2x\" is not a decimal number: unexpected character at position 1",
            ),
            (
                "1,1e3,3,6,5,False,True",
                "price \"1e3\" is not a plain decimal number: exponent at position 1",
            ),
            (
                "1,1234567890.0123456789,3,6,5,False,True",
                "price \"1234567890.0123456789\" has too many digits: at most 18 digits, of which at most 18 after the point",
            ),
            (
                "1,2,-3,6,5,False,True",
                "quantity \"-3\" is negative; zero or more is expected",
            ),
            (
                "1,2,3,.,5,False,True",
                "quote quantity \".\" is not a decimal number",
            ),
            (
                "1,2,3,6,-5,False,True",
                "time \"-5\" is not a time; milliseconds or microseconds of the years 1970 to 2262 are expected",
            ),
            (
                "1,2,3,6,9223372036855,False,True",
                "time \"9223372036855\" is not a time; milliseconds or microseconds of the years 1970 to 2262 are expected",
            ),
            (
                "1,2,3,6,5,Fals,True",
                "is buyer maker \"Fals\" is neither True nor False",
            ),
            (
                "1,2,3,6,5,False,",
                "is best match \"\" is neither True nor False",
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(
                parse_text(line).unwrap_err().to_string(),
                expected,
                "{line}"
            );
        }
    }
}
