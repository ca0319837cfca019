use std::cmp::Ordering;
use std::collections::BTreeMap;

use num_bigint::BigInt;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Bar, EdgeTrade, Position};
use crate::strategies::{
    Delivery, deliveries, fold_bar, format_units, tie_orders, units_at_scale_36,
};
use crate::{DAY_NS, Decimal, HOUR_NS, Interval, MINUTE_NS, Side, TieOrder, Trade, Window};

fn merged(mut left: Bar, right: &Bar, ties: TieOrder) -> Bar {
    left.merge(right, ties);
    left
}

/// Draws trades, the same trades in another order, and indexes that choose which bars to merge.
fn shuffled_trades()
-> impl Strategy<Value = (Vec<Delivery>, Vec<Delivery>, Vec<prop::sample::Index>)> {
    deliveries(0..3 * MINUTE_NS, 24).prop_flat_map(|trades| {
        let pairs = vec(any::<prop::sample::Index>(), trades.len());
        (Just(trades.clone()), Just(trades).prop_shuffle(), pairs)
    })
}

/// Asserts that each field of a bar is what the trades give, computed without `merge`.
fn assert_summarises(bar: &Bar, trades: &[Delivery], ties: TieOrder) -> Result<(), TestCaseError> {
    let mut in_order: Vec<EdgeTrade> = trades
        .iter()
        .map(|(trade, at, _)| EdgeTrade::from_trade(trade, *at))
        .collect();
    in_order.sort_by_cached_key(|edge| {
        let id = edge.id.as_ref();
        let digits = id
            .map(ToString::to_string)
            // An id with a leading zero is a text.
            .filter(|id| id == "0" || !id.starts_with('0'))
            .filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
        let rank = (
            id.is_none(),
            digits.is_none(),
            digits.as_ref().map(String::len),
            id.map(ToString::to_string),
        );
        let by_id = (ties == TieOrder::Id).then(|| (rank, edge.scope.clone()));
        (edge.time_ns, by_id, edge.position)
    });
    prop_assert_eq!(&bar.open, in_order.first().unwrap());
    prop_assert_eq!(&bar.close, in_order.last().unwrap());
    let prices = || trades.iter().map(|(trade, ..)| trade.price);
    prop_assert_eq!(Some(bar.high), prices().max());
    prop_assert_eq!(Some(bar.low), prices().min());
    let sum = |value: &dyn Fn(&Trade) -> Option<BigInt>| {
        let total: BigInt = trades.iter().filter_map(|(trade, ..)| value(trade)).sum();
        format_units(&total, 36)
    };
    let volume = |trade: &Trade| trade.quantity.map(units_at_scale_36);
    let volume_of = |side| move |trade: &Trade| volume(trade).filter(|_| trade.side == Some(side));
    let notional = |trade: &Trade| {
        volume(trade)
            .map(|quantity| quantity * units_at_scale_36(trade.price) / BigInt::from(10).pow(36))
    };
    prop_assert_eq!(bar.volume.to_string(), sum(&volume));
    prop_assert_eq!(bar.buy_volume.to_string(), sum(&volume_of(Side::Buy)));
    prop_assert_eq!(bar.sell_volume.to_string(), sum(&volume_of(Side::Sell)));
    prop_assert_eq!(bar.notional.to_string(), sum(&notional));
    prop_assert_eq!(bar.trades, u64::try_from(trades.len()).unwrap());
    prop_assert_eq!(
        Some(bar.first_append_ns),
        trades.iter().map(|(.., append_ns)| *append_ns).min()
    );
    Ok(())
}

