//! Sets of ids.

use candlewick_store::{
    AMENDMENTS_SCOPE, BarReader, BarStore, ExcludedRange, IdRangeQuery, IdRanges, IdSetChange,
    IdSetKey, IdSetRow, IdSetWrites, TickVerdict,
};
use market::TradeId;

use crate::fixtures::{commit_step, id_key, step};

fn range_change(key: &IdSetKey, at: i64, put: &[(u64, u64)], remove: &[u64]) -> IdSetChange {
    IdSetChange {
        key: key.clone(),
        last_append_ns: at,
        writes: IdSetWrites::Ranges {
            upserted: put.to_vec(),
            removed_firsts: remove.to_vec(),
        },
    }
}

fn exact_change(key: &IdSetKey, at: i64, texts: &[String]) -> IdSetChange {
    let add = texts.iter().map(|text| TradeId::parse(text).unwrap());
    IdSetChange {
        key: key.clone(),
        last_append_ns: at,
        writes: IdSetWrites::Exact {
            added: add.collect(),
        },
    }
}

async fn commit_changes(store: &impl BarStore, from: u64, ids: Vec<IdSetChange>) {
    let mut transaction = step(0, from, from + 1);
    transaction.id_sets = ids;
    commit_step(store, transaction).await;
}

/// Reads one set.
async fn read_set(store: &impl BarStore, key: &IdSetKey) -> IdSetRow {
    let mut sets = store.id_sets(std::slice::from_ref(key)).await.unwrap();
    assert_eq!(sets.len(), 1);
    sets.remove(0)
}

async fn read_ranges(store: &impl BarStore, key: &IdSetKey) -> IdRanges {
    let row = read_set(store, key).await;
    assert_eq!(row.exact, []);
    row.ranges
}

pub(crate) async fn ranges_are_inserted_and_removed(store: &impl BarStore) {
    let key = id_key("binance:BTCUSDT", "", -1);
    let nothing = IdSetRow {
        ranges: Vec::new(),
        exact: Vec::new(),
        last_append_ns: 0,
    };
    assert_eq!(read_set(store, &key).await, nothing);

    commit_changes(
        store,
        0,
        vec![range_change(&key, 5, &[(1, 3), (7, 9), (20, 20)], &[])],
    )
    .await;
    assert_eq!(read_ranges(store, &key).await, [(1, 3), (7, 9), (20, 20)]);
    // 4 to 6 join the first two ranges; one range grows.
    commit_changes(
        store,
        1,
        vec![range_change(&key, 6, &[(1, 9), (20, 22)], &[7])],
    )
    .await;
    assert_eq!(read_ranges(store, &key).await, [(1, 9), (20, 22)]);
    // A range that grows downwards replaces another.
    commit_changes(store, 2, vec![range_change(&key, 7, &[(19, 22)], &[20])]).await;
    assert_eq!(read_ranges(store, &key).await, [(1, 9), (19, 22)]);
    assert_eq!(read_set(store, &key).await.last_append_ns, 7);
    for other in [
        id_key("binance:BTCUSDT", "", 0),
        id_key("binance:BTCUSDT", "x", -1),
        id_key("binance:ETHUSDT", "", -1),
    ] {
        assert_eq!(read_set(store, &other).await, nothing);
    }
}

pub(crate) async fn great_numbers_keep_their_order(store: &impl BarStore) {
    const HALF: u64 = 1 << 63;
    let key = id_key("binance:BTCUSDT", "", -1);
    let put = [
        (u64::MAX, u64::MAX),
        (HALF, HALF + 5),
        (0, 0),
        (HALF - 3, HALF - 2),
        (u64::MAX - 9, u64::MAX - 2),
    ];
    commit_changes(store, 0, vec![range_change(&key, i64::MAX, &put, &[])]).await;
    let mut sorted = put;
    sorted.sort_unstable();
    assert_eq!(read_ranges(store, &key).await, sorted);
    commit_changes(
        store,
        1,
        vec![range_change(
            &key,
            i64::MIN,
            &[(HALF - 3, HALF + 5)],
            &[HALF, u64::MAX],
        )],
    )
    .await;
    let expected = [(0, 0), (HALF - 3, HALF + 5), (u64::MAX - 9, u64::MAX - 2)];
    assert_eq!(read_ranges(store, &key).await, expected);
    assert_eq!(read_set(store, &key).await.last_append_ns, i64::MIN);
}

