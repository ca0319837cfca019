//! The bytes of each kind of record, as files. They were written by another encoder (Python's
//! `msgpack`), and change only with the schema version: logs hold records of years ago.

use candlewick_schemas::{
    DeadLetter, LeftOutNotice, RefoldResult, Repair, TradesTopicRecord, decode_bar_update,
    encode_bar_update,
};
use market::{
    Amendment, AmendmentKind, Bar, BarRow, DAY_NS, Decimal, DeclaredSettings, EdgeTrade, ExactSum,
    IdScheme, Interval, Position, RejectReason, SECOND_NS, SenderTradeId, SettingsChange, Side,
    Trade, TradeId, Venue, Window,
};

const TIME_NS: i64 = 1_709_294_400_123_456_789;
const MINUTE_START_NS: i64 = 1_709_294_400_000_000_000;
const UUID: &str = "3f333df6-90a4-4fda-8dd3-9485d27cee36";
/// The greatest position.
const LAST_POSITION: Position = Position {
    epoch: u64::MAX,
    offset: u64::MAX,
};

macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("../golden/", $name, ".msgpack"))
    };
}

fn parse_decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn parse_sum(text: &str) -> ExactSum {
    text.parse().expect("a sum")
}

fn typical_trade() -> Trade {
    Trade {
        time_ns: TIME_NS,
        price: parse_decimal("67123.45"),
        quantity: Some(parse_decimal("0.00123")),
        side: Some(Side::Sell),
        id: Some(TradeId::Number(3_456_789_012)),
        scope: None,
        sender: None,
    }
}

/// A trade with the required values only, at the price of oil on 20 April 2020.
fn minimal_trade() -> Trade {
    Trade {
        time_ns: 1_587_407_400_000_000_000,
        price: parse_decimal("-37.63"),
        quantity: None,
        side: None,
        id: None,
        scope: None,
        sender: None,
    }
}

fn assert_golden_bytes(record: &TradesTopicRecord, golden: &[u8]) {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    assert_eq!(bytes, golden, "{record:?}");
    assert_eq!(TradesTopicRecord::decode(golden).as_ref(), Ok(record));
}

#[test]
fn trades_have_golden_bytes() {
    assert_golden_bytes(&TradesTopicRecord::Trade(typical_trade()), golden!("trade"));
    assert_golden_bytes(
        &TradesTopicRecord::Trade(minimal_trade()),
        golden!("trade-minimal"),
    );
    let full = Trade {
        side: Some(Side::Buy),
        scope: Some("XNAS".into()),
        sender: Some(SenderTradeId {
            key: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
            index: 41,
        }),
        ..typical_trade()
    };
    assert_golden_bytes(&TradesTopicRecord::Trade(full), golden!("trade-full"));
    let text_id = Trade {
        price: parse_decimal("0.999999999999999999"),
        quantity: None,
        side: None,
        id: TradeId::parse(UUID).ok(),
        sender: Some(SenderTradeId {
            key: [0xff; 16],
            index: 70_000,
        }),
        ..typical_trade()
    };
    assert_golden_bytes(&TradesTopicRecord::Trade(text_id), golden!("trade-text-id"));
}

#[test]
fn control_records_have_golden_bytes() {
    assert_golden_bytes(&TradesTopicRecord::Advance, golden!("advance"));
    let venue: Venue = "binance".parse().expect("a venue");
    let change = SettingsChange {
        scheme: Some(IdScheme::Contiguous),
        lateness_ns: Some(2 * SECOND_NS),
        ..SettingsChange::default()
    };
    let setting = TradesTopicRecord::Setting(Clone::clone(&venue), change);
    assert_golden_bytes(&setting, golden!("setting"));
    let declared = DeclaredSettings {
        settings: change.apply_to(None).expect("a new venue"),
        declared_at: Position {
            epoch: 2,
            offset: 70_000,
        },
    };
    let announcement = candlewick_schemas::encode_settings_announcement(&venue, &declared);
    assert_eq!(announcement, golden!("settings-announcement"));
    let copy = TradesTopicRecord::SettingCopy(venue, declared);
    assert_golden_bytes(&copy, golden!("setting-copy"));
}

#[test]
fn amendments_have_golden_bytes() {
    let amendment = |kind, id: &str, target_position| Amendment {
        id: TradeId::parse(id).expect("an id"),
        kind,
        target_position,
    };
    let golden = |amendment, trade, golden: &[u8]| {
        assert_golden_bytes(&TradesTopicRecord::Amendment(amendment, trade), golden);
    };
    let edited = Trade {
        price: parse_decimal("67123.55"),
        quantity: Some(parse_decimal("0.00125")),
        ..typical_trade()
    };
    let edit = amendment(AmendmentKind::Edit, "correction-7", None);
    golden(edit, edited, golden!("edit"));
    let full = Trade {
        price: parse_decimal("0.999999999999999999"),
        quantity: None,
        side: None,
        id: TradeId::parse(UUID).ok(),
        scope: Some("XNAS".into()),
        sender: Some(SenderTradeId {
            key: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
            index: 41,
        }),
        ..typical_trade()
    };
    let edit = amendment(AmendmentKind::Edit, "18446744073709551615", None);
    golden(edit, full, golden!("edit-full"));

    // Of a cancel the values mean nothing.
    let nothing = Trade {
        price: Decimal::ZERO,
        quantity: None,
        side: None,
        ..typical_trade()
    };
    let cancel = amendment(AmendmentKind::Cancel, "3456789012", None);
    golden(cancel, nothing.clone(), golden!("cancel"));
    let place = Position {
        epoch: 2,
        offset: 70_000,
    };
    let id = "00112233445566778899aabbccddeeff";
    let cancel = amendment(AmendmentKind::Cancel, id, Some(place));
    let nameless = Trade {
        id: None,
        ..nothing
    };
    golden(cancel, nameless, golden!("cancel-place"));
}

