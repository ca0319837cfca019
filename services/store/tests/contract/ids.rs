//! Sets of ids.

use candlewick_store::{
    AMENDMENTS_SCOPE, BarReader, BarStore, ExcludedRange, IdChunkWrite, IdRanges, IdRangesQuery,
    IdSegmentKey, IdSegmentStart, IdSetChange, IdSetKey, IdSetWrites, SegmentIds, StoredIdSet,
    TickVerdict,
};

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

/// Returns a change that writes one chunk.
fn chunk_change(key: &IdSetKey, at: i64, start: u64, chunk: u32, numbers: &[u64]) -> IdSetChange {
    segment_change(
        key,
        at,
        Vec::new(),
        vec![IdChunkWrite {
            start: IdSegmentStart::Number(start),
            chunk,
            ids: SegmentIds::Numbers(numbers.to_vec()),
        }],
    )
}

fn segment_change(
    key: &IdSetKey,
    at: i64,
    removed: Vec<IdSegmentStart>,
    written: Vec<IdChunkWrite>,
) -> IdSetChange {
    IdSetChange {
        key: key.clone(),
        last_append_ns: at,
        writes: IdSetWrites::Segments { removed, written },
    }
}

/// Reads segments of a set.
async fn read_segments(
    store: &impl BarStore,
    key: &IdSetKey,
    starts: &[IdSegmentStart],
) -> Vec<(SegmentIds, u32)> {
    let keys = starts.iter().map(|start| IdSegmentKey {
        set: key.clone(),
        start: *start,
    });
    let keys: Vec<_> = keys.collect();
    let rows = store.id_segments(&keys).await.unwrap().into_iter();
    rows.map(|row| (row.ids, row.chunk_count)).collect()
}

async fn commit_changes(store: &impl BarStore, from: u64, ids: Vec<IdSetChange>) {
    let mut transaction = step(0, from, from + 1);
    transaction.id_sets = ids;
    commit_step(store, transaction).await;
}

/// Reads one set.
async fn read_set(store: &impl BarStore, key: &IdSetKey) -> StoredIdSet {
    let mut sets = store.id_sets(std::slice::from_ref(key)).await.unwrap();
    assert_eq!(sets.len(), 1);
    sets.remove(0)
}

async fn read_ranges(store: &impl BarStore, key: &IdSetKey) -> IdRanges {
    let row = read_set(store, key).await;
    assert_eq!(row.segments, []);
    row.ranges
}

pub(crate) async fn ranges_are_inserted_and_removed(store: &impl BarStore) {
    let key = id_key("binance:BTCUSDT", "", -1);
    let nothing = StoredIdSet {
        ranges: Vec::new(),
        segments: Vec::new(),
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

/// Chunks add up to segments, each of which is read and removed by itself.
pub(crate) async fn segments_are_written_and_removed(store: &impl BarStore) {
    const HALF: u64 = 1 << 63;
    let btc = id_key("binance:BTCUSDT", "NYSE", 0);
    let eth = id_key("binance:ETHUSDT", "", 3_600_000_000_000);
    let (low, high) = (IdSegmentStart::Number(0), IdSegmentStart::Number(HALF));
    let texts = IdSegmentStart::Digest(7);
    let long: Vec<_> = (0..50_000).map(|number| 1_000 + number * 999).collect();
    let of_texts = IdChunkWrite {
        start: texts,
        chunk: 0,
        ids: SegmentIds::Digests(vec![7, 1 << 64, u128::MAX]),
    };
    commit_changes(
        store,
        0,
        vec![
            chunk_change(&btc, 1, 0, 0, &[0, 3, 500]),
            chunk_change(&eth, 1, 0, 0, &[9]),
        ],
    )
    .await;
    commit_changes(store, 1, vec![chunk_change(&btc, 2, 0, 1, &long)]).await;
    let mut change = chunk_change(&btc, 3, HALF, 0, &[HALF, u64::MAX]);
    if let IdSetWrites::Segments { written, .. } = &mut change.writes {
        written.push(of_texts.clone());
    }
    commit_changes(store, 2, vec![change]).await;

    let row = read_set(store, &btc).await;
    let summaries = row.segments.iter();
    let summaries: Vec<_> = summaries
        .map(|segment| (segment.start, segment.chunk_count))
        .collect();
    assert_eq!(summaries, [(low, 2), (high, 1), (texts, 1)]);
    assert!((100_000..110_000).contains(&row.segments[0].stored_bytes));
    assert_eq!((row.ranges.len(), row.last_append_ns), (0, 3));
    let all = [&[0, 3, 500], &long[..]].concat();
    let none = IdSegmentStart::Number(5);
    assert_eq!(
        read_segments(store, &btc, &[high, low, none, texts]).await,
        [
            (SegmentIds::Numbers(vec![HALF, u64::MAX]), 1),
            (SegmentIds::Numbers(all), 2),
            (SegmentIds::Numbers(Vec::new()), 0),
            (of_texts.ids, 1),
        ]
    );

    // Removed first, then written.
    let whole = IdChunkWrite {
        start: low,
        chunk: 0,
        ids: SegmentIds::Numbers(vec![4]),
    };
    let changes = vec![segment_change(&btc, 4, vec![low, texts], vec![whole])];
    commit_changes(store, 3, changes).await;
    assert_eq!(
        read_segments(store, &btc, &[low, high, texts]).await,
        [
            (SegmentIds::Numbers(vec![4]), 1),
            (SegmentIds::Numbers(vec![HALF, u64::MAX]), 1),
            (SegmentIds::Digests(Vec::new()), 0),
        ]
    );
    let eth_row = read_segments(store, &eth, &[low]).await;
    assert_eq!(eth_row, [(SegmentIds::Numbers(vec![9]), 1)]);
}

/// The key of digests is drawn once, and the same for all partitions.
pub(crate) async fn the_digest_key_stays(store: &impl BarStore) {
    let first = store.load_or_create_partition(0, 1).await.unwrap();
    let second = store.load_or_create_partition(1, 1).await.unwrap();
    let again = store.load_or_create_partition(0, 1).await.unwrap();
    assert_ne!(first.id_digest_key, [0; 32]);
    assert_eq!(first.id_digest_key, second.id_digest_key);
    assert_eq!(first.id_digest_key, again.id_digest_key);
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
    ids.push(chunk_change(
        &id_key("binance:BTC", "AMEX", 0),
        1,
        0,
        0,
        &[7],
    ));
    commit_changes(store, 0, ids).await;

    let mut query = IdRangesQuery {
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

    query = IdRangesQuery {
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
        chunk_change(&old_exact, 10, 0, 0, &[7, 8]),
        chunk_change(&amendments, 10, 0, 0, &[7]),
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
    let start = IdSegmentStart::Number(0);
    let left = read_segments(store, &old_exact, &[start]).await;
    assert_eq!(left, [(SegmentIds::empty(start), 0)]);
    assert_eq!(read_set(store, &amendments).await.last_append_ns, 10);
    assert!(store.delete_expired_batch(20, 20, 20).await.unwrap() > 0);
    assert_eq!(read_set(store, &amendments).await.last_append_ns, 0);
    let left = store.excluded_ranges(0, 1, 0, u64::MAX).await.unwrap();
    assert_eq!(left, [rejected(5, 20)]);
}
