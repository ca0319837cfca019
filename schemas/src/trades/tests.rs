use market::{
    Amendment, AmendmentKind, DAY_NS, DeclaredSettings, IdScheme, IdScope, MINUTE_NS,
    SettingsChange, TieOrder, Trade, Venue, VenueSettings,
};
use proptest::option;
use proptest::prelude::*;

use super::{LeftOutNotice, RefoldResult, Repair, TradesTopicRecord};
use crate::bars::tests::bars;
use crate::error::DecodeError;
use crate::strategies::{apply_damages, damages, ids, positions, trades, with_each_false_length};

fn encoded(record: &TradesTopicRecord) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

fn settings_changes() -> impl Strategy<Value = SettingsChange> {
    let longest_ns = VenueSettings::MAX_WAIT_NS;
    let fixed = (
        option::of(prop::sample::select(IdScheme::ALL)),
        option::of(prop::sample::select(IdScope::ALL)),
        option::of(prop::sample::select(TieOrder::ALL)),
    );
    let rest = (
        option::of(0..=longest_ns),
        option::of(0..=longest_ns),
        any::<Option<bool>>(),
        any::<Option<bool>>(),
        any::<Option<bool>>(),
    );
    (fixed, rest).prop_map(|((scheme, scope, ties), rest)| {
        let (lateness_ns, idle_ns, nonpositive_prices, old_times, retired) = rest;
        SettingsChange {
            scheme,
            scope,
            ties,
            lateness_ns,
            idle_ns,
            nonpositive_prices,
            old_times,
            retired,
        }
    })
}

pub(crate) fn declared_settings() -> impl Strategy<Value = (Venue, DeclaredSettings)> {
    let venue = "[A-Za-z0-9_-][A-Za-z0-9._-]{0,31}";
    (venue, settings_changes(), positions()).prop_map(|(venue, change, declared_at)| {
        let declared = DeclaredSettings {
            settings: change.apply_to(None).unwrap(),
            declared_at,
        };
        (venue.parse().unwrap(), declared)
    })
}

fn settings() -> impl Strategy<Value = TradesTopicRecord> {
    let change = (declared_settings(), settings_changes())
        .prop_map(|((venue, _), change)| TradesTopicRecord::Setting(venue, change));
    let copy = declared_settings()
        .prop_map(|(venue, declared)| TradesTopicRecord::SettingCopy(venue, declared));
    prop_oneof![change, copy]
}

prop_compose! {
    fn amendments()(
        id in ids(),
        kind in prop_oneof![Just(AmendmentKind::Edit), Just(AmendmentKind::Cancel)],
        target_position in proptest::option::of(positions()),
    ) -> Amendment {
        Amendment { id, kind, target_position }
    }
}

fn minutes() -> impl Strategy<Value = i64> {
    (0..i64::MAX / MINUTE_NS - 1_440).prop_map(|minute| minute * MINUTE_NS)
}

fn refolds() -> impl Strategy<Value = TradesTopicRecord> {
    let refold = |(start_ns, up_to, bar)| {
        let refold = RefoldResult {
            start_ns,
            up_to,
            bar,
        };
        TradesTopicRecord::Refold(Box::new(refold))
    };
    (minutes(), positions(), bars()).prop_map(refold)
}

fn repairs() -> impl Strategy<Value = TradesTopicRecord> {
    (minutes(), 1_i64..=1_440, any::<bool>()).prop_map(|(start_ns, count, force)| {
        let end_ns = start_ns + count * MINUTE_NS;
        TradesTopicRecord::Repair(Repair {
            start_ns,
            end_ns,
            force,
        })
    })
}

fn left_out_records() -> impl Strategy<Value = TradesTopicRecord> {
    (minutes(), any::<bool>()).prop_map(|(start_ns, is_refold)| {
        TradesTopicRecord::LeftOut(LeftOutNotice {
            start_ns,
            is_refold,
        })
    })
}

