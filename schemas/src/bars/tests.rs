use market::{Bar, BarRow, EdgeTrade, Interval};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{
    BarUpdatesTopicRecord, decode_bar_row, decode_bar_update, decode_bar_updates_record,
    encode_bar_row, encode_bar_update, encode_settings_announcement,
};
use crate::error::DecodeError;
use crate::strategies::{
    apply_damages, damages, decimals, ids, positions, scopes, signed_integers, sums,
    unsigned_integers, with_each_false_length,
};
use crate::trades::tests::declared_settings;

prop_compose! {
    fn edges()(
        time_ns in signed_integers(),
        id in option::of(ids()),
        scope in option::of(scopes()),
        position in positions(),
        price in decimals(),
    ) -> EdgeTrade {
        EdgeTrade { time_ns, id, scope, position, price }
    }
}

prop_compose! {
    pub(crate) fn bars()(
        (open, close) in (edges(), edges()),
        (high, low) in (decimals(), decimals()),
        (volume, buy_volume, sell_volume, notional) in (sums(), sums(), sums(), sums()),
        (trades, admitted) in (unsigned_integers(), unsigned_integers()),
        first_append_ns in signed_integers(),
    ) -> Bar {
        Bar {
            open, close, high, low, volume, buy_volume, sell_volume, notional, trades, admitted,
            first_append_ns,
        }
    }
}

prop_compose! {
    fn rows()(
        interval in prop::sample::select(&Interval::ALL),
        time_ns in 0..i64::MAX,
        bar in bars(),
        (closed, provable) in any::<(bool, bool)>(),
        revision in unsigned_integers(),
        through in positions(),
    ) -> BarRow {
        BarRow { window: interval.window_containing(time_ns), bar, closed, revision, provable, through }
    }
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(rows in vec(rows(), 0..20)) {
        prop_assert_eq!(decode_bar_update(&encode_bar_update(rows.iter())), Ok(rows.clone()));
        for row in rows {
            prop_assert_eq!(decode_bar_row(&encode_bar_row(&row)), Ok(row));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), damages in damages(), rows in vec(rows(), 1..3)) {
        let update = apply_damages(encode_bar_update(rows.iter()), &damages);
        for bytes in [&*bytes, &*update, &[&[0x93, 1, 0, 0xdd], &*bytes].concat()] {
            if let Ok(found) = decode_bar_update(bytes) {
                prop_assert_eq!(decode_bar_update(&encode_bar_update(found.iter())), Ok(found));
            }
        }
        let row = apply_damages(encode_bar_row(&rows[0]), &damages);
        for bytes in [&*bytes, &*row, &[&[0x92, 1, 0xdc, 0, 16], &*bytes].concat()] {
            if let Ok(found) = decode_bar_row(bytes) {
                prop_assert_eq!(decode_bar_row(&encode_bar_row(&found)), Ok(found));
            }
        }
    }

    #[test]
    fn false_lengths_are_errors(row in rows()) {
        for bytes in with_each_false_length(&encode_bar_row(&row)) {
            // A text may hold another's header; what is read then is a bar all the same.
            if let Ok(found) = decode_bar_row(&bytes) {
                prop_assert_eq!(decode_bar_row(&encode_bar_row(&found)), Ok(found));
            }
        }
        // As many bars as a length can say, and one.
        let mut bytes = vec![0x93, 1, 0, 0xdd, 0xff, 0xff, 0xff, 0xff];
        bytes.extend_from_slice(&encode_bar_row(&row)[2..]);
        prop_assert!(decode_bar_update(&bytes).is_err());
    }

    #[test]
    fn announced_settings_are_read_as_they_were_written((venue, declared) in declared_settings()) {
        let bytes = encode_settings_announcement(&venue, &declared);
        let found = decode_bar_updates_record(&bytes);
        prop_assert_eq!(found, Ok(BarUpdatesTopicRecord::Settings(venue, declared)));
        prop_assert!(decode_bar_update(&bytes).is_err());
    }

    #[test]
    fn a_record_cut_short_or_long_is_malformed(row in rows(), more: u8) {
        let mut bytes = encode_bar_row(&row);
        for end in 0..bytes.len() {
            prop_assert!(decode_bar_row(&bytes[..end]).is_err());
        }
        bytes.push(more);
        prop_assert!(decode_bar_row(&bytes).is_err());
    }
}

#[test]
fn names_what_it_does_not_know() {
    let version = DecodeError::Version { found: 2, known: 1 };
    assert_eq!(decode_bar_row(&[0x92, 2, 0x90]).as_ref(), Err(&version));
    assert_eq!(decode_bar_update(&[0x91, 2]), Err(version));
    assert_eq!(
        decode_bar_update(&[0x93, 1, 2, 0x90]),
        Err(DecodeError::Kind { found: 2 })
    );
    assert_eq!(decode_bar_update(&[0x93, 1, 0, 0x90]), Ok(vec![]));
}

#[test]
fn names_the_field_that_is_wrong() {
    let field = |found| match found {
        Err(DecodeError::Malformed { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        field(decode_bar_update(&[0x92, 1, 0, 0x90]).map(drop)),
        "record"
    );
    assert_eq!(
        field(decode_bar_update(&[0x93, 1, 0, 0xc0]).map(drop)),
        "bars"
    );
    assert_eq!(
        field(decode_bar_update(&[0x93, 1, 0, 0x91, 0x90]).map(drop)),
        "bar"
    );
    assert_eq!(field(decode_bar_row(&[0x93, 1, 0x90]).map(drop)), "record");
    // 61 s is no interval.
    assert_eq!(
        field(decode_bar_row(&[0x92, 1, 0xdc, 0, 18, 61]).map(drop)),
        "interval"
    );
}
