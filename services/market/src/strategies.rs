//! Strategies from which property tests draw their values.

use num_bigint::BigInt;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::{Bar, Decimal, Position, Side, TieOrder, Trade, TradeId};

/// A trade with its position in the log and its append time.
pub(crate) type Delivery = (Trade, Position, i64);

/// Draws any decimal, the limits of the range as often as values between them.
pub(crate) fn decimals() -> impl Strategy<Value = Decimal> {
    const LAST: i64 = 999_999_999_999_999_999;
    let mantissas = prop_oneof![
        -LAST..=LAST,
        -1_000_i64..=1_000,
        Just(LAST),
        Just(-LAST),
        Just(100_000_000_000_000_000),
    ];
    (mantissas, 0_u8..=18).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).unwrap())
}

/// Draws ids of each kind, from few values, so that some are equal.
pub(crate) fn trade_ids() -> impl Strategy<Value = TradeId> {
    prop_oneof![
        (0_u64..4).prop_map(TradeId::Number),
        any::<u64>().prop_map(TradeId::Number),
        "[1-9][0-9]{19,22}".prop_map(|text| TradeId::parse(&text).unwrap()),
        "[0-9a-f~-]{1,3}".prop_map(|text| TradeId::parse(&text).unwrap()),
    ]
}

prop_compose! {
    fn trades(times: std::ops::Range<i64>)(
        // Whole minutes and shared nanoseconds, so that many times are equal.
        time_ns in prop_oneof![times.clone(), times.prop_map(|time| time - time % crate::MINUTE_NS)],
        price in prop_oneof![decimals(), (1_i64..4).prop_map(|price| Decimal::new(price, 0).unwrap())],
        quantity in option::of(decimals()),
        side in option::of(prop_oneof![Just(Side::Buy), Just(Side::Sell)]),
        id in option::of(trade_ids()),
        scope in option::of("[AB]"),
    ) -> Trade {
        let scope = scope.map(Into::into);
        Trade { time_ns, price, quantity, side, id, scope, sender: None }
    }
}

/// Draws 1 to `most` trades, each at its own position in the log.
pub(crate) fn deliveries(
    times: std::ops::Range<i64>,
    most: usize,
) -> impl Strategy<Value = Vec<Delivery>> {
    let delivery = (trades(times), 0_u64..2, 0_i64..1_000);
    vec(delivery, 1..=most).prop_map(|deliveries| {
        let with_position = |(offset, (trade, epoch, append_ns))| {
            let position = Position { epoch, offset };
            (trade, position, append_ns)
        };
        (0_u64..).zip(deliveries).map(with_position).collect()
    })
}

/// Draws an order of ties.
pub(crate) fn tie_orders() -> impl Strategy<Value = TieOrder> {
    prop::sample::select(TieOrder::ALL)
}

/// Returns the bar of some trades, merged one by one.
pub(crate) fn fold_bar(deliveries: &[Delivery], ties: TieOrder) -> Bar {
    let mut bars = deliveries
        .iter()
        .map(|(trade, position, append_ns)| Bar::from_trade(trade, *position, *append_ns));
    let first = bars.next().unwrap();
    bars.fold(first, |mut bar, other| {
        bar.merge(&other, ties);
        bar
    })
}

/// Returns a decimal times 10^36.
pub(crate) fn units_at_scale_36(value: Decimal) -> BigInt {
    BigInt::from(value.mantissa()) * BigInt::from(10).pow(36 - u32::from(value.scale()))
}

/// Formats `units / 10^scale` as [`Decimal`] and [`crate::ExactSum`] do.
pub(crate) fn format_units(units: &BigInt, scale: usize) -> String {
    let sign = if units < &BigInt::ZERO { "-" } else { "" };
    let digits = format!(
        "{:0>width$}",
        units.magnitude().to_string(),
        width = scale + 1
    );
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}