fn records() -> impl Strategy<Value = TradesTopicRecord> {
    let amendment = |(amendment, trade)| TradesTopicRecord::Amendment(amendment, trade);
    prop_oneof![
        4 => trades().prop_map(TradesTopicRecord::Trade),
        4 => (amendments(), trades()).prop_map(amendment),
        2 => settings(),
        1 => Just(TradesTopicRecord::Advance),
        1 => refolds(),
        1 => repairs(),
        1 => left_out_records(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn decoding_undoes_encoding(record in records()) {
        prop_assert_eq!(TradesTopicRecord::decode(&encoded(&record)), Ok(record));
    }

    #[test]
    fn an_amendment_is_known_by_its_first_bytes(record in records(), damages in damages()) {
        let is_amendment = matches!(record, TradesTopicRecord::Amendment(..));
        let bytes = encoded(&record);
        prop_assert_eq!(TradesTopicRecord::begins_as_amendment(&bytes), is_amendment);
        let damaged = apply_damages(bytes, &damages);
        if let Ok(found) = TradesTopicRecord::decode(&damaged) {
            let is_amendment = matches!(found, TradesTopicRecord::Amendment(..));
            prop_assert_eq!(TradesTopicRecord::begins_as_amendment(&damaged), is_amendment);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), damages in damages(), record in records()) {
        let opened = |kind| [&[0x9c, 1, kind], &*bytes].concat();
        let whole = [bytes.clone(), apply_damages(encoded(&record), &damages)];
        for bytes in whole.into_iter().chain((0..8).map(opened)) {
            if let Ok(found) = TradesTopicRecord::decode(&bytes) {
                prop_assert_eq!(TradesTopicRecord::decode(&encoded(&found)), Ok(found));
            }
        }
    }

    #[test]
    fn a_record_cut_short_or_long_is_malformed(record in records(), more: u8) {
        let mut bytes = encoded(&record);
        for end in 0..bytes.len() {
            let found = TradesTopicRecord::decode(&bytes[..end]);
            prop_assert!(matches!(found, Err(DecodeError::Malformed { .. })), "{:?}", found);
        }
        bytes.push(more);
        prop_assert!(TradesTopicRecord::decode(&bytes).is_err());
    }

    #[test]
    fn another_number_of_elements_is_malformed(record in records(), elements in 0_u8..16) {
        let mut bytes = encoded(&record);
        // A refold has more elements, which its header counts in two further bytes.
        let count = if bytes[0] == 0xdc { 2 } else { 0 };
        let opened = if count == 0 { 0x90 | elements } else { elements };
        prop_assume!(bytes[count] != opened);
        bytes[count] = opened;
        prop_assert!(TradesTopicRecord::decode(&bytes).is_err());
    }
}

fn full() -> Trade {
    Trade {
        time_ns: 1,
        price: "1.5".parse().unwrap(),
        quantity: "2".parse().ok(),
        side: Some(market::Side::Sell),
        id: market::TradeId::parse("x").ok(),
        scope: Some("S".into()),
        sender: Some(market::SenderTradeId {
            key: [7; 16],
            index: 3,
        }),
    }
}

#[test]
fn false_lengths_are_errors() {
    let settings = TradesTopicRecord::Setting("v".parse().unwrap(), SettingsChange::default());
    let amendment = Amendment {
        id: market::TradeId::Number(1),
        kind: AmendmentKind::Edit,
        target_position: Some(market::Position::default()),
    };
    let amendment = TradesTopicRecord::Amendment(amendment, full());
    for record in [TradesTopicRecord::Trade(full()), amendment, settings] {
        for bytes in with_each_false_length(&encoded(&record)) {
            // A header within the sender's key is data: the key may be any bytes.
            let found = TradesTopicRecord::decode(&bytes);
            let within_key = match &found {
                Ok(TradesTopicRecord::Trade(trade) | TradesTopicRecord::Amendment(_, trade)) => {
                    trade.sender != full().sender
                }
                _ => false,
            };
            assert!(found.is_err() || within_key, "{bytes:x?} gave {found:?}");
        }
    }
}

#[test]
fn names_the_version_and_kind_that_it_does_not_know() {
    let decode = |bytes: &[u8]| TradesTopicRecord::decode(bytes).unwrap_err();
    assert_eq!(
        decode(&[0x92, 2, 1]),
        DecodeError::Version { found: 2, known: 1 }
    );
    assert_eq!(
        decode(&[0x93, 0, 1, 1]),
        DecodeError::Version { found: 0, known: 1 }
    );
    // A newer version may have any shape after its number.
    assert_eq!(
        decode(&[0x92, 0xcd, 1, 0, 0xc1]),
        DecodeError::Version {
            found: 256,
            known: 1
        }
    );
    assert_eq!(decode(&[0x92, 1, 9]), DecodeError::Kind { found: 9 });
    assert_eq!(
        decode(&[0x9f, 1, 0xcc, 200]),
        DecodeError::Kind { found: 200 }
    );
}

#[test]
fn names_the_field_that_is_wrong() {
    let cases: [(&[u8], &str); 29] = [
        (&[], "record"),
        (&[0x80], "record"),
        (&[0x92, 1, 1, 0], "record"),
        (&[0x93, 1, 1], "record"),
        (&[0x92, 0xc0, 1], "version"),
        (&[0x92, 1, 0xff], "kind"),
        (&[0x96, 1, 0, 0, 0, 0, 0], "record"),
        (&[0x95, 1, 0, 0xc0, 0, 0], "time"),
        (&[0x95, 1, 0, 0, 0, 19], "price"),
        (
            &[
                0x95, 1, 0, 0, 0xcf, 0x0d, 0xe0, 0xb6, 0xb3, 0xa7, 0x64, 0, 1, 0,
            ],
            "price",
        ),
        (&[0x97, 1, 0, 0, 1, 0, 0xc0, 0], "quantity"),
        (&[0x98, 1, 0, 0, 1, 0, 0xc0, 0], "quantity"),
        (&[0x98, 1, 0, 0, 1, 0, 1, 0, 2], "side"),
        (&[0x99, 1, 0, 0, 1, 0, 1, 0, 0, 0xff], "id"),
        (&[0x99, 1, 0, 0, 1, 0, 1, 0, 0, 0xa1, 0], "id"),
        (&[0x9a, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0xa0], "scope"),
        (&[0x9a, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0xa1, 0], "scope"),
        (&[0x9a, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0xa1, b' '], "scope"),
        (&[0x98, 1, 3, 0xc0, 0xc0, 0xc0, 0, 1, 0], "amendment"),
        (&[0x98, 1, 4, 7, 0xc0, 0, 0, 1, 0], "target_position"),
        (&[0x98, 1, 4, 7, 0, 0xc0, 0, 1, 0], "target_position"),
        (&[0x97, 1, 3, 7, 0xc0, 0xc0, 0, 1], "record"),
        (&[0x95, 1, 5, 1, 0, 0], "record"),
        (&[0xdc, 0, 16, 1, 5, 1, 0, 0], "start"),
        (&[0xdc, 0, 16, 1, 5, 0, 0xff, 0], "up_to"),
        (&[0xdc, 0, 16, 1, 5, 0, 0, 0, 0], "open"),
        (&[0x95, 1, 6, 0, 0, 0xc2], "end"),
        (&[0x95, 1, 6, 0, 1, 0xc2], "end"),
        (&[0x95, 1, 6, 0, 1, 7], "force"),
    ];
    for (bytes, expected) in cases {
        match TradesTopicRecord::decode(bytes) {
            Err(DecodeError::Malformed { field, .. }) => assert_eq!(field, expected, "{bytes:x?}"),
            other => panic!("{bytes:x?} gave {other:?}"),
        }
    }
}

#[test]
fn integers_of_any_width_are_read() {
    let wide = [
        0x95, 0xcc, 1, 0xcd, 0, 0, 0xd3, 0, 0, 0, 0, 0, 0, 0, 7, 0xd0, 5, 0xce, 0, 0, 0, 1,
    ];
    let found = TradesTopicRecord::decode(&wide).unwrap();
    assert_eq!(encoded(&found), [0x95, 1, 0, 7, 5, 1]);
}

#[test]
fn times_beyond_a_day_are_read_as_a_day() {
    let change = SettingsChange {
        lateness_ns: Some(i64::MAX),
        idle_ns: Some(-1),
        ..SettingsChange::default()
    };
    let record = TradesTopicRecord::Setting("v".parse().unwrap(), change);
    let Ok(TradesTopicRecord::Setting(_, found)) = TradesTopicRecord::decode(&encoded(&record))
    else {
        panic!("a setting is expected");
    };
    assert_eq!(
        (found.lateness_ns, found.idle_ns),
        (Some(VenueSettings::MAX_WAIT_NS), Some(0))
    );
}

#[test]
fn a_copy_of_settings_names_every_setting() {
    let declared = DeclaredSettings {
        settings: VenueSettings::default(),
        declared_at: market::Position::default(),
    };
    let copy = TradesTopicRecord::SettingCopy("v".parse().unwrap(), declared);
    let mut bytes = encoded(&copy);
    assert_eq!(bytes.pop(), Some(0xc2));
    bytes.push(0xc0);
    let error = TradesTopicRecord::decode(&bytes).unwrap_err();
    assert!(matches!(error, DecodeError::Malformed { .. }), "{error}");
}

#[test]
fn repairs_are_of_whole_minutes_in_order_and_of_a_day_at_most() {
    let cases = [
        (0, MINUTE_NS, true),
        (0, DAY_NS, true),
        (7 * MINUTE_NS, DAY_NS + 7 * MINUTE_NS, true),
        (0, DAY_NS + MINUTE_NS, false),
        (MINUTE_NS, MINUTE_NS, false),
        (2 * MINUTE_NS, MINUTE_NS, false),
        (1, MINUTE_NS, false),
        (0, MINUTE_NS + 1, false),
        (-MINUTE_NS, MINUTE_NS, false),
    ];
    for (start_ns, end_ns, is_valid) in cases {
        let repair = Repair {
            start_ns,
            end_ns,
            force: false,
        };
        assert_eq!(repair.is_valid(), is_valid, "{repair:?}");
        let found = TradesTopicRecord::decode(&encoded(&TradesTopicRecord::Repair(repair)));
        assert_eq!(found.is_ok(), is_valid, "{repair:?}");
    }
}