#[test]
fn refolds_and_repairs_have_golden_bytes() {
    let refold = RefoldResult {
        start_ns: MINUTE_START_NS,
        up_to: Position {
            epoch: 2,
            offset: 70_001,
        },
        bar: forming_bar().bar,
    };
    let refold = TradesTopicRecord::Refold(Box::new(refold));
    assert_golden_bytes(&refold, golden!("refold"));
    let repair = Repair {
        start_ns: MINUTE_START_NS,
        end_ns: MINUTE_START_NS + DAY_NS,
        force: true,
    };
    assert_golden_bytes(&TradesTopicRecord::Repair(repair), golden!("repair"));
    let left_out = LeftOutNotice {
        start_ns: MINUTE_START_NS,
        is_refold: true,
    };
    assert_golden_bytes(&TradesTopicRecord::LeftOut(left_out), golden!("left-out"));
}

fn forming_bar() -> BarRow {
    let open = EdgeTrade {
        time_ns: MINUTE_START_NS + 1,
        id: Some(TradeId::Number(3_456_789_000)),
        scope: None,
        position: Position {
            epoch: 2,
            offset: 300,
        },
        price: parse_decimal("67120"),
    };
    let last = Position {
        epoch: 2,
        offset: 70_000,
    };
    BarRow {
        window: Window {
            interval: Interval::M1,
            start_ns: MINUTE_START_NS,
        },
        bar: Bar {
            open,
            close: EdgeTrade {
                scope: Some("XNAS".into()),
                ..EdgeTrade::from_trade(&typical_trade(), last)
            },
            high: parse_decimal("67124"),
            low: parse_decimal("67120"),
            volume: parse_sum("1.50123"),
            buy_volume: parse_sum("1.5"),
            sell_volume: parse_sum("0.00123"),
            notional: parse_sum("100768.5618435"),
            trades: 2,
            admitted: 3,
            first_append_ns: TIME_NS + 5_000_000,
        },
        closed: false,
        revision: 0,
        provable: true,
        through: last,
    }
}

/// A closed bar after three corrections whose values are the greatest possible.
fn corrected_bar() -> BarRow {
    let open = EdgeTrade {
        time_ns: MINUTE_START_NS,
        id: TradeId::parse("99999999999999999999").ok(),
        scope: None,
        position: Position {
            epoch: 1,
            offset: 5,
        },
        price: parse_decimal("-0.000000000000000001"),
    };
    let close = EdgeTrade {
        time_ns: TIME_NS - 1,
        id: TradeId::parse(UUID).ok(),
        scope: None,
        position: LAST_POSITION,
        price: parse_decimal("999999999999999999"),
    };
    BarRow {
        window: Window {
            interval: Interval::M5,
            start_ns: MINUTE_START_NS,
        },
        bar: Bar {
            high: close.price,
            low: open.price,
            open,
            close,
            volume: parse_sum("18446744073709551615"),
            buy_volume: ExactSum::default(),
            sell_volume: ExactSum::default(),
            notional: parse_sum(
                "999999999999999998000000000000000001.000000000000000000000000000000000001",
            ),
            trades: u64::MAX,
            admitted: u64::MAX,
            first_append_ns: MINUTE_START_NS + 1_000_000,
        },
        closed: true,
        revision: 3,
        provable: false,
        through: LAST_POSITION,
    }
}

#[test]
fn bar_updates_have_golden_bytes() {
    let rows = vec![forming_bar(), corrected_bar()];
    let golden = golden!("bar-update");
    assert_eq!(encode_bar_update(rows.iter()), golden);
    assert_eq!(decode_bar_update(golden), Ok(rows));
}

#[test]
fn dead_letters_have_golden_bytes() {
    let letter = DeadLetter {
        reason: RejectReason::TimeInFuture,
        detail: "time is 2020-04-20T18:30:00Z, the log's 2020-04-20T18:20:00Z".to_owned(),
        partition: 3,
        position: Position {
            epoch: 1,
            offset: 8_000_000_001,
        },
        append_time_ns: 1_587_406_800_000_000_000,
        key: "nymex:CLK0".into(),
        value: golden!("trade-minimal").as_slice().into(),
    };
    let golden = golden!("dead-letter");
    assert_eq!(letter.encode(), golden);
    assert_eq!(DeadLetter::decode(golden), Ok(letter));
}
