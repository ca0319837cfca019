use std::cmp::Ordering;
use std::collections::BTreeMap;

use num_bigint::BigInt;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Bar, EdgeTrade, Position};
use crate::strategies::{Delivery, at_36, deliveries, fold, text_of};
use crate::{DAY_NS, Decimal, HOUR_NS, Interval, MINUTE_NS, Side, Trade, Window};

fn merged(mut left: Bar, right: &Bar) -> Bar {
    left.merge(right);
    left
}

/// Trades, the same in any order, and numbers that say which bars to merge.
fn shuffled() -> impl Strategy<Value = (Vec<Delivery>, Vec<Delivery>, Vec<prop::sample::Index>)> {
    deliveries(0..3 * MINUTE_NS, 24).prop_flat_map(|trades| {
        let pairs = vec(any::<prop::sample::Index>(), trades.len());
        (Just(trades.clone()), Just(trades).prop_shuffle(), pairs)
    })
}

/// The bar's parts, found without `merge`.
fn assert_is_bar_of(bar: &Bar, trades: &[Delivery]) -> Result<(), TestCaseError> {
    let mut edges: Vec<EdgeTrade> = trades
        .iter()
        .map(|(trade, at, _)| EdgeTrade::of(trade, *at))
        .collect();
    edges.sort_by_cached_key(|edge| {
        let id = edge.id.as_ref();
        let digits = id
            .map(ToString::to_string)
            .filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
        let rank = (
            id.is_none(),
            digits.is_none(),
            digits.as_ref().map(String::len),
            id.map(ToString::to_string),
        );
        (edge.time_ns, rank, edge.scope.clone(), edge.position)
    });
    prop_assert_eq!(&bar.open, edges.first().unwrap());
    prop_assert_eq!(&bar.close, edges.last().unwrap());
    let prices = || trades.iter().map(|(trade, ..)| trade.price);
    prop_assert_eq!(Some(bar.high), prices().max());
    prop_assert_eq!(Some(bar.low), prices().min());
    let sum = |of: &dyn Fn(&Trade) -> Option<BigInt>| {
        let total: BigInt = trades.iter().filter_map(|(trade, ..)| of(trade)).sum();
        text_of(&total, 36)
    };
    let volume = |trade: &Trade| trade.quantity.map(at_36);
    let on = |side| move |trade: &Trade| volume(trade).filter(|_| trade.side == Some(side));
    let notional = |trade: &Trade| {
        volume(trade).map(|quantity| quantity * at_36(trade.price) / BigInt::from(10).pow(36))
    };
    prop_assert_eq!(bar.volume.to_string(), sum(&volume));
    prop_assert_eq!(bar.buy_volume.to_string(), sum(&on(Side::Buy)));
    prop_assert_eq!(bar.sell_volume.to_string(), sum(&on(Side::Sell)));
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
    fn depends_on_the_set_of_trades_alone((trades, others, pairs) in shuffled()) {
        let expected = fold(&trades);
        assert_is_bar_of(&expected, &trades)?;
        prop_assert_eq!(&fold(&others), &expected);
        // Any tree of merges: two bars at a time, whichever come.
        let mut bars: Vec<Bar> = others.chunks(1).map(fold).collect();
        for pair in pairs {
            if bars.len() > 1 {
                let one = bars.swap_remove(pair.index(bars.len()));
                let place = pair.index(bars.len());
                bars[place].merge(&one);
            }
        }
        let rest: Vec<Bar> = bars.split_off(1);
        let found = rest.iter().fold(bars.remove(0), merged);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_split_merges_to_the_whole(trades in deliveries(0..3 * MINUTE_NS, 24), size in 1_usize..8) {
        let bars: Vec<Bar> = trades.chunks(size).map(fold).collect();
        let found = bars[1..].iter().fold(bars[0].clone(), merged);
        prop_assert_eq!(found, fold(&trades));
    }

    #[test]
    fn merge_is_associative_and_commutative(trades in deliveries(0..3, 24), one in 1_usize..8, two in 1_usize..8) {
        prop_assume!(trades.len() > one + two);
        let (a, b, c) = (fold(&trades[..one]), fold(&trades[one..one + two]), fold(&trades[one + two..]));
        prop_assert_eq!(merged(a.clone(), &b), merged(b.clone(), &a));
        prop_assert_eq!(
            merged(merged(a.clone(), &b), &c),
            merged(a, &merged(b, &c))
        );
    }

    #[test]
    fn the_order_of_trades_is_total(trades in deliveries(0..2, 12)) {
        let edges: Vec<EdgeTrade> = trades.iter().map(|(trade, at, _)| EdgeTrade::of(trade, *at)).collect();
        for a in &edges {
            for b in &edges {
                prop_assert_eq!(a.order(b), b.order(a).reverse());
                prop_assert_eq!(a.order(b) == Ordering::Equal, a.position == b.position);
                for c in &edges {
                    let rising = a.order(b).is_le() && b.order(c).is_le();
                    prop_assert!(!rising || a.order(c).is_le());
                }
            }
        }
    }

    #[test]
    fn each_interval_folds_from_the_one_before(trades in deliveries(0..2 * DAY_NS, 60)) {
        let mut bars = direct(&trades, Interval::M1);
        for interval in Interval::ALL {
            let mut longer: BTreeMap<Window, Bar> = BTreeMap::new();
            for (window, bar) in &bars {
                let into = interval.window(window.start_ns);
                longer.entry(into).and_modify(|whole| whole.merge(bar)).or_insert_with(|| bar.clone());
            }
            prop_assert_eq!(&longer, &direct(&trades, interval));
            bars = longer;
        }
    }
}

/// The bars of an interval, folded from the trades themselves.
fn direct(trades: &[Delivery], interval: Interval) -> BTreeMap<Window, Bar> {
    let mut groups: BTreeMap<Window, Vec<Delivery>> = BTreeMap::new();
    for delivery in trades {
        let window = interval.window(delivery.0.time_ns);
        groups.entry(window).or_default().push(delivery.clone());
    }
    groups
        .into_iter()
        .map(|(window, group)| (window, fold(&group)))
        .collect()
}

#[test]
fn ties_in_time_fall_to_id_then_scope_then_place() {
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
        assert_eq!(pair[0].order(&pair[1]), Ordering::Less, "{pair:?}");
    }
}

#[test]
fn a_trade_without_quantity_counts_without_volume() {
    let trade = Trade {
        time_ns: HOUR_NS,
        price: "1.5".parse().unwrap(),
        quantity: None,
        side: Some(Side::Buy),
        id: None,
        scope: None,
        sender: None,
    };
    let bar = Bar::of(&trade, Position::default(), 7);
    assert_eq!((bar.trades, bar.first_append_ns), (1, 7));
    for sum in [bar.volume, bar.buy_volume, bar.sell_volume, bar.notional] {
        assert!(sum.is_zero());
    }
}