proptest! {
    #[test]
    fn a_bar_depends_only_on_the_set_of_trades(
        (trades, others, pairs) in shuffled_trades(),
        ties in tie_orders(),
    ) {
        let expected = fold_bar(&trades, ties);
        assert_summarises(&expected, &trades, ties)?;
        prop_assert_eq!(&fold_bar(&others, ties), &expected);
        // Any tree of merges: two bars at a time, chosen at random.
        let mut bars: Vec<Bar> = others.chunks(1).map(|one| fold_bar(one, ties)).collect();
        for pair in pairs {
            if bars.len() > 1 {
                let one = bars.swap_remove(pair.index(bars.len()));
                let index = pair.index(bars.len());
                bars[index].merge(&one, ties);
            }
        }
        let rest: Vec<Bar> = bars.split_off(1);
        let found = rest.iter().fold(bars.remove(0), |sum, bar| merged(sum, bar, ties));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn the_bars_of_any_split_merge_to_the_whole(
        trades in deliveries(0..3 * MINUTE_NS, 24),
        size in 1_usize..8,
        ties in tie_orders(),
    ) {
        let bars: Vec<Bar> = trades.chunks(size).map(|part| fold_bar(part, ties)).collect();
        let found = bars[1..].iter().fold(bars[0].clone(), |sum, bar| merged(sum, bar, ties));
        prop_assert_eq!(found, fold_bar(&trades, ties));
    }

    #[test]
    fn merge_is_associative_and_commutative(
        trades in deliveries(0..3, 24),
        one in 1_usize..8,
        two in 1_usize..8,
        ties in tie_orders(),
    ) {
        prop_assume!(trades.len() > one + two);
        let fold = |part| fold_bar(part, ties);
        let sum = |left, right: &Bar| merged(left, right, ties);
        let (a, b, c) = (fold(&trades[..one]), fold(&trades[one..one + two]), fold(&trades[one + two..]));
        prop_assert_eq!(sum(a.clone(), &b), sum(b.clone(), &a));
        prop_assert_eq!(sum(sum(a.clone(), &b), &c), sum(a, &sum(b, &c)));
    }

    #[test]
    fn the_order_of_trades_is_total(trades in deliveries(0..2, 12), ties in tie_orders()) {
        let cmp = |a: &EdgeTrade, b: &EdgeTrade| a.cmp_trade_order(b, ties);
        let edges: Vec<EdgeTrade> = trades.iter().map(|(trade, at, _)| EdgeTrade::from_trade(trade, *at)).collect();
        for a in &edges {
            for b in &edges {
                prop_assert_eq!(cmp(a, b), cmp(b, a).reverse());
                prop_assert_eq!(cmp(a, b) == Ordering::Equal, a.position == b.position);
                for c in &edges {
                    let rising = cmp(a, b).is_le() && cmp(b, c).is_le();
                    prop_assert!(!rising || cmp(a, c).is_le());
                }
            }
        }
    }

    #[test]
    fn bars_of_each_interval_merge_from_those_of_the_shorter_one(
        trades in deliveries(0..2 * DAY_NS, 60),
        ties in tie_orders(),
    ) {
        let mut bars = fold_each_window(&trades, Interval::M1, ties);
        for interval in Interval::ALL {
            let mut longer: BTreeMap<Window, Bar> = BTreeMap::new();
            for (window, bar) in &bars {
                let parent = interval.window_containing(window.start_ns);
                longer
                    .entry(parent)
                    .and_modify(|whole| whole.merge_other_window(bar))
                    .or_insert_with(|| bar.clone());
            }
            prop_assert_eq!(&longer, &fold_each_window(&trades, interval, ties));
            bars = longer;
        }
    }

    #[test]
    fn bars_without_a_counted_trade_do_not_lower_the_first_append(
        parts in vec((0_u64..3, 0_i64..100), 1..8),
        split in any::<prop::sample::Index>(),
        ties in tie_orders(),
    ) {
        // Of each part: no trade was ever counted, one was cancelled, or one counts.
        let bars: Vec<Bar> = parts
            .iter()
            .map(|(kind, append_ns)| match kind {
                0 | 1 => Bar::empty(0, *kind, *append_ns),
                _ => Bar::from_trade(&trade_without_quantity(), Position::default(), *append_ns),
            })
            .collect();
        let counted = parts.iter().filter(|(kind, _)| *kind > 0);
        let first_ns = counted.map(|(_, append_ns)| *append_ns).min();
        let kept_from_ns = parts.iter().map(|(_, append_ns)| *append_ns).min();
        let sum = |bars: &[Bar]| {
            let rest = bars.iter().skip(1);
            rest.fold(bars[0].clone(), |sum, bar| merged(sum, bar, ties))
        };
        let split = 1 + split.index(bars.len());
        let (left, right) = bars.split_at(split);
        let whole = match right {
            [] => sum(left),
            _ => merged(sum(right), &sum(left), ties),
        };
        prop_assert_eq!(whole.first_trade_append_ns(), first_ns);
        prop_assert_eq!(Some(whole.first_append_ns), first_ns.or(kept_from_ns));
        prop_assert_eq!(sum(&bars).first_append_ns, whole.first_append_ns);
    }
}

/// Returns the bars of an interval, folded from the trades themselves.
fn fold_each_window(
    trades: &[Delivery],
    interval: Interval,
    ties: TieOrder,
) -> BTreeMap<Window, Bar> {
    let mut groups: BTreeMap<Window, Vec<Delivery>> = BTreeMap::new();
    for delivery in trades {
        let window = interval.window_containing(delivery.0.time_ns);
        groups.entry(window).or_default().push(delivery.clone());
    }
    groups
        .into_iter()
        .map(|(window, group)| (window, fold_bar(&group, ties)))
        .collect()
}

#[test]
fn equal_times_are_ordered_as_the_venue_declares() {
    let edge = |time_ns: i64, id: &str, scope: &str, epoch: u64, offset: u64| EdgeTrade {
        time_ns,
        id: crate::TradeId::parse(id).ok(),
        scope: (!scope.is_empty()).then(|| scope.into()),
        position: Position { epoch, offset },
        price: Decimal::ZERO,
    };
    let rising = [
        edge(0, "9", "Z", 9, 9),
        edge(1, "2", "", 9, 9),
        edge(1, "10", "A", 9, 9),
        edge(1, "10", "B", 1, 2),
        edge(1, "10", "B", 1, 3),
        edge(1, "10", "B", 2, 0),
        edge(1, "99999999999999999999", "A", 0, 0),
        edge(1, "100000000000000000000", "A", 0, 0),
        edge(1, "-1", "A", 0, 0),
        edge(1, "a", "A", 0, 0),
        edge(1, "", "A", 0, 0),
        edge(2, "1", "A", 0, 0),
    ];
    for pair in rising.windows(2) {
        assert_eq!(
            pair[0].cmp_trade_order(&pair[1], TieOrder::Id),
            Ordering::Less,
            "{pair:?}"
        );
        let by_log = (pair[0].time_ns, pair[0].position).cmp(&(pair[1].time_ns, pair[1].position));
        assert_eq!(pair[0].cmp_trade_order(&pair[1], TieOrder::Log), by_log);
    }
}

fn trade_without_quantity() -> Trade {
    Trade {
        time_ns: HOUR_NS,
        price: "1.5".parse().unwrap(),
        quantity: None,
        side: Some(Side::Buy),
        id: None,
        scope: None,
        sender: None,
    }
}

#[test]
fn a_trade_without_quantity_counts_without_volume() {
    let bar = Bar::from_trade(&trade_without_quantity(), Position::default(), 7);
    assert_eq!((bar.trades, bar.first_append_ns), (1, 7));
    for sum in [bar.volume, bar.buy_volume, bar.sell_volume, bar.notional] {
        assert!(sum.is_zero());
    }
}
