use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use market::{Decimal, Side, TradeId};

const VALID_TRADE: &str = r#"{"venue":"v","symbol":"S","time":0,"price":1}"#;

#[test]
fn one_object_and_an_array_of_one_are_the_same() {
    let one = read_json_trades(VALID_TRADE.as_bytes(), None).unwrap();
    let many = read_json_trades(format!(" [{VALID_TRADE}] ").as_bytes(), None).unwrap();
    assert_eq!(one.trades, many.trades);
    assert_eq!(one.indexes, [0]);
}

#[test]
fn a_body_that_is_not_json_is_a_problem() {
    for body in ["", "{", "[", "[1,]", "{} {}", "[]]", "nul", "[\"\u{1}\"]"] {
        assert!(read_json_trades(body.as_bytes(), None).is_err(), "{body}");
    }
    assert!(read_json_trades(b"\"\xff\"", None).is_err());
}

#[test]
fn a_sender_is_set_if_there_is_no_id() {
    let with_id = VALID_TRADE.replace("{", r#"{"id":"x","#);
    let body = format!("[{with_id},{VALID_TRADE}]");
    let submission = read_json_trades(body.as_bytes(), Some([7; 16])).unwrap();
    let senders: Vec<_> = submission
        .trades
        .iter()
        .map(|(_, trade)| trade.sender)
        .collect();
    let sender = market::SenderTradeId {
        key: [7; 16],
        index: 1,
    };
    assert_eq!(senders, [None, Some(sender)]);
}

/// Generates a trade as JSON in various spellings, with the trade that it stands for.
fn written_trades() -> impl Strategy<Value = (String, Trade)> {
    let decimal = (-(10_i64.pow(18) - 1)..10_i64.pow(18), 0_u8..19)
        .prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).unwrap());
    let decimals = (decimal.clone(), option::of(decimal), any::<bool>());
    let id = option::of(prop_oneof![
        any::<u64>().prop_map(|number| (number.to_string(), TradeId::Number(number))),
        "[a-z\"\\\\]{1,9}".prop_map(|text| {
            (
                serde_json::to_string(&text).unwrap(),
                TradeId::parse(&text).unwrap(),
            )
        }),
    ]);
    let side = option::of(prop_oneof![Just(Side::Buy), Just(Side::Sell)]);
    (decimals, id, side, 0_i64..i64::MAX).prop_map(
        |((price, quantity, quoted), id, side, time_ns)| {
            let number = |value: Decimal| match quoted {
                true => format!("\"{value}\""),
                false => value.to_string(),
            };
            let null = || "null".to_owned();
            let text = format!(
                r#"{{ "symbol":"S", "ven\u0075e":"v","price":{},"quantity":{}, "side" : {},"id":{},"time":{}}}"#,
                number(price),
                quantity.map_or_else(null, number),
                side.map_or_else(null, |side| format!("{:?}", side.name())),
                id.as_ref().map_or_else(null, |(text, _)| text.clone()),
                match quoted {
                    true => format!("\"{}\"", market::format_time(time_ns)),
                    false => time_ns.to_string(),
                },
            );
            let trade = Trade {
                time_ns,
                price,
                quantity,
                side,
                id: id.map(|(_, id)| id),
                scope: None,
                sender: None,
            };
            (text, trade)
        },
    )
}

proptest! {
    #[test]
    fn numbers_are_exact((text, trade) in written_trades()) {
        let submission = read_json_trades(text.as_bytes(), None).unwrap();
        prop_assert_eq!(submission.rejected, []);
        prop_assert_eq!(&submission.trades[0].1, &trade);
    }

    #[test]
    fn hostile_json_never_panics(text in ".{0,80}", bytes in vec(any::<u8>(), 0..80)) {
        let _ = read_json_trades(text.as_bytes(), None);
        let _ = read_json_trades(&bytes, None);
        let lines = read_ndjson_trades(&bytes, None);
        prop_assert!(lines.trades.is_empty());
    }

    #[test]
    fn any_json_value_of_a_field_is_read_or_named(
        name in prop_oneof![
            Just("venue"), Just("symbol"), Just("id"), Just("time"), Just("price"),
            Just("quantity"), Just("side"), Just("scope"), Just("other"),
        ],
        value in prop_oneof![
            Just("null".to_owned()), Just("true".to_owned()), Just("[]".to_owned()),
            Just(r#"{"a":1}"#.to_owned()), Just(r#""\ud800""#.to_owned()), Just(r#""""#.to_owned()),
            any::<i64>().prop_map(|number| number.to_string()),
            "-?[1-9]\\.[0-9]{1,30}[eE][+-]?[0-9]{1,12}",
            "[ -~]{0,9}".prop_map(|text| serde_json::to_string(&Value::String(text)).unwrap()),
        ],
    ) {
        let rest: Vec<_> = [
            ("venue", "\"v\""), ("symbol", "\"S\""), ("time", "0"), ("price", "1"),
        ]
        .iter()
        .filter(|(other, _)| *other != name)
        .map(|(name, value)| format!(",\"{name}\":{value}"))
        .collect();
        let text = format!("{{\"{name}\":{value}{}}}", rest.concat());
        let submission = read_json_trades(text.as_bytes(), None).unwrap();
        prop_assert_eq!(submission.trades.len() + submission.rejected.len(), 1);
        for rejection in submission.rejected {
            prop_assert_eq!(rejection.field, name);
        }
    }
}
