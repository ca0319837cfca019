//! Bars.

use candlewick_store::{BarKey, BarQuery, BarReader, BarStore, StoredBar};
use market::{BarRow, Instrument, Interval, MINUTE_NS};

use crate::fixtures::{DAYS_NS, bar, commit_step, extreme_bar, instrument, step};

fn bar_key(bar: &StoredBar) -> BarKey {
    BarKey {
        instrument: bar.instrument.clone(),
        window: bar.row.window,
    }
}

fn bar_query(instrument: &Instrument, start_ns: i64, end_ns: i64) -> BarQuery {
    BarQuery {
        instrument: instrument.clone(),
        interval: Interval::M1,
        start_ns,
        end_ns,
        limit: u32::MAX,
        keep_newest: false,
    }
}

fn starts(rows: &[BarRow]) -> Vec<i64> {
    rows.iter().map(|row| row.window.start_ns).collect()
}

pub(crate) async fn written_rows_are_read_back(store: &impl BarStore) {
    let btc = instrument("binance:BTCUSDT");
    let odd = instrument("A-Z_a.z:A/Z=^+@#$");
    let bars = [
        bar(&btc, Interval::M1, 0, 1, false),
        bar(&btc, Interval::M5, 0, 2, true),
        bar(&odd, Interval::H4, -MINUTE_NS, 3, true),
        extreme_bar(&odd, DAYS_NS[0]),
        extreme_bar(&odd, DAYS_NS[1]),
    ];
    let mut transaction = step(0, 0, 1);
    transaction.bars = bars.to_vec();
    commit_step(store, transaction).await;

    let mut keys: Vec<_> = bars.iter().map(bar_key).collect();
    keys.reverse();
    keys.insert(1, bar_key(&bar(&odd, Interval::M1, 0, 0, false)));
    keys.push(keys[0].clone());
    let read = store.bars(&keys).await.unwrap();
    let [first, second, third, fourth, fifth] = bars.map(|bar| Some(bar.row));
    let expected = [
        fifth.clone(),
        None,
        fourth,
        third,
        second,
        first.clone(),
        fifth,
    ];
    assert_eq!(read, expected);
    assert_eq!(store.bars(&[]).await.unwrap(), []);

    let state = store.load_or_create_partition(0, 1).await.unwrap();
    let open: Vec<_> = state
        .open_bars
        .into_iter()
        .map(|bar| Some(bar.row))
        .collect();
    assert_eq!(open, [first]);
    assert_eq!(
        store
            .load_or_create_partition(1, 1)
            .await
            .unwrap()
            .open_bars,
        []
    );
}

pub(crate) async fn rows_are_replaced(store: &impl BarStore) {
    let btc = instrument("binance:BTCUSDT");
    for (number, closed) in [(1, false), (2, false), (3, true), (4, true)] {
        let written = bar(&btc, Interval::M1, 0, number, closed);
        let mut transaction = step(0, number - 1, number);
        transaction.bars = vec![written.clone()];
        commit_step(store, transaction).await;
        let read = store.bars(&[bar_key(&written)]).await.unwrap();
        assert_eq!(read, [Some(written.row)]);
        let open = store
            .load_or_create_partition(0, 1)
            .await
            .unwrap()
            .open_bars;
        assert_eq!(open.len(), usize::from(!closed));
    }
}

pub(crate) async fn a_bar_may_close_and_open_again(store: &impl BarStore) {
    let btc = instrument("binance:BTCUSDT");
    for (number, closed) in [(1, true), (2, false), (3, true), (4, false)] {
        let written = bar(&btc, Interval::M1, 0, number, closed);
        let mut transaction = step(0, number - 1, number);
        transaction.bars = vec![written.clone()];
        commit_step(store, transaction).await;
        let read = store.bar_range(&bar_query(&btc, 0, 1)).await.unwrap();
        assert_eq!(read, [written.row]);
    }
}

pub(crate) async fn ranges_are_cut_at_either_end(store: &impl BarStore) {
    let btc = instrument("binance:BTCUSDT");
    let mut transaction = step(0, 0, 1);
    for place in (0..10_u64).rev() {
        let start_ns = i64::try_from(place).unwrap() * MINUTE_NS;
        // Open and closed bars alternate.
        let closed = place % 2 == 0;
        transaction
            .bars
            .push(bar(&btc, Interval::M1, start_ns, place, closed));
    }
    transaction.bars.push(bar(&btc, Interval::M5, 0, 99, true));
    let eth = instrument("binance:ETHUSDT");
    transaction.bars.push(bar(&eth, Interval::M1, 0, 98, true));
    commit_step(store, transaction).await;

    let minutes = |from: i64, to: i64| (from..to).map(|at| at * MINUTE_NS).collect::<Vec<_>>();
    let all = bar_query(&btc, i64::MIN, i64::MAX);
    assert_eq!(
        starts(&store.bar_range(&all).await.unwrap()),
        minutes(0, 10)
    );
    let inner = bar_query(&btc, MINUTE_NS, 4 * MINUTE_NS);
    assert_eq!(
        starts(&store.bar_range(&inner).await.unwrap()),
        minutes(1, 4)
    );
    let between = bar_query(&btc, MINUTE_NS + 1, 2 * MINUTE_NS);
    assert_eq!(store.bar_range(&between).await.unwrap(), []);
    let oldest = BarQuery {
        limit: 3,
        ..all.clone()
    };
    assert_eq!(
        starts(&store.bar_range(&oldest).await.unwrap()),
        minutes(0, 3)
    );
    let newest = BarQuery {
        keep_newest: true,
        ..oldest
    };
    assert_eq!(
        starts(&store.bar_range(&newest).await.unwrap()),
        minutes(7, 10)
    );
    let none = BarQuery { limit: 0, ..all };
    assert_eq!(store.bar_range(&none).await.unwrap(), []);
}

pub(crate) async fn many_bars_by_key(store: &impl BarStore) {
    let btc = instrument("binance:BTCUSDT");
    let mut transaction = step(0, 0, 1);
    for place in 0..1_000_u64 {
        let start_ns = i64::try_from(place).unwrap() * MINUTE_NS;
        let closed = place % 3 == 0;
        transaction
            .bars
            .push(bar(&btc, Interval::M1, start_ns, place, closed));
    }
    commit_step(store, transaction.clone()).await;
    let keys: Vec<_> = transaction.bars.iter().map(bar_key).collect();
    let read = store.bars(&keys).await.unwrap();
    let expected: Vec<_> = transaction
        .bars
        .into_iter()
        .map(|bar| Some(bar.row))
        .collect();
    assert_eq!(read, expected);
}

pub(crate) async fn old_bars_expire(store: &impl BarStore) {
    let btc = instrument("binance:BTCUSDT");
    let mut transaction = step(0, 0, 1);
    // Later bars have earlier append times: bars expire by append time.
    for place in 0..10_u64 {
        let start_ns = i64::try_from(place).unwrap() * MINUTE_NS;
        let number = 100 - place;
        transaction
            .bars
            .push(bar(&btc, Interval::M1, start_ns, number, place % 2 == 0));
    }
    commit_step(store, transaction).await;
    assert_eq!(
        store
            .delete_expired_batch(91, i64::MAX, i64::MAX)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        store
            .delete_expired_batch(95, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        4
    );
    let left = store
        .bar_range(&bar_query(&btc, i64::MIN, i64::MAX))
        .await
        .unwrap();
    assert_eq!(
        starts(&left),
        (0..6).map(|at| at * MINUTE_NS).collect::<Vec<_>>()
    );
    assert_eq!(
        store
            .delete_expired_batch(i64::MAX, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        6
    );
}