pub(crate) async fn exact_ids_add_up(store: &impl BarStore) {
    let btc = id_key("binance:BTCUSDT", "NYSE", 0);
    let eth = id_key("binance:ETHUSDT", "", 3_600_000_000_000);
    let odd = [
        "0",
        "18446744073709551615",
        "18446744073709551616",
        "~",
        "00x",
    ];
    let odd = odd.map(str::to_owned);
    let long: Vec<_> = (0..5_000)
        .map(|id| format!("{id:0>64}-")[1..].to_owned())
        .collect();
    let none: [String; 0] = [];
    commit_changes(
        store,
        0,
        vec![exact_change(&btc, 1, &odd), exact_change(&eth, 1, &none)],
    )
    .await;
    commit_changes(
        store,
        1,
        vec![exact_change(&btc, 2, &long), exact_change(&eth, 2, &odd)],
    )
    .await;
    commit_changes(store, 2, vec![exact_change(&btc, 3, &["last".to_owned()])]).await;

    let row = read_set(store, &btc).await;
    assert_eq!((row.ranges.len(), row.last_append_ns), (0, 3));
    let mut ids: Vec<_> = row.exact.iter().map(ToString::to_string).collect();
    let mut expected = [&odd[..], &long, &["last".to_owned()]].concat();
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    assert!(row.exact.contains(&TradeId::Number(u64::MAX)));
    assert_eq!(read_set(store, &eth).await.exact.len(), odd.len());
}

pub(crate) async fn range_sets_come_in_pages(store: &impl BarStore) {
    let keys = [
        id_key("binance:BTC", "", -1),
        id_key("binance:BTC", "NYSE", 0),
        id_key("binance:BTC", "NYSE", 86_400_000_000_000),
        id_key("binance:BTC-PERP", "", -1),
        id_key("binance:ETH", "", -1),
    ];
    let put = [(1, 2), (4, u64::MAX)];
    let mut ids: Vec<_> = keys
        .iter()
        .map(|key| range_change(key, 1, &put, &[]))
        .collect();
    ids.push(range_change(&id_key("binanc:ZZZ", "", -1), 1, &put, &[]));
    ids.push(range_change(&id_key("binance2:AAA", "", -1), 1, &put, &[]));
    ids.push(exact_change(
        &id_key("binance:BTC", "AMEX", 0),
        1,
        &["7".to_owned()],
    ));
    commit_changes(store, 0, ids).await;

    let mut query = IdRangeQuery {
        venue: "binance".parse().unwrap(),
        symbol: None,
        after: None,
        limit: 2,
    };
    let mut seen = Vec::new();
    loop {
        let page = store.id_ranges(&query).await.unwrap();
        assert!(page.len() <= 2 && page.iter().all(|(_, ranges)| ranges == &put));
        let Some((last, _)) = page.last() else { break };
        query.after = Some(last.clone());
        seen.extend(page.into_iter().map(|(key, _)| key));
    }
    assert_eq!(seen, keys);

    query = IdRangeQuery {
        symbol: Some("BTC".parse().unwrap()),
        after: None,
        limit: 10,
        ..query
    };
    let of_one: Vec<_> = store.id_ranges(&query).await.unwrap();
    assert_eq!(
        of_one.into_iter().map(|(key, _)| key).collect::<Vec<_>>(),
        keys[..3]
    );
    query.after = Some(keys[1].clone());
    assert_eq!(store.id_ranges(&query).await.unwrap().len(), 1);
}

pub(crate) async fn old_ids_expire_but_not_those_of_no_bucket(store: &impl BarStore) {
    let kept = id_key("binance:BTC", "", -1);
    let old = id_key("binance:BTC", "", 0);
    let old_exact = id_key("binance:ETH", "", 0);
    let amendments = id_key("binance:BTC", AMENDMENTS_SCOPE, 0);
    let young = id_key("binance:BTC", "", 3_600_000_000_000);
    let mut transaction = step(0, 0, 1);
    transaction.id_sets = vec![
        range_change(&kept, 10, &[(1, 1), (3, 3)], &[]),
        range_change(&old, 10, &[(1, 1), (3, 3)], &[]),
        exact_change(&old_exact, 10, &["7".to_owned(), "x".to_owned()]),
        exact_change(&amendments, 10, &["7".to_owned()]),
        range_change(&young, 20, &[(1, 1)], &[]),
    ];
    let rejected = |first, append_time_ns| ExcludedRange {
        epoch: 1,
        first_offset: first,
        end_offset: first + 1,
        verdict: TickVerdict::Duplicate,
        append_time_ns,
    };
    transaction.excluded_ranges = vec![rejected(1, 10), rejected(5, 20)];
    commit_step(store, transaction).await;

    assert_eq!(
        store.delete_expired_batch(i64::MIN, 10, 10).await.unwrap(),
        0
    );
    assert!(store.delete_expired_batch(i64::MIN, 20, 20).await.unwrap() > 0);
    assert_eq!(
        store.delete_expired_batch(i64::MIN, 20, 20).await.unwrap(),
        0
    );
    assert_eq!(read_ranges(store, &kept).await, [(1, 1), (3, 3)]);
    assert_eq!(read_ranges(store, &young).await, [(1, 1)]);
    assert_eq!(read_ranges(store, &old).await, []);
    assert_eq!(read_set(store, &old_exact).await.last_append_ns, 0);
    assert_eq!(read_set(store, &amendments).await.last_append_ns, 10);
    assert!(store.delete_expired_batch(20, 20, 20).await.unwrap() > 0);
    assert_eq!(read_set(store, &amendments).await.last_append_ns, 0);
    let left = store.excluded_ranges(0, 1, 0, u64::MAX).await.unwrap();
    assert_eq!(left, [rejected(5, 20)]);
}
