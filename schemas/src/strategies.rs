//! Generators of values for the property tests, and damage to bytes.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use market::{Decimal, ExactSum, Position, SenderTradeId, Side, Trade, TradeId};

pub(crate) fn decimals() -> impl Strategy<Value = Decimal> {
    const MAX_MANTISSA: i64 = 999_999_999_999_999_999;
    let mantissas = prop_oneof![
        -MAX_MANTISSA..=MAX_MANTISSA,
        -300_i64..300,
        Just(MAX_MANTISSA),
        Just(-MAX_MANTISSA)
    ];
    (mantissas, 0_u8..=18).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).unwrap())
}

/// Generates numbers of every width that MessagePack has.
pub(crate) fn unsigned_integers() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift)
}

pub(crate) fn signed_integers() -> impl Strategy<Value = i64> {
    let shifted = (any::<i64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift);
    prop_oneof![shifted, Just(i64::MIN), Just(i64::MAX)]
}

pub(crate) fn ids() -> impl Strategy<Value = TradeId> {
    let texts = prop_oneof!["[!-~]{1,64}", "[1-9][0-9]{19,63}"];
    prop_oneof![
        unsigned_integers().prop_map(TradeId::Number),
        texts.prop_map(|text| TradeId::parse(&text).unwrap()),
    ]
}

/// Generates texts of 1 to 64 bytes.
pub(crate) fn scopes() -> impl Strategy<Value = std::sync::Arc<str>> {
    "[!-~]{1,64}".prop_map(Into::into)
}

pub(crate) fn positions() -> impl Strategy<Value = Position> {
    (unsigned_integers(), unsigned_integers())
        .prop_map(|(epoch, offset)| Position { epoch, offset })
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
        time_ns in signed_integers(),
        price in decimals(),
        quantity in option::of(decimals()),
        side in option::of(prop_oneof![Just(Side::Buy), Just(Side::Sell)]),
        id in option::of(ids()),
        scope in option::of(scopes()),
        sender in option::of((any::<[u8; 16]>(), unsigned_integers())),
    ) -> Trade {
        let sender = sender.map(|(key, index)| SenderTradeId { key, index });
        Trade { time_ns, price, quantity, side, id, scope, sender }
    }
}

/// A change to a record's bytes.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    Overwrite(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
    /// Replaces a byte by one of [`FALSE_LENGTHS`].
    FalseLength(Index, usize),
}

/// Headers of every kind with the greatest length, which is more than follows.
pub(crate) const FALSE_LENGTHS: [&[u8]; 7] = [
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
        (any::<Index>(), 0..FALSE_LENGTHS.len())
            .prop_map(|(at, index)| Damage::FalseLength(at, index)),
    ];
    vec(damage, 1..4)
}

pub(crate) fn apply_damages(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        if bytes.is_empty() {
            return bytes;
        }
        match damage {
            Damage::Overwrite(at, byte) => *at.get_mut(&mut bytes) = *byte,
            Damage::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
            Damage::Remove(at) => _ = bytes.remove(at.index(bytes.len())),
            Damage::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Damage::FalseLength(at, index) => {
                let at = at.index(bytes.len());
                bytes.splice(at..=at, FALSE_LENGTHS[*index].iter().copied());
            }
        }
    }
    bytes
}

/// Returns the bytes with each of the false lengths in place of each byte, followed by nothing or
/// by the rest.
pub(crate) fn with_each_false_length(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len()).flat_map(move |at| {
        FALSE_LENGTHS.into_iter().flat_map(move |length| {
            let head = [&bytes[..at], length].concat();
            [[&*head, &bytes[at + 1..]].concat(), head]
        })
    })
}
