//! Binance's public trade archives, <https://data.binance.vision>.
//!
//! Columns: trade id, price, quantity, quote quantity, time, is the buyer the maker, is it the
//! best match. Spot archives have no header; those of futures have one, and no last column.

use market::{MILLISECOND_NS, Side, Trade};

use crate::cells::{Cells, LineError, decimal, id, integer, quantity};

/// How many columns an archive without a header has.
pub(crate) const COLUMNS: usize = 7;

/// From here on a time is in microseconds, and below in milliseconds. As milliseconds this is
/// the year 5138, as microseconds it is March 1973, so no archive holds a time on the wrong side.
const MICROSECONDS_FROM: u64 = 100_000_000_000_000;

/// Reads a line of `columns` columns.
pub(crate) fn parse(cells: &Cells<'_>, columns: usize) -> Result<Trade, LineError> {
    cells.expect(columns)?;
    if cells.get(0).is_empty() || !cells.get(0).iter().all(u8::is_ascii_digit) {
        let reason = "is not a trade id; digits are expected";
        return Err(LineError::cell("id", cells.get(0), reason));
    }
    // Some venues round it, so it is only looked at for damage.
    decimal_of_any_length(cells.get(3))?;
    if columns == COLUMNS {
        flag("is best match", cells.get(6))?;
    }
    // The maker was there first: where that was the buyer, the seller took.
    let side = match flag("is buyer maker", cells.get(5))? {
        true => Side::Sell,
        false => Side::Buy,
    };
    Ok(Trade {
        time_ns: time(cells.get(4))?,
        price: decimal("price", cells.get(1))?,
        quantity: Some(quantity(cells.get(2))?),
        side: Some(side),
        id: Some(id(cells.get(0))?),
        scope: None,
        sender: None,
    })
}

fn time(cell: &[u8]) -> Result<i64, LineError> {
    let reason =
        "is not a time; milliseconds or microseconds of the years 1970 to 2262 are expected";
    let wrong = || LineError::cell("time", cell, reason);
    let time = integer(cell).and_then(Result::ok).ok_or_else(wrong)?;
    let unit_ns = match time.unsigned_abs() >= MICROSECONDS_FROM {
        true => MILLISECOND_NS / 1_000,
        false => MILLISECOND_NS,
    };
    let time_ns = time.checked_mul(unit_ns).ok_or_else(wrong)?;
    if time_ns < 0 {
        return Err(wrong());
    }
    Ok(time_ns)
}

fn flag(column: &'static str, cell: &[u8]) -> Result<bool, LineError> {
    match cell {
        b"True" | b"true" => Ok(true),
        b"False" | b"false" => Ok(false),
        _ => {
            let reason = "is neither True nor False";
            Err(LineError::cell(column, cell, reason))
        }
    }
}

fn decimal_of_any_length(cell: &[u8]) -> Result<(), LineError> {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    let is_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let mut parts = digits.splitn(2, |byte| *byte == b'.');
    if parts.all(is_digits) {
        return Ok(());
    }
    let reason = "is not a decimal number";
    Err(LineError::cell("quote quantity", cell, reason))
}

#[cfg(test)]
mod tests {
    use market::Side;
    use proptest::prelude::*;

    use super::{COLUMNS, parse};
    use crate::cells::{Cells, LineError, Scratch};

    fn read(line: &str) -> Result<market::Trade, LineError> {
        let mut scratch = Scratch::default();
        parse(&Cells::split(line.as_bytes(), &mut scratch)?, COLUMNS)
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..120), columns in 6_usize..8) {
            let mut scratch = Scratch::default();
            if let Ok(cells) = Cells::split(&line, &mut scratch) {
                let _ = parse(&cells, columns);
            }
        }

        #[test]
        fn no_seven_cells_make_it_panic(cells in proptest::collection::vec("[0-9.TrueFals\"e-]{0,24}", 7)) {
            let _ = read(&cells.join(","));
        }

        #[test]
        fn what_was_written_is_read(
            id: u64,
            mantissa in 0_u64..1_000_000_000,
            time_us in super::MICROSECONDS_FROM..9_000_000_000_000_000,
            maker: bool,
        ) {
            let (whole, fraction) = (mantissa / 10_000, mantissa % 10_000);
            let maker_text = if maker { "True" } else { "false" };
            let line = format!("{id},{whole}.{fraction:04},5,1.0,{time_us},{maker_text},True");
            let trade = read(&line).unwrap();
            prop_assert_eq!(trade.id.unwrap().as_number(), Some(id));
            prop_assert_eq!(trade.price, market::Decimal::new(mantissa.cast_signed(), 4).unwrap());
            prop_assert_eq!(trade.time_ns, time_us.cast_signed() * 1_000);
            prop_assert_eq!(trade.side, Some(if maker { Side::Sell } else { Side::Buy }));
        }
    }

    #[test]
    fn milliseconds_and_microseconds_are_told_apart() {
        let cases = [
            ("1381232396477", 1_381_232_396_477_000_000),
            ("1381232396477000", 1_381_232_396_477_000_000),
            ("0", 0),
            // The last millisecond that fits 64 bits of nanoseconds, and the first microsecond.
            ("9223372036854", 9_223_372_036_854_000_000),
            ("100000000000000", 100_000_000_000_000_000),
        ];
        for (time, expected) in cases {
            let trade = read(&format!("1,2,3,6,{time},False,True")).unwrap();
            assert_eq!(trade.time_ns, expected, "{time}");
        }
    }

    #[test]
    fn a_bad_line_says_what_would_be_right() {
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
                "quantity \"-3\" is negative; nought or more is expected",
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
            assert_eq!(read(line).unwrap_err().to_string(), expected, "{line}");
        }
    }
}
