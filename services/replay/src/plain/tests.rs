use market::{Side, TradeId};
use proptest::prelude::*;

use super::{COLUMN_NAMES, PlainFormatColumns};
use crate::cells::{LineCells, UnquoteBuffer};

fn parse_header(header: &str) -> Result<PlainFormatColumns, String> {
    let mut buffer = UnquoteBuffer::default();
    let cells = LineCells::split(header.as_bytes(), &mut buffer).unwrap();
    PlainFormatColumns::from_header(&cells).map_err(|error| error.to_string())
}

/// Parses a line. Returns the trade, its venue and its symbol.
fn parse_line(header: &str, line: &[u8]) -> Result<(market::Trade, String, String), String> {
    let columns = parse_header(header).unwrap();
    let mut buffer = UnquoteBuffer::default();
    let cells = LineCells::split(line, &mut buffer).map_err(|error| error.to_string())?;
    let parsed = columns
        .parse_line(&cells)
        .map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((parsed.trade, text(parsed.venue), text(parsed.symbol)))
}

fn parse_time_text(text: &str) -> Result<i64, String> {
    parse_line("time,price", format!("{text},1").as_bytes()).map(|(trade, ..)| trade.time_ns)
}

proptest! {
    #[test]
    fn no_line_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = parse_line(&COLUMN_NAMES.join(","), &line);
    }

    #[test]
    fn no_header_makes_it_panic(header in "[a-z,\"]{0,60}") {
        let mut buffer = UnquoteBuffer::default();
        if let Ok(cells) = LineCells::split(header.as_bytes(), &mut buffer) {
            let _ = PlainFormatColumns::from_header(&cells);
        }
    }

    #[test]
    fn a_time_is_the_same_however_it_is_written(time_ns in 0..=i64::MAX) {
        prop_assert_eq!(parse_time_text(&time_ns.to_string()), Ok(time_ns));
        prop_assert_eq!(parse_time_text(&market::format_time(time_ns)), Ok(time_ns));
    }

    #[test]
    fn any_order_of_columns_reads_the_same(order in Just(COLUMN_NAMES.to_vec()).prop_shuffle()) {
        let values = ["1", "2.50", "3", "sell", "7", "x", "v", "s"];
        let line: Vec<_> = order.iter().map(|name| values[COLUMN_NAMES.iter().position(|one| one == name).unwrap()]).collect();
        let (trade, venue, symbol) = parse_line(&order.join(","), line.join(",").as_bytes()).unwrap();
        prop_assert_eq!((venue.as_str(), symbol.as_str()), ("v", "s"));
        prop_assert_eq!((trade.time_ns, trade.side), (1, Some(Side::Sell)));
        prop_assert_eq!(trade.price.to_string(), "2.5");
        prop_assert_eq!(trade.id, Some(TradeId::Number(7)));
        prop_assert_eq!(trade.scope.as_deref(), Some("x"));
    }
}

#[test]
fn empty_cells_are_absent_values() {
    let (trade, venue, symbol) = parse_line(&COLUMN_NAMES.join(","), b"0,1,,,,,,").unwrap();
    assert_eq!(
        (trade.quantity, trade.side, trade.id, trade.scope),
        (None, None, None, None)
    );
    assert_eq!((venue.as_str(), symbol.as_str()), ("", ""));
    let (trade, ..) = parse_line("price,time", b"1,0").unwrap();
    assert_eq!((trade.time_ns, trade.quantity), (0, None));
}

#[test]
fn times_are_nanoseconds_or_rfc_3339() {
    let cases = [
        ("1381239000000000000", 1_381_239_000_000_000_000),
        ("2013-10-08T13:30:00Z", 1_381_239_000_000_000_000),
        ("2013-10-08t15:30:00.5+02:00", 1_381_239_000_500_000_000),
        ("2013-10-08T13:30:00.000000001z", 1_381_239_000_000_000_001),
        ("2013-10-08T09:30:00-04:00", 1_381_239_000_000_000_000),
    ];
    for (text, expected) in cases {
        assert_eq!(parse_time_text(text), Ok(expected), "{text}");
    }
    let invalid = [
        "",
        "-1",
        "1.5",
        "9223372036854775808",
        "2013-10-08",
        "2013-10-08 13:30:00Z",
        "2013-10-08T13:30Z",
        "2013-10-08T13:30:00",
        "2013-10-08T13:30:00.Z",
        "2013-10-08T13:30:00.0000000001Z",
        "2013-10-08T13:30:60Z",
        "2013-02-30T13:30:00Z",
        "2013-10-08T13:30:00+24:00",
        "2013-10-08T13:30:00+0200",
        "2013-10-08T13:30:00Z[UTC]",
        "1969-12-31T23:59:59Z",
    ];
    for text in invalid {
        assert!(
            parse_time_text(text).unwrap_err().contains("is not a time"),
            "{text}"
        );
    }
}

#[test]
fn the_error_of_a_header_says_what_is_expected() {
    let cases = [
        (
            "time,cost",
            "\"cost\" is not one of the columns time, price, quantity, side, id, scope, venue, symbol",
        ),
        ("time,price,time", "column time is named twice"),
        (
            "price,id",
            "column time is missing; time and price are needed",
        ),
        (
            "time,quantity",
            "column price is missing; time and price are needed",
        ),
    ];
    for (header, expected) in cases {
        assert_eq!(parse_header(header), Err(expected.to_owned()), "{header}");
    }
}

#[test]
fn the_error_of_a_bad_line_says_what_is_expected() {
    let header = "time,price,quantity,side,id,scope";
    let cases: [(&[u8], &str); 6] = [
        (b"0,1,2,buy,3", "has 5 cells; 6 are expected"),
        (
            b"0,1,-2,buy,3,x",
            "quantity \"-2\" is negative; zero or more is expected",
        ),
        (
            b"0,1,2,Buy,3,x",
            "side \"Buy\" is not a side; buy, sell or nothing is expected",
        ),
        (
            b"0,1,2,buy,a b,x",
            "id \"a b\" has an unexpected character ' ' at position 1; visible ASCII is accepted",
        ),
        (
            b"0,1,2,buy,3,\xff",
            "scope \"\\xff\" is not UTF-8 at byte 0",
        ),
        (
            b"0,,2,buy,3,x",
            "price \"\" is empty; a decimal number such as 1.25 is expected",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(parse_line(header, line).unwrap_err(), expected);
    }
}
