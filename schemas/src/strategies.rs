//! What properties draw their values from, and what they do to bytes.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use market::{Decimal, ExactSum, Position, SenderId, Side, Trade, TradeId};

pub(crate) fn decimals() -> impl Strategy<Value = Decimal> {
    const LAST: i64 = 999_999_999_999_999_999;
    let mantissas = prop_oneof![-LAST..=LAST, -300_i64..300, Just(LAST), Just(-LAST)];
    (mantissas, 0_u8..=18).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).unwrap())
}

/// Small numbers, great numbers and the ends: each width that MessagePack has.
pub(crate) fn unsigned() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift)
}

pub(crate) fn signed() -> impl Strategy<Value = i64> {
    let shifted = (any::<i64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift);
    prop_oneof![shifted, Just(i64::MIN), Just(i64::MAX)]
}

pub(crate) fn ids() -> impl Strategy<Value = TradeId> {
    let texts = prop_oneof!["[!-~]{1,64}", "[1-9][0-9]{19,63}"];
    prop_oneof![
        unsigned().prop_map(TradeId::Number),
        texts.prop_map(|text| TradeId::parse(&text).unwrap()),
    ]
}

/// Any text of 1 to 64 bytes.
pub(crate) fn scopes() -> impl Strategy<Value = std::sync::Arc<str>> {
    prop_oneof!["\\PC{1,16}", "[ -~]{1,64}"].prop_map(Into::into)
}

pub(crate) fn positions() -> impl Strategy<Value = Position> {
    (unsigned(), unsigned()).prop_map(|(epoch, offset)| Position { epoch, offset })
}

pub(crate) fn sums() -> impl Strategy<Value = ExactSum> {
    let products = vec((decimals(), decimals()), 0..3);
    products.prop_map(|products| {
        let mut sum = ExactSum::default();
        for (left, right) in products {
            sum.add_product(left, right);
        }
        sum
    })
}

prop_compose! {
    pub(crate) fn trades()(
        time_ns in signed(),
        price in decimals(),
        quantity in option::of(decimals()),
        side in option::of(prop_oneof![Just(Side::Buy), Just(Side::Sell)]),
        id in option::of(ids()),
        scope in option::of(scopes()),
        sender in option::of((any::<[u8; 16]>(), unsigned())),
    ) -> Trade {
        let sender = sender.map(|(key, index)| SenderId { key, index });
        Trade { time_ns, price, quantity, side, id, scope, sender }
    }
}

/// A change of a record's bytes.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    Overwrite(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
    Length(Index, usize),
}

/// Headers that promise more than follows, each at its greatest.
pub(crate) const LYING_LENGTHS: [&[u8]; 7] = [
    &[0xdb, 0xff, 0xff, 0xff, 0xff],
    &[0xc6, 0xff, 0xff, 0xff, 0xff],
    &[0xdd, 0xff, 0xff, 0xff, 0xff],
    &[0xdf, 0xff, 0xff, 0xff, 0xff],
    &[0xc9, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0xda, 0xff, 0xff],
    &[0xdc, 0xff, 0xff],
];

pub(crate) fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let damage = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Overwrite(at, byte)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<Index>().prop_map(Damage::Remove),
        any::<Index>().prop_map(Damage::Truncate),
        (any::<Index>(), 0..LYING_LENGTHS.len()).prop_map(|(at, which)| Damage::Length(at, which)),
    ];
    vec(damage, 1..4)
}

pub(crate) fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        if bytes.is_empty() {
            return bytes;
        }
        match damage {
            Damage::Overwrite(at, byte) => *at.get_mut(&mut bytes) = *byte,
            Damage::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
            Damage::Remove(at) => _ = bytes.remove(at.index(bytes.len())),
            Damage::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Length(at, which) => {
                let at = at.index(bytes.len());
                bytes.splice(at..=at, LYING_LENGTHS[*which].iter().copied());
            }
        }
    }
    bytes
}

/// The bytes with each lying length in the place of each byte, and nothing or the rest after it.
pub(crate) fn every_lie(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len()).flat_map(move |at| {
        LYING_LENGTHS.into_iter().flat_map(move |lie| {
            let head = [&bytes[..at], lie].concat();
            [[&*head, &bytes[at + 1..]].concat(), head]
        })
    })
}
